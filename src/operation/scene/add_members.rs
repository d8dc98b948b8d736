//! `POST /v1.0/im/sceneGroup/member/add`: adds members to a scenario group. One answer for all of them: who was
//! added and who was not cannot be seen.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct AddMembers<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// Employees.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub user_ids: &'a [UserId],
    /// People from outside the organisation. At least one of the two lists has to have somebody in it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub union_ids: &'a [UnionId],
}

impl Endpoint for AddMembers<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.members.add",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroup/member/add",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(100),
        permission: Some("qyapi_chat_manage"),
    };
}
