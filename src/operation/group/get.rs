//! `GET /chat/get`: settings and all members of a group, by chatid. A disbanded group is a success with `status` 2.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{ChatId, MediaId, UnionId, UserId},
        lenient,
    },
};

/// The request.
#[derive(Debug, Serialize)]
pub struct GetGroup<'a> {
    /// Which group.
    pub chatid: &'a ChatId,
}

/// The reply.
#[derive(Debug, Deserialize)]
pub struct GroupRead {
    /// The group.
    pub chat_info: ChatInfo,
}

/// The group as DingTalk tells it; what the numbers mean is in `group/settings.rs`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "DingTalk's names")]
pub struct ChatInfo {
    pub name: String,
    pub owner: String,
    #[serde(default)]
    pub icon: Option<MediaId>,
    #[serde(default, rename = "useridlist")]
    pub user_ids: Vec<UserId>,
    #[serde(default, rename = "extidlist")]
    pub union_ids: Vec<UnionId>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub conversation_tag: Option<i64>,
    /// 1 normal, 2 disbanded.
    #[serde(default, deserialize_with = "lenient::number")]
    pub status: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub mention_all_authority: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub management_type: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub show_history_type: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub validation_type: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub searchable: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub chat_banned_type: Option<i64>,
}

impl Endpoint for GetGroup<'_> {
    type Reply = GroupRead;
    const SPEC: &'static Spec = &Spec {
        id: "group.get_legacy",
        generation: Generation::Legacy,
        method: Method::GET,
        path: "/chat/get",
        params: Params::Query,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_read"),
    };
}
