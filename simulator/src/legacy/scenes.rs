//! Scenario groups on the legacy face: flat settings, lists as comma-joined strings, numbers as strings in answers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::without_empty;
use crate::new::scenes::{options, owner};
use crate::world::{Caller, OwnerKind, Refusal, World};

#[derive(Deserialize)]
pub(super) struct GetBody {
    open_conversation_id: String,
}

pub(super) fn get(world: &World, caller: &Caller, body: GetBody) -> Result<Value, Refusal> {
    let group = world.scene(caller, &body.open_conversation_id)?;
    let result = json!({
        "open_conversation_id": group.open_conversation_id,
        "title": group.name,
        "icon": group.icon,
        "owner_staff_id": owner(group, OwnerKind::Employee),
        "sub_admin_staff_ids": group.admins,
        "template_id": group.template_id,
        "member_amount": group.members.len() + group.external_members.len(),
        "management_options": options(group),
    });
    Ok(json!({"result": without_empty(result)}))
}
