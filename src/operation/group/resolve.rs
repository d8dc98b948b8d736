//! `POST /v1.0/im/chat/{chatId}/convertToOpenConversationId`: the newer id of a group. There is no way back.

use std::borrow::Cow;

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec, endpoint::segment},
    operation::id::{ChatId, OpenConversationId},
};

/// The request: a POST without a body.
#[derive(Debug, Serialize)]
pub struct ResolveGroup<'a> {
    /// Which group; part of the path.
    #[serde(skip)]
    pub chat_id: &'a ChatId,
}

/// The reply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// The newer id.
    pub open_conversation_id: OpenConversationId,
}

impl Endpoint for ResolveGroup<'_> {
    type Reply = Resolved;
    const SPEC: &'static Spec = &Spec {
        id: "group.chatid.to_open_conversation_id",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/chat/{chatId}/convertToOpenConversationId",
        params: Params::Path,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_read"),
    };

    fn path(&self) -> Cow<'static, str> {
        format!("/v1.0/im/chat/{}/convertToOpenConversationId", segment(&self.chat_id.0)).into()
    }
}
