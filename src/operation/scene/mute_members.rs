//! `POST /v1.0/im/sceneGroups/muteMembers/set`: mutes or unmutes members of a scenario group. Owner and admins
//! cannot be muted. The answer is an empty body.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MuteMembers<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// 1 mutes, 0 unmutes.
    pub mute_status: u8,
    /// Milliseconds; no maximum is documented. Required for unmuting too, where its meaning is not documented.
    pub mute_duration: i64,
    /// Employees; required, even when empty.
    pub user_id_list: &'a [UserId],
    /// People from outside the organisation; in the SDK only.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub union_ids: &'a [UnionId],
}

impl Endpoint for MuteMembers<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.members.mute.set",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroups/muteMembers/set",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(999),
        permission: Some("qyapi_chat_manage"),
    };
}
