//! `POST /topapi/im/chat/scenegroup/get`: name, owner, admins, join link and six settings of a scenario group. The
//! settings are strings here, though they are written as numbers; the others cannot be read back.

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
pub struct GetGroup<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
}

/// The reply.
#[derive(Debug, Deserialize)]
pub struct GroupRead {
    /// The group.
    pub result: GroupInfo,
}

/// The group as DingTalk tells it.
#[derive(Debug, Deserialize)]
pub struct GroupInfo {
    /// The name.
    #[serde(default)]
    pub title: Option<String>,
    /// The owner, where an employee.
    #[serde(default, rename = "owner_staff_id")]
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
    /// The admins, employees only.
    #[serde(default, rename = "sub_admin_staff_ids", deserialize_with = "lenient::collection")]
    pub admin_ids: Vec<UserId>,
    /// How many members; in the SDK only.
    #[serde(default, deserialize_with = "lenient::number")]
    pub member_amount: Option<i64>,
    /// The settings that can be read.
    #[serde(default, deserialize_with = "lenient::collection")]
    pub management_options: ReadOptions,
}

/// The six settings that can be read; what the numbers mean is in `group/settings.rs`.
#[derive(Debug, Default, Deserialize)]
#[allow(missing_docs, reason = "DingTalk's names")]
pub struct ReadOptions {
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
        id: "scene.get_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scenegroup/get",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_read"),
    };
}
