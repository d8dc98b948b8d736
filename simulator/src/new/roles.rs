//! Admins, nicknames and mutes on the new face.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Caller, GroupKey, People, Refusal, World};

/// `role` of an admin; 3, the only other value, is an ordinary member.
pub(crate) const ADMIN: i64 = 2;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminsBody {
    open_conversation_id: String,
    role: i64,
    #[serde(default)]
    user_ids: Vec<String>,
    #[serde(default)]
    union_ids: Vec<String>,
}

/// The success is a string here.
pub(super) fn set_group_admins(
    world: &mut World,
    caller: &Caller,
    body: AdminsBody,
) -> Result<Value, Refusal> {
    let people = People::users(body.user_ids);
    set_admins(world, caller, GroupKey::Open(&body.open_conversation_id), body.role, &people)?;
    Ok(json!({"success": "true"}))
}

/// And a boolean here.
pub(super) fn set_scene_admins(
    world: &mut World,
    caller: &Caller,
    body: AdminsBody,
) -> Result<Value, Refusal> {
    let people = People { users: body.user_ids, contacts: body.union_ids };
    set_admins(world, caller, GroupKey::Scene(&body.open_conversation_id), body.role, &people)?;
    Ok(json!({"success": true}))
}

pub(crate) fn set_admins(
    world: &mut World,
    caller: &Caller,
    key: GroupKey<'_>,
    role: i64,
    people: &People,
) -> Result<(), Refusal> {
    if role == ADMIN {
        world.grant_admins(caller, key, people)
    } else {
        world.revoke_admins(caller, key, people)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NicknameBody {
    open_conversation_id: String,
    user_id: String,
    group_nick: String,
}

pub(super) fn set_nickname(world: &mut World, caller: &Caller, body: NicknameBody) -> Result<Value, Refusal> {
    let key = GroupKey::Scene(&body.open_conversation_id);
    world.set_nickname(caller, key, &body.user_id, body.group_nick)?;
    Ok(json!({"success": true}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MuteBody {
    open_conversation_id: String,
    mute_status: i64,
    mute_duration: i64,
    user_id_list: Vec<String>,
    #[serde(default)]
    union_ids: Vec<String>,
}

/// A success is an empty body.
pub(super) fn set_mute(world: &mut World, caller: &Caller, body: MuteBody) -> Result<Value, Refusal> {
    let people = People { users: body.user_id_list, contacts: body.union_ids };
    if body.mute_status == 1 {
        let ms = u64::try_from(body.mute_duration).map_err(|_| Refusal::Invalid("muteDuration"))?;
        world.mute(caller, &body.open_conversation_id, &people, ms)?;
    } else {
        world.unmute(caller, &body.open_conversation_id, &people)?;
    }
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MuteQuery {
    open_conversation_id: String,
    user_id: String,
}

pub(super) fn get_mute(world: &World, caller: &Caller, query: MuteQuery) -> Result<Value, Refusal> {
    let state = world.mute_state(caller, &query.open_conversation_id, &query.user_id)?;
    let mut user = json!({"userMuteMode": state.mute.is_some()});
    if let Some(mute) = state.mute {
        user["muteStartTime"] = json!(mute.start_ms);
        user["muteEndTime"] = json!(mute.end_ms);
    }
    Ok(json!({"groupMuteMode": state.group_muted, "userMuteResult": user}))
}
