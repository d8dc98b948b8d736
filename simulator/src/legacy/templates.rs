//! Templates and their robots on the legacy face.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Caller, Refusal, World};

#[derive(Deserialize)]
pub(super) struct TemplateBody {
    open_conversation_id: String,
    owner_user_id: String,
    template_id: String,
}

pub(super) fn apply(world: &mut World, caller: &Caller, body: TemplateBody) -> Result<Value, Refusal> {
    let id = &body.open_conversation_id;
    world.apply_template(caller, id, &body.template_id, &body.owner_user_id)?;
    Ok(json!({}))
}

pub(super) fn close(world: &mut World, caller: &Caller, body: TemplateBody) -> Result<Value, Refusal> {
    let id = &body.open_conversation_id;
    world.close_template(caller, id, &body.template_id, &body.owner_user_id)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct RobotBody {
    open_conversation_id: String,
    robot_code: String,
}

pub(super) fn get_robot(world: &World, caller: &Caller, body: RobotBody) -> Result<Value, Refusal> {
    let user_id = world.template_robot(caller, &body.open_conversation_id, &body.robot_code)?;
    Ok(json!({"robot": {"userid": user_id}}))
}
