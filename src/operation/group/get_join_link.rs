//! `POST /topapi/chat/qrcode/get`: the link behind the group's QR code, in the name of a member. The documentation
//! asks for the chatid; the official SDK takes either id.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{ChatId, OpenConversationId, UserId},
};

/// The request: one of the two ids.
#[derive(Debug, Serialize)]
pub struct GetJoinLink<'a> {
    /// The documented id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chatid: Option<&'a ChatId>,
    /// Camel case amid lower-case neighbours.
    #[serde(rename = "openConversationId", skip_serializing_if = "Option::is_none")]
    pub open_conversation_id: Option<&'a OpenConversationId>,
    /// The member in whose name the link is shared.
    pub userid: &'a UserId,
}

/// The reply.
#[derive(Debug, Deserialize)]
pub struct JoinLink {
    /// The link itself, not an object.
    pub result: String,
}

impl Endpoint for GetJoinLink<'_> {
    type Reply = JoinLink;
    const SPEC: &'static Spec = &Spec {
        id: "group.qrcode.get_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/chat/qrcode/get",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_base_read"),
    };
}
