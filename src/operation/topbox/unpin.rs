//! `POST /v2.0/im/topBoxes/close`: unpins a card. For one-to-one chats it takes the unionId as `unoinId`: the typo
//! is in the documentation, its example and the SDKs alike.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::OpenConversationId,
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpinCard<'a> {
    /// [`CONVERSATION_GROUP`](super::CONVERSATION_GROUP).
    pub conversation_type: u8,
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The template that the group lives by; required for groups that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_template_id: Option<&'a str>,
    /// The cool app; required for groups that are reached through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cool_app_code: Option<&'a str>,
    /// The id that the card was pinned with.
    pub out_track_id: &'a str,
}

impl Endpoint for UnpinCard<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "topbox.close",
        generation: Generation::New,
        method: Method::POST,
        path: "/v2.0/im/topBoxes/close",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
