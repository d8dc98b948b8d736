//! `POST /v1.0/im/subAdministrators`: makes employees admins of an internal group, or takes the role away. It
//! wants the openConversationId, where update and nickname of the same groups want the chatid. Success is the string
//! `"true"`, in the documentation and in the SDKs.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UserId},
        role::Role,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAdmins<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// What they become.
    pub role: Role,
    /// The employees; there is no field for external contacts.
    pub user_ids: &'a [UserId],
}

impl Endpoint for SetAdmins<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "group.admins.set",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/subAdministrators",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: Some(12),
        permission: Some("qyapi_chat_manage"),
    };
}
