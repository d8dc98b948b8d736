//! `POST /v1.0/im/group/update`: changes name, owner, avatar, settings and members. Three spelling styles in one body,
//! and no openConversationId anywhere: the call wants the chatid.

use http::Method;
use serde::Serialize;

use super::{ManagementOptions, OwnerType};
use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{ChatId, MediaId, UnionId, UserId},
};

/// The request. What is left out stays as it is, except inside `management_options`: send all six of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateGroup<'a> {
    /// Which group.
    pub chatid: &'a ChatId,
    /// 1 to 20 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// The new owner, a member already: userId or unionId, by `owner_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
    /// What `owner` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_type: Option<OwnerType>,
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// All six settings: DingTalk documents at least one of them as reset when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_options: Option<ManagementOptions>,
    /// Employees to add.
    #[serde(rename = "add_useridlist", skip_serializing_if = "<[_]>::is_empty")]
    pub add_user_ids: &'a [UserId],
    /// External contacts to add.
    #[serde(rename = "add_extidlist", skip_serializing_if = "<[_]>::is_empty")]
    pub add_union_ids: &'a [UnionId],
    /// Employees to remove; nobody may be in both lists (error 49004 of the older form).
    #[serde(rename = "del_useridlist", skip_serializing_if = "<[_]>::is_empty")]
    pub del_user_ids: &'a [UserId],
    /// External contacts to remove.
    #[serde(rename = "del_extidlist", skip_serializing_if = "<[_]>::is_empty")]
    pub del_union_ids: &'a [UnionId],
}

impl<'a> UpdateGroup<'a> {
    /// Changes nothing yet.
    pub fn of(chatid: &'a ChatId) -> Self {
        UpdateGroup {
            chatid,
            name: None,
            owner: None,
            owner_type: None,
            icon: None,
            management_options: None,
            add_user_ids: &[],
            add_union_ids: &[],
            del_user_ids: &[],
            del_union_ids: &[],
        }
    }
}

impl Endpoint for UpdateGroup<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "group.update",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/group/update",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(40),
        permission: Some("qyapi_chat_manage"),
    };
}
