//! The gateway's own words for groups and people.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::{
    dingtalk::{App, Spec},
    operation::{
        group::OwnerType,
        id::{ChatId, MediaId, OpenConversationId, UnionId, UserId},
    },
};

/// The handle of a group: what is known of its two ids and its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupRef {
    /// The newer id.
    pub open_conversation_id: Option<OpenConversationId>,
    /// The older id.
    pub chat_id: Option<ChatId>,
    /// The kind.
    pub kind: Option<Kind>,
}

impl GroupRef {
    /// The ids there are.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let open_id = self.open_conversation_id.as_ref().map(|id| &id.0);
        open_id.into_iter().chain(self.chat_id.as_ref().map(|id| &id.0)).map(String::as_str)
    }
}

/// What DingTalk distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Members of one organisation.
    Internal,
    /// An ordinary group; only for apps that DingTalk has allowed to.
    Standard,
    /// Made from a template.
    Scenario,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Member {
    /// An employee.
    User(UserId),
    /// Somebody outside the organisation.
    Union(UnionId),
}

/// A group as far as it is known; fields that were not asked for or not answered are empty.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The handle.
    pub group_ref: GroupRef,
    /// The name.
    pub title: Option<String>,
    /// Who owns it.
    pub owner: Option<Member>,
    /// The avatar.
    pub icon: Option<MediaId>,
    /// The template it was made from.
    pub template_id: Option<String>,
    /// Its admins, the owner not among them.
    pub admins: Vec<Member>,
    /// The link by which people join.
    pub join_url: Option<String>,
    /// What is set.
    pub settings: Settings,
    /// How many people are in it.
    pub member_count: Option<usize>,
    /// Whether it still exists.
    pub state: Option<State>,
}

/// The life of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It exists.
    Active,
    /// It is gone; it can be read, not changed.
    Disbanded,
}

/// How a write request ended.
#[derive(Debug, Clone)]
pub enum Outcome<T> {
    /// It was carried out.
    Done(T),
    /// Only a plan was asked for: the upstream calls it would make.
    Planned(Vec<PlannedCall>),
}

/// An upstream call that a validated request would make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCall {
    /// The operation.
    pub operation: &'static str,
    /// How often.
    pub count: usize,
}

impl PlannedCall {
    /// As many calls as it takes for this many members; none for nobody.
    pub(super) fn chunked(app: &App, spec: &Spec, members: usize) -> Vec<Self> {
        let count = members.div_ceil(app.chunk_size(spec));
        let calls = PlannedCall { operation: spec.id, count };
        Some(calls).filter(|calls| calls.count > 0).into_iter().collect()
    }

    pub(super) fn once(spec: &Spec) -> Self {
        PlannedCall { operation: spec.id, count: 1 }
    }
}

impl Member {
    /// The id, of whichever type.
    pub(super) fn id(&self) -> &str {
        match self {
            Member::User(id) => &id.0,
            Member::Union(id) => &id.0,
        }
    }

    /// The id and its type, as owner fields want them.
    pub(super) fn as_owner(&self) -> (&str, OwnerType) {
        match self {
            Member::User(id) => (&id.0, OwnerType::Emp),
            Member::Union(id) => (&id.0, OwnerType::Ext),
        }
    }
}

/// Members in the two lists that DingTalk wants, each once, in the order given.
pub(super) fn split(members: impl IntoIterator<Item = Member>) -> (Vec<UserId>, Vec<UnionId>) {
    let (mut users, mut unions, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for member in members {
        if !seen.insert(member.clone()) {
            continue;
        }
        match member {
            Member::User(id) => users.push(id),
            Member::Union(id) => unions.push(id),
        }
    }
    (users, unions)
}
