//! `POST /topapi/im/chat/scenegroup/update`: the older form of changing name, avatar, owner and settings. Settings
//! lie flat in the body. Closed to new apps.

use http::Method;
use serde::Serialize;

use super::ManagementOptions;
use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{MediaId, OpenConversationId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
pub struct UpdateGroupLegacy<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// At most 30 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// The avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<&'a MediaId>,
    /// The new owner; only employees can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_user_id: Option<&'a UserId>,
    /// The settings to change: all but `not_quit_when_emp_leave` and `only_admin_can_add_mem`.
    #[serde(flatten)]
    pub management_options: ManagementOptions,
}

impl Endpoint for UpdateGroupLegacy<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.update_legacy",
        generation: Generation::Legacy,
        method: Method::POST,
        path: "/topapi/im/chat/scenegroup/update",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
