//! `GET /v1.0/im/sceneGroups/templates/robots`: who a robot of the template is in a group. One robot a call, in
//! spite of the plural; both parameters are documented as optional, but an empty one is an error.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::id::{OpenConversationId, UnionId, UserId},
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTemplateRobot<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The robot's code, from the developer console.
    pub robot_code: &'a str,
}

/// The reply.
#[derive(Debug, Deserialize)]
pub struct TemplateRobot {
    /// The robot.
    pub result: Robot,
}

/// A robot as a member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Robot {
    /// Its userId.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// Its unionId, only where it has no userId.
    #[serde(default)]
    pub union_id: Option<UnionId>,
}

impl Endpoint for GetTemplateRobot<'_> {
    type Reply = TemplateRobot;
    const SPEC: &'static Spec = &Spec {
        id: "scene.template_robot.get",
        generation: Generation::New,
        method: Method::GET,
        path: "/v1.0/im/sceneGroups/templates/robots",
        params: Params::Query,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
