//! `POST /topapi/im/chat/scenegroup/create`: the older form of creating a group from a template. Settings lie flat
//! in the body, lists are joined by commas. Closed to new apps.

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Created, ManagementOptions};
use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{MediaId, UserId},
        joined,
    },
};

/// The request.
#[derive(Debug, Serialize)]
pub struct CreateGroupLegacy<'a> {
    /// At most 30 characters.
    pub title: &'a str,
    /// The template; its app must be this one, and it must be installed.
    pub template_id: &'a str,
    /// The owner, an employee within the app's visible range.
    pub owner_user_id: &'a UserId,
    /// First admins, joined by commas.
    #[serde(
        rename = "subadmin_ids",
        serialize_with = "joined::commas",
        skip_serializing_if = "<[_]>::is_empty"
    )]
    pub admin_ids: &'a [UserId],
    /// First members, joined by commas.
    #[serde(serialize_with = "joined::commas", skip_serializing_if = "<[_]>::is_empty")]
    pub user_ids: &'a [UserId],
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// By this key DingTalk recognises a repeat; as in [`CreateGroup`](super::CreateGroup).
    pub uuid: &'a str,
    /// Settings that differ from DingTalk's defaults: all but `not_quit_when_emp_leave`, `only_admin_can_add_mem` and
    /// `plugin_customize_verify`.
    #[serde(flatten)]
    pub management_options: ManagementOptions,
}

/// The reply.
#[derive(Debug, Deserialize)]
pub struct CreatedLegacy {
    /// What the newer form answers without this envelope.
    pub result: Created,
}

impl Endpoint for CreateGroupLegacy<'_> {
    type Reply = CreatedLegacy;
    const SPEC: &'static Spec = &Spec {
        id: "scene.create_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scenegroup/create",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Keyed,
        max_members: Some(999),
        permission: Some("qyapi_chat_manage"),
    };
}
