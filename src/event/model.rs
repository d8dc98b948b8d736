//! What happened, in the gateway's own words.

use serde::{Deserialize, Serialize};

use crate::{group::GroupRef, group::Member};

/// Something that happened in a group, as DingTalk told it. Whatever it did not tell is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// DingTalk's id of the event, the same when it is pushed again; made of the content where there is none.
    pub id: String,
    /// DingTalk's name of the type, such as `chat_add_member`.
    pub type_name: String,
    /// The ids of the group. Both are empty for events that are about no group.
    pub group: GroupRef,
    /// Who did it.
    pub operator: Option<Member>,
    /// When it happened by DingTalk's clock, in milliseconds since 1970; 0 where it did not say.
    pub happened: u64,
    /// What happened.
    pub change: Change,
}

/// What happened in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// People were added.
    MembersAdded(Vec<Member>),
    /// People were removed by somebody.
    MembersRemoved(Vec<Member>),
    /// Somebody left.
    MemberQuit(Option<Member>),
    /// The group has another owner.
    OwnerChanged(Option<Member>),
    /// The group has another name.
    TitleChanged(String),
    /// The group is no more.
    GroupDisbanded,
    /// Something that we have no words for: what DingTalk sent, as JSON text.
    Other(String),
}
