//! `POST /topapi/im/chat/scenegroup/template/close`: takes a template out of force: its settings lapse, its robots
//! leave, its quick entries close. Calls that want a template are refused for the group from then on.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct DisableTemplate<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The owner of the group, in whose name it is done.
    pub owner_user_id: &'a UserId,
    /// The template.
    pub template_id: &'a str,
}

impl Endpoint for DisableTemplate<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "template.close_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scenegroup/template/close",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
