//! Internal and standard groups.

mod create;
mod get;
mod get_join_link;
mod resolve;
mod set_private_chat;
mod update;

pub use create::{CreateGroup, Created};
pub use get::{ChatInfo, GetGroup, GroupRead};
pub use get_join_link::{GetJoinLink, JoinLink};
pub use resolve::{ResolveGroup, Resolved};
use serde::Serialize;
pub use set_private_chat::SetPrivateChat;
pub use update::UpdateGroup;

/// `conversationTag` of a standard group.
pub const TAG_STANDARD: i64 = 0;
/// `conversationTag` of an internal group.
pub const TAG_INTERNAL: i64 = 2;

/// `ownerType`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerType {
    /// An employee, by userId.
    Emp,
    /// An external contact, by unionId.
    Ext,
}

/// `managementOptions`: 0 or 1 each. The documentation prints them flat, its own example and all SDKs nest them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "DingTalk's names; what they mean is in group/settings.rs")]
pub struct ManagementOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mention_all_authority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_history_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub searchable: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_banned_type: Option<u8>,
}
