//! `POST /v1.0/im/sceneGroups/members/batchQuery`: the members of a scenario group. The page size is a hint: up to
//! 1000 members come in one page whatever is asked for. Another read that needs the permission to manage.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{
    dingtalk::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UnionId, UserId},
        lenient,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMembers<'a> {
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// Required. No maximum is documented here; the general page on paging asks for at most 500.
    pub max_results: i64,
    /// From the page before; absent for the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<&'a str>,
}

/// The reply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberPage {
    /// Whether there is another page. The documentation's example has a `next_token` on its last page: only this
    /// flag says when to stop.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub has_more: Option<bool>,
    /// Leads to the next page.
    #[serde(default)]
    pub next_token: Option<String>,
    /// Employees.
    #[serde(default, rename = "memberUserIds", deserialize_with = "lenient::collection")]
    pub user_ids: Vec<UserId>,
    /// Their names.
    #[serde(default, rename = "staffIdNickMap", deserialize_with = "lenient::collection")]
    pub user_names: BTreeMap<UserId, String>,
    /// People from outside the organisation.
    #[serde(default, rename = "unionIdList", deserialize_with = "lenient::collection")]
    pub union_ids: Vec<UnionId>,
    /// Their names; the documentation says "of organisation members" here too, the keys say otherwise.
    #[serde(default, rename = "unionIdNickMap", deserialize_with = "lenient::collection")]
    pub union_names: BTreeMap<UnionId, String>,
}

impl Endpoint for ListMembers<'_> {
    type Reply = MemberPage;
    const SPEC: &'static Spec = &Spec {
        id: "scene.members.list",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/im/sceneGroups/members/batchQuery",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_chat_manage"),
    };
}
