//! `POST /v1.0/im/sceneGroups/query`: name, avatar, owner and state of a scenario group. A read that needs the
//! permission to manage. A disbanded group is a success with `status` 2; `systemError` comes with HTTP 400.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{MediaId, OpenConversationId, UserId},
        lenient,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetGroupBrief<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
}

/// The reply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupBrief {
    /// The name.
    #[serde(default)]
    pub title: Option<String>,
    /// The owner, where an employee.
    #[serde(default)]
    pub owner_user_id: Option<UserId>,
    /// The avatar.
    #[serde(default)]
    pub icon: Option<MediaId>,
    /// The template the group lives by.
    #[serde(default)]
    pub template_id: Option<String>,
    /// The join link, for apps that DingTalk has granted it to.
    #[serde(default)]
    pub group_url: Option<String>,
    /// 1 normal, 2 disbanded.
    #[serde(default, deserialize_with = "lenient::number")]
    pub status: Option<i64>,
}

impl Endpoint for GetGroupBrief<'_> {
    type Reply = GroupBrief;
    const SPEC: &'static Spec = &Spec {
        id: "scene.get_brief",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroups/query",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
