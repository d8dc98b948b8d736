//! `POST /topapi/chat/member/friendswitch/update`: whether members may befriend and message each other. The switch is
//! inverted: true forbids.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::ChatId,
};

/// The request.
#[derive(Debug, Serialize)]
pub struct SetPrivateChat<'a> {
    /// Which group.
    pub chatid: &'a ChatId,
    /// True forbids private chats.
    pub is_prohibit: bool,
}

impl Endpoint for SetPrivateChat<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "group.private_chat.set_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/chat/member/friendswitch/update",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
