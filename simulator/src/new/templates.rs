//! Templates and their robots on the new face.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Caller, Refusal, World};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RobotQuery {
    open_conversation_id: String,
    robot_code: String,
}

pub(super) fn get_robot(world: &World, caller: &Caller, query: RobotQuery) -> Result<Value, Refusal> {
    let user_id = world.template_robot(caller, &query.open_conversation_id, &query.robot_code)?;
    Ok(json!({"success": true, "result": {"userId": user_id}}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateBody {
    open_conversation_id: String,
    owner_user_id: String,
    template_id: String,
}

pub(super) fn apply(world: &mut World, caller: &Caller, body: TemplateBody) -> Result<Value, Refusal> {
    let id = &body.open_conversation_id;
    world.apply_template(caller, id, &body.template_id, &body.owner_user_id)?;
    Ok(json!({"success": true}))
}

pub(super) fn close(world: &mut World, caller: &Caller, body: TemplateBody) -> Result<Value, Refusal> {
    let id = &body.open_conversation_id;
    world.close_template(caller, id, &body.template_id, &body.owner_user_id)?;
    Ok(json!({"success": true}))
}
