//! `POST /v1.0/im/sceneGroup/update`: changes name, avatar, owner and settings of a scenario group. Members are not
//! changed here. Whether a setting that is left out stays is not stated; the page of the older form marks each as
//! not required.

use http::Method;
use serde::Serialize;

use super::ManagementOptions;
use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{MediaId, OpenConversationId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct UpdateGroup<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// At most 30 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// The new owner, an employee. Which of the two owners wins when both are given is not stated: give one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_user_id: Option<&'a UserId>,
    /// The new owner, from outside the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_union_id: Option<&'a UnionId>,
    /// The settings to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_options: Option<ManagementOptions>,
}

impl Endpoint for UpdateGroup<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.update",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroup/update",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
