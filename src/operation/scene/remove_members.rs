//! `POST /v1.0/im/sceneGroup/member/delete`: removes members from a scenario group. A POST, whatever its path says.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct RemoveMembers<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// Employees.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub user_ids: &'a [UserId],
    /// People from outside the organisation. At least one of the two lists has to have somebody in it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub union_ids: &'a [UnionId],
}

impl Endpoint for RemoveMembers<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.members.remove",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroup/member/delete",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(100),
        permission: Some("qyapi_chat_manage"),
    };
}
