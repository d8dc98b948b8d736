//! `PUT /v1.0/im/sceneGroups/subAdmins`: makes members admins of a scenario group, or takes the role away.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UnionId, UserId},
        role::Role,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAdmins<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// What they become.
    pub role: Role,
    /// Employees.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub user_ids: &'a [UserId],
    /// People from outside the organisation. At least one of the two lists has to have somebody in it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub union_ids: &'a [UnionId],
}

impl Endpoint for SetAdmins<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.admins.set",
        generation: Generation::New,
        method: Method::PUT,
        path: "/v1.0/im/sceneGroups/subAdmins",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(12),
        permission: Some("qyapi_chat_manage"),
    };
}
