//! `PUT /v1.0/im/sceneGroups/members/groupNicks`: names a member within a scenario group.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetMemberNickname<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The member.
    pub user_id: &'a UserId,
    /// At most 30 characters.
    pub group_nick: &'a str,
}

impl Endpoint for SetMemberNickname<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.member.set_nick",
        generation: Generation::New,
        method: Method::PUT,
        path: "/v1.0/im/sceneGroups/members/groupNicks",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
