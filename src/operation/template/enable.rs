//! `POST /topapi/im/chat/scenegroup/template/apply`: puts a template into force in a group: its settings, robots
//! and quick entries. It also turns an internal group into a scenario group. Success is the string `"true"` in its
//! example.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct EnableTemplate<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The owner of the group, in whose name it is done.
    pub owner_user_id: &'a UserId,
    /// The template.
    pub template_id: &'a str,
}

impl Endpoint for EnableTemplate<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "template.apply_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scenegroup/template/apply",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
