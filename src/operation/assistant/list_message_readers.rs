//! `POST /v1.0/robot/groupMessages/query`: who has read a message of the group's robot, and whether it was sent.
//! Needs a permission of its own. For a fresh message it may answer `processQueryKey.expireTime`.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UnionId, UserId},
        lenient,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMessageReaders<'a> {
    /// The group that the message went to. Documented as optional, as is the robot; both have an error for their
    /// absence.
    pub open_conversation_id: &'a OpenConversationId,
    /// The robot that sent it.
    pub robot_code: &'a str,
    /// The message: its `open_msg_id`.
    #[serde(rename = "processQueryKey")]
    pub open_msg_id: &'a str,
    /// At most 200.
    pub max_results: i64,
    /// From the page before; absent for the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<&'a str>,
}

/// The reply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReaderPage {
    /// Whether there is another page.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub has_more: Option<bool>,
    /// Leads to the next page.
    #[serde(default)]
    pub next_token: Option<String>,
    /// `SUCCESS`, `RECALLED` or `PROCESSING`.
    #[serde(default)]
    pub send_status: Option<String>,
    /// The employees who have read it.
    #[serde(default, deserialize_with = "lenient::collection")]
    pub read_user_ids: Vec<UserId>,
    /// The readers with both ids; in the SDK only.
    #[serde(default, deserialize_with = "lenient::collection")]
    pub read_users: Vec<Reader>,
}

/// Who has read a message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reader {
    /// Their userId.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// Their unionId.
    #[serde(default)]
    pub union_id: Option<UnionId>,
}

impl Endpoint for ListMessageReaders<'_> {
    type Reply = ReaderPage;
    const SPEC: &'static Spec = &Spec {
        id: "assistant.message.read_status",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/robot/groupMessages/query",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_robot_sendmsg"),
    };
}
