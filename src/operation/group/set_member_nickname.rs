//! `POST /topapi/chat/updategroupnick`: names a member within an internal or standard group.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{ChatId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct SetMemberNickname<'a> {
    /// Which group.
    pub chatid: &'a ChatId,
    /// The member.
    pub userid: &'a UserId,
    /// The name. DingTalk documents no bound here; the twin of scenario groups takes 30 characters.
    pub group_nick: &'a str,
}

impl Endpoint for SetMemberNickname<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "group.member.set_nick_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/chat/updategroupnick",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
