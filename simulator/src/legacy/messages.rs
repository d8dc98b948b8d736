//! Sending a message of the group assistant, which only the legacy face can.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::split;
use crate::world::{Audience, Caller, People, Refusal, SendMessage, World};

#[derive(Deserialize)]
pub(super) struct SendBody {
    target_open_conversation_id: String,
    robot_code: String,
    msg_template_id: String,
    #[serde(default)]
    msg_param_map: Value,
    #[serde(default)]
    msg_media_id_param_map: Value,
    #[serde(default)]
    at_users: String,
    #[serde(default)]
    at_mobiles: String,
    #[serde(default)]
    at_union_ids: String,
    #[serde(default)]
    is_at_all: bool,
    #[serde(default)]
    receiver_user_ids: String,
    #[serde(default)]
    receiver_mobiles: String,
    #[serde(default)]
    receiver_union_ids: String,
}

pub(super) fn send(world: &mut World, caller: &Caller, body: SendBody) -> Result<Value, Refusal> {
    let request = SendMessage {
        id: body.target_open_conversation_id,
        robot_code: body.robot_code,
        template_id: body.msg_template_id,
        params: variables(body.msg_param_map)?,
        media: variables(body.msg_media_id_param_map)?,
        mentioned: audience(&body.at_users, &body.at_union_ids, &body.at_mobiles),
        mentions_all: body.is_at_all,
        receivers: audience(&body.receiver_user_ids, &body.receiver_union_ids, &body.receiver_mobiles),
    };
    let open_message_id = world.send_message(caller, request)?;
    Ok(json!({"open_msg_id": open_message_id}))
}

fn audience(users: &str, contacts: &str, mobiles: &str) -> Audience {
    Audience { people: People { users: split(users), contacts: split(contacts) }, mobiles: split(mobiles) }
}

/// A JSON object, or a string that holds one.
fn variables(map: Value) -> Result<BTreeMap<String, String>, Refusal> {
    let map = match map {
        Value::Null => return Ok(BTreeMap::new()),
        Value::String(text) if text.is_empty() => return Ok(BTreeMap::new()),
        Value::String(text) => serde_json::from_str(&text).map_err(|_| Refusal::MessageNotRendered)?,
        map => map,
    };
    serde_json::from_value(map).map_err(|_| Refusal::MessageNotRendered)
}
