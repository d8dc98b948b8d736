//! `POST /topapi/im/chat/scencegroup/message/send_v2`: sends a message into a scenario group through the robot of
//! its template. The path says `scencegroup`, unlike those of groups, members and templates. There is no
//! idempotency key: a second request sends a second message. The flag of success is `success` on the page and
//! `succ` in the SDK; `errcode` decides.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UnionId, UserId},
        joined,
    },
};

/// The request.
#[derive(Debug, Serialize)]
pub struct SendAssistantMessage<'a> {
    /// Which group.
    #[serde(rename = "target_open_conversation_id")]
    pub open_conversation_id: &'a OpenConversationId,
    /// The robot of the template.
    pub robot_code: &'a str,
    /// Which message: see the constants in [`super`], or a template of the caller's own.
    pub msg_template_id: &'a str,
    /// Its variables of text. The page's table asks for a JSON string, its examples and the SDK send an object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub msg_param_map: &'a BTreeMap<String, String>,
    /// Its variables of media, each a mediaId. A name that is in both maps is an error (660020).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub msg_media_id_param_map: &'a BTreeMap<String, String>,
    /// Names everybody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_at_all: bool,
    /// Employees to name, at most 50.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub at_users: &'a [UserId],
    /// People from outside the organisation to name; in the SDK and in a sample of the page, not in its table.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub at_union_ids: &'a [UnionId],
    /// Mobile numbers to name, at most 50. In markdown the text has to say `@` and the number too.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub at_mobiles: &'a [String],
    /// The employees who see it; without any receiver everybody does. Comma-joined as in the SDK; the page's
    /// table calls it an array, its examples show both.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub receiver_user_ids: &'a [UserId],
    /// The people from outside the organisation who see it.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub receiver_union_ids: &'a [UnionId],
    /// The mobile numbers of people who see it.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub receiver_mobiles: &'a [String],
}

/// The reply.
#[derive(Debug, Deserialize)]
pub struct SentMessage {
    /// The message; [`ListMessageReaders`](super::ListMessageReaders) asks by it.
    pub open_msg_id: String,
}

impl Endpoint for SendAssistantMessage<'_> {
    type Reply = SentMessage;
    const SPEC: &'static Spec = &Spec {
        id: "assistant.message.send_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scencegroup/message/send_v2",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Once,
        max_members: Some(999),
        permission: Some("qyapi_chat_manage"),
    };
}
