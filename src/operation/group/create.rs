//! `POST /v1.0/im/group/create`: creates an internal group, or a standard one for apps that DingTalk has allowed to.
//! There is no idempotency key: a second request makes a second group.

use http::Method;
use serde::Serialize;

use super::{Created, ManagementOptions, OwnerType};
use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{MediaId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateGroup<'a> {
    /// 1 to 20 characters.
    pub name: &'a str,
    /// userId or unionId, by `owner_type`.
    pub owner: &'a str,
    /// What `owner` is.
    pub owner_type: OwnerType,
    /// Employees. Must contain an owner who is an employee.
    #[serde(rename = "useridlist")]
    pub user_ids: &'a [UserId],
    /// External contacts.
    #[serde(rename = "extidlist", skip_serializing_if = "<[_]>::is_empty")]
    pub union_ids: &'a [UnionId],
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// [`TAG_INTERNAL`](super::TAG_INTERNAL) or [`TAG_STANDARD`](super::TAG_STANDARD).
    pub conversation_tag: i64,
    /// Settings that differ from DingTalk's defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_options: Option<ManagementOptions>,
}

impl Endpoint for CreateGroup<'_> {
    type Reply = Created;
    const SPEC: &'static Spec = &Spec {
        id: "group.create",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/group/create",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Once,
        max_members: Some(40),
        permission: Some("qyapi_chat_manage"),
    };
}
