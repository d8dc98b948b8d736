//! Internal and standard groups.

mod create;
mod create_legacy;
mod get;
mod get_join_link;
mod resolve;
mod set_admins;
mod set_admins_legacy;
mod set_member_nickname;
mod set_private_chat;
mod update;
mod update_legacy;

pub use create::CreateGroup;
pub use create_legacy::CreateGroupLegacy;
pub use get::{ChatInfo, GetGroup, GroupRead};
pub use get_join_link::{GetJoinLink, JoinLink};
pub use resolve::{ResolveGroup, Resolved};
use serde::{Deserialize, Serialize};
pub use set_admins::SetAdmins;
pub use set_admins_legacy::SetAdminsLegacy;
pub use set_member_nickname::SetMemberNickname;
pub use set_private_chat::SetPrivateChat;
pub use update::UpdateGroup;
pub use update_legacy::UpdateGroupLegacy;

use super::{
    id::{ChatId, OpenConversationId},
    lenient,
};

/// `conversationTag` of a standard group.
pub const TAG_STANDARD: i64 = 0;
/// `conversationTag` of an internal group.
pub const TAG_INTERNAL: i64 = 2;

/// What creating answers, in both generations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// The older id. Update and most other calls need it, and nothing documented turns the other id back into it.
    pub chatid: ChatId,
    /// The newer id.
    pub open_conversation_id: OpenConversationId,
    /// The kind that was created.
    #[serde(default, deserialize_with = "lenient::number")]
    pub conversation_tag: Option<i64>,
}

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
