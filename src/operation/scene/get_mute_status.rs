//! `GET /v1.0/im/sceneGroups/muteSettings`: whether the whole group and one member are muted. One member a call.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UserId},
        lenient,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetMuteStatus<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The member; there is no form for the group alone.
    pub user_id: &'a UserId,
}

/// The reply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MuteStatus {
    /// Whether the whole group is muted.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub group_mute_mode: Option<bool>,
    /// The member's own mute.
    #[serde(default)]
    pub user_mute_result: Option<UserMute>,
}

/// A member's mute.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserMute {
    /// Whether the member is muted.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub user_mute_mode: Option<bool>,
    /// Unix time in milliseconds.
    #[serde(default, deserialize_with = "lenient::number")]
    pub mute_start_time: Option<i64>,
    /// Unix time in milliseconds.
    #[serde(default, deserialize_with = "lenient::number")]
    pub mute_end_time: Option<i64>,
}

impl Endpoint for GetMuteStatus<'_> {
    type Reply = MuteStatus;
    const SPEC: &'static Spec = &Spec {
        id: "scene.mute.query",
        generation: Generation::New,
        method: Method::GET,
        path: "/v1.0/im/sceneGroups/muteSettings",
        params: Params::Query,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_read"),
    };
}
