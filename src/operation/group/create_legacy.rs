//! `POST /chat/create`: the older form of creating an internal group. Settings lie flat in the body. Owner kind,
//! external contacts, avatar and tag are in the SDK only. There is no idempotency key. Closed to new apps.

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
pub struct CreateGroupLegacy<'a> {
    /// 1 to 20 characters.
    pub name: &'a str,
    /// userId or unionId, by `owner_type`.
    pub owner: &'a str,
    /// What `owner` is.
    pub owner_type: OwnerType,
    /// Employees. Must contain an owner who is an employee (error 49006).
    #[serde(rename = "useridlist")]
    pub user_ids: &'a [UserId],
    /// External contacts; an internal group takes none (error 49009).
    #[serde(rename = "extidlist", skip_serializing_if = "<[_]>::is_empty")]
    pub union_ids: &'a [UnionId],
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// [`TAG_INTERNAL`](super::TAG_INTERNAL) or [`TAG_STANDARD`](super::TAG_STANDARD).
    pub conversation_tag: i64,
    /// Settings that differ from DingTalk's defaults.
    #[serde(flatten)]
    pub management_options: ManagementOptions,
}

impl Endpoint for CreateGroupLegacy<'_> {
    type Reply = Created;
    const SPEC: &'static Spec = &Spec {
        id: "group.create_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/chat/create",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Once,
        max_members: Some(40),
        permission: Some("qyapi_chat_manage"),
    };
}
