//! Scenario groups on the legacy face: flat settings, lists as comma-joined strings, numbers as strings in answers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{split, without_empty};
use crate::new::scenes::{ids, names, options, owner};
use crate::world::{Caller, CreateScene, OwnerKind, People, Refusal, SceneSettingsPatch, UpdateScene, World};

#[derive(Deserialize)]
pub(super) struct CreateBody {
    template_id: String,
    title: String,
    owner_user_id: String,
    #[serde(default)]
    icon: String,
    #[serde(default)]
    user_ids: String,
    #[serde(default)]
    subadmin_ids: String,
    uuid: Option<String>,
    /// What is left are settings only: the request was checked against the reference.
    #[serde(flatten)]
    settings: SceneSettingsPatch,
}

pub(super) fn create(world: &mut World, caller: &Caller, body: CreateBody) -> Result<Value, Refusal> {
    let request = CreateScene {
        template_id: body.template_id,
        title: body.title,
        owner: body.owner_user_id,
        icon: body.icon,
        users: split(&body.user_ids),
        admins: split(&body.subadmin_ids),
        settings: body.settings,
        uuid: body.uuid.filter(|uuid| !uuid.is_empty()),
    };
    let group = world.create_scene(caller, request)?;
    let ids = json!({"chat_id": group.chatid, "open_conversation_id": group.open_conversation_id});
    Ok(json!({"result": ids}))
}

#[derive(Deserialize)]
pub(super) struct UpdateBody {
    open_conversation_id: String,
    title: Option<String>,
    owner_user_id: Option<String>,
    icon: Option<String>,
    #[serde(flatten)]
    settings: SceneSettingsPatch,
}

pub(super) fn update(world: &mut World, caller: &Caller, body: UpdateBody) -> Result<Value, Refusal> {
    let request = UpdateScene {
        id: body.open_conversation_id,
        title: body.title,
        owner: body.owner_user_id.map(|id| (OwnerKind::Employee, id)),
        icon: body.icon,
        settings: body.settings,
    };
    world.update_scene(caller, request)?;
    Ok(json!({}))
}

/// What ids customer contacts go by is not documented; here it is the unionId.
#[derive(Deserialize)]
pub(super) struct MembersBody {
    open_conversation_id: String,
    #[serde(default)]
    user_ids: String,
    #[serde(default)]
    contact_staff_ids: String,
}

impl MembersBody {
    fn people(&self) -> People {
        People { users: split(&self.user_ids), contacts: split(&self.contact_staff_ids) }
    }
}

pub(super) fn add_members(world: &mut World, caller: &Caller, body: MembersBody) -> Result<Value, Refusal> {
    world.add_members(caller, &body.open_conversation_id, body.people())?;
    Ok(json!({}))
}

pub(super) fn remove_members(
    world: &mut World,
    caller: &Caller,
    body: MembersBody,
) -> Result<Value, Refusal> {
    world.remove_members(caller, &body.open_conversation_id, body.people())?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct ListBody {
    open_conversation_id: String,
    cursor: String,
    size: i64,
}

/// The names are JSON in strings.
pub(super) fn list_members(world: &World, caller: &Caller, body: ListBody) -> Result<Value, Refusal> {
    let size = usize::try_from(body.size).unwrap_or_default();
    let page = world.members(caller, &body.open_conversation_id, size, &body.cursor)?;
    Ok(json!({"result": {
        "member_user_ids": ids(&page.users),
        "union_ids": ids(&page.contacts),
        "staff_id_nick_map": json!(names(&page.users)).to_string(),
        "union_id_nick_map": json!(names(&page.contacts)).to_string(),
        "has_more": page.has_more,
        "next_cursor": page.next,
    }}))
}

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
