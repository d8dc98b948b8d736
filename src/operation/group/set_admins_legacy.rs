//! `POST /topapi/chat/subadmin/update`: the older form of setting admins, by chatid, with the list as one string.
//! Closed to new apps.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{ChatId, UserId},
        joined,
        role::Role,
    },
};

/// The request.
#[derive(Debug, Serialize)]
pub struct SetAdminsLegacy<'a> {
    /// Which group.
    pub chatid: &'a ChatId,
    /// What they become.
    pub role: Role,
    /// The employees, joined by commas.
    #[serde(rename = "userids", serialize_with = "joined::commas")]
    pub user_ids: &'a [UserId],
}

impl Endpoint for SetAdminsLegacy<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "group.admins.set_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/chat/subadmin/update",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(12),
        permission: Some("qyapi_chat_manage"),
    };
}
