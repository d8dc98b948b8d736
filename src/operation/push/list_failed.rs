//! `GET /v1.0/event/callbacks/failedResults`: events that could not be pushed by HTTP, three to five minutes after the
//! last attempt. The legacy twin forgets what it answers, whether the answer arrives or not, so it is not used.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::lenient,
};

/// The request: a stretch of time, in milliseconds since 1970.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListFailedPushes {
    /// Events from here on ...
    pub begin_time: u64,
    /// ... and before this.
    pub end_time: u64,
}

/// The reply: at most 200, oldest first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedPushes {
    /// The events.
    #[serde(default, deserialize_with = "lenient::collection")]
    pub failed_list: Vec<FailedPush>,
    /// Whether there are more. Nothing leads to them but a later `begin_time`.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub has_more: Option<bool>,
}

/// One of them. The organisation it also names is the app's.
#[derive(Debug, Deserialize)]
pub struct FailedPush {
    /// The type of the event.
    #[serde(rename = "callBackTag")]
    pub type_name: String,
    /// What would have been pushed, as JSON text.
    #[serde(rename = "callBackData")]
    pub content: String,
    /// When it happened, in milliseconds since 1970.
    #[serde(default, rename = "eventTime", deserialize_with = "lenient::number")]
    pub event_time: Option<i64>,
}

impl Endpoint for ListFailedPushes {
    type Reply = FailedPushes;
    const SPEC: &'static Spec = &Spec {
        id: "events.failed.list",
        generation: Generation::New,
        method: Method::GET,
        path: "/v1.0/event/callbacks/failedResults",
        params: Params::Query,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: None,
    };
}
