//! `POST /v1.0/im/chat/scenegroup/disband`: disbands a scenario group for good. The path spells `scenegroup` in
//! lower case, unlike its neighbours. For internal apps only; no other kind of group can be disbanded.

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::OpenConversationId,
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteGroup<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
}

impl Endpoint for DeleteGroup<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "scene.disband",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/chat/scenegroup/disband",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Set,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
