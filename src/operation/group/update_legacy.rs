//! `POST /chat/update`: the older form of changing name, owner, avatar, settings and members. Settings lie flat in
//! the body. Its example answers `errcode` as the string `"0"`. Closed to new apps.

use http::Method;
use serde::Serialize;

use super::{ManagementOptions, OwnerType};
use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{ChatId, MediaId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateGroupLegacy<'a> {
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
    /// The settings to change.
    #[serde(flatten)]
    pub management_options: ManagementOptions,
    /// Employees to add.
    #[serde(rename = "add_useridlist", skip_serializing_if = "<[_]>::is_empty")]
    pub add_user_ids: &'a [UserId],
    /// External contacts to add.
    #[serde(rename = "add_extidlist", skip_serializing_if = "<[_]>::is_empty")]
    pub add_union_ids: &'a [UnionId],
    /// Employees to remove; nobody may be in both lists (error 49004).
    #[serde(rename = "del_useridlist", skip_serializing_if = "<[_]>::is_empty")]
    pub del_user_ids: &'a [UserId],
    /// External contacts to remove.
    #[serde(rename = "del_extidlist", skip_serializing_if = "<[_]>::is_empty")]
    pub del_union_ids: &'a [UnionId],
}

impl<'a> UpdateGroupLegacy<'a> {
    /// Changes nothing yet.
    pub fn of(chatid: &'a ChatId) -> Self {
        UpdateGroupLegacy {
            chatid,
            name: None,
            owner: None,
            owner_type: None,
            icon: None,
            management_options: ManagementOptions::default(),
            add_user_ids: &[],
            add_union_ids: &[],
            del_user_ids: &[],
            del_union_ids: &[],
        }
    }
}

impl Endpoint for UpdateGroupLegacy<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "group.update_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/chat/update",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(40),
        permission: Some("qyapi_chat_manage"),
    };
}
