//! Admins and nicknames on the legacy face, by chatid.

use serde::Deserialize;
use serde_json::{Value, json};

use super::split;
use crate::new::roles::set_admins;
use crate::world::{Caller, GroupKey, People, Refusal, World};

#[derive(Deserialize)]
pub(super) struct AdminsBody {
    chatid: String,
    role: i64,
    userids: String,
}

pub(super) fn set_group_admins(
    world: &mut World,
    caller: &Caller,
    body: AdminsBody,
) -> Result<Value, Refusal> {
    let people = People::users(split(&body.userids));
    set_admins(world, caller, GroupKey::Chat(&body.chatid), body.role, &people)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct NicknameBody {
    chatid: String,
    userid: String,
    group_nick: String,
}

pub(super) fn set_nickname(world: &mut World, caller: &Caller, body: NicknameBody) -> Result<Value, Refusal> {
    world.set_nickname(caller, GroupKey::Chat(&body.chatid), &body.userid, body.group_nick)?;
    Ok(json!({}))
}
