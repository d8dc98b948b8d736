//! `POST /topapi/im/chat/scenegroup/member/add`: the older form of adding members, with the list as one string.
//! Closed to new apps.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UserId},
        joined,
    },
};

/// The request.
#[derive(Debug, Serialize)]
pub struct AddMembersLegacy<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// Employees, joined by commas; nobody from outside can be named by unionId. The page says at most 100, the SDK
    /// checks 999.
    #[serde(serialize_with = "joined::commas")]
    pub user_ids: &'a [UserId],
}

impl Endpoint for AddMembersLegacy<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.members.add_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scenegroup/member/add",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(100),
        permission: Some("qyapi_chat_manage"),
    };
}
