//! `POST /v1.0/im/sceneGroup/create`: creates a group from a template. Snake case throughout, in a call of the new
//! generation. For some seconds after it, calls on the group may answer that there is no access.

use http::Method;
use serde::Serialize;

use super::{Created, ManagementOptions};
use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{MediaId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct CreateGroup<'a> {
    /// At most 30 characters.
    pub title: &'a str,
    /// The template; its app must be this one, and it must be installed.
    pub template_id: &'a str,
    /// The owner, an employee within the app's visible range.
    pub owner_user_id: &'a UserId,
    /// First admins.
    #[serde(rename = "subadmin_ids", skip_serializing_if = "<[_]>::is_empty")]
    pub admin_ids: &'a [UserId],
    /// First members, employees; external people come with [`AddMembers`](super::AddMembers).
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub user_ids: &'a [UserId],
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// By this key DingTalk recognises a repeat: 64 characters or fewer. Optional on the wire, but without it a
    /// repeat makes a second group. What a repeat answers, and for how long, is not documented.
    pub uuid: &'a str,
    /// Settings that differ from DingTalk's defaults: all but `plugin_customize_verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_options: Option<ManagementOptions>,
}

impl Endpoint for CreateGroup<'_> {
    type Reply = Created;
    const SPEC: &'static Spec = &Spec {
        id: "scene.create",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroup/create",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Keyed,
        max_members: Some(999),
        permission: Some("qyapi_chat_manage"),
    };
}
