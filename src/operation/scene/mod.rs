//! Scenario groups: made from a template, known by their openConversationId.

mod add_members;
mod add_members_legacy;
mod create;
mod create_legacy;
mod delete;
mod get;
mod get_brief;
mod get_mute_status;
mod get_template_robot;
mod list_members;
mod mute_members;
mod remove_members;
mod remove_members_legacy;
mod set_admins;
mod set_member_nickname;
mod update;
mod update_legacy;

pub use add_members::AddMembers;
pub use add_members_legacy::AddMembersLegacy;
pub use create::CreateGroup;
pub use create_legacy::{CreateGroupLegacy, CreatedLegacy};
pub use delete::DeleteGroup;
pub use get::{GetGroup, GroupInfo, GroupRead, ReadOptions};
pub use get_brief::{GetGroupBrief, GroupBrief};
pub use get_mute_status::{GetMuteStatus, MuteStatus, UserMute};
pub use get_template_robot::{GetTemplateRobot, Robot, TemplateRobot};
pub use list_members::{ListMembers, MemberPage};
pub use mute_members::MuteMembers;
pub use remove_members::RemoveMembers;
pub use remove_members_legacy::RemoveMembersLegacy;
use serde::{Deserialize, Serialize};
pub use set_admins::SetAdmins;
pub use set_member_nickname::SetMemberNickname;
pub use update::UpdateGroup;
pub use update_legacy::UpdateGroupLegacy;

use super::id::{ChatId, OpenConversationId};

/// What creating answers, in both generations.
#[derive(Debug, Deserialize)]
pub struct Created {
    /// The id that all calls on scenario groups want.
    pub open_conversation_id: OpenConversationId,
    /// The older id; `chatid` at internal groups.
    #[serde(default)]
    pub chat_id: Option<ChatId>,
}

/// `management_options`: 0 or 1 each. Not every call has all seventeen; those that lack some say which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_friend_forbidden: Option<u8>,
    /// Only effective while `management_type` is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_admin_can_add_mem: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_admin_can_ding: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_admin_can_set_msg_top: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_members_can_create_mcs_conf: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_live_switch: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_members_can_create_calendar: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_email_disabled: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_to_admin_chat: Option<u8>,
    /// Only effective in groups with people from outside the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_quit_when_emp_leave: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_customize_verify: Option<u8>,
}
