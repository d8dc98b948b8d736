//! The settings of a group: DingTalk's integers with mixed polarity, told in two kinds of choices. One table holds
//! what each 1 means and which groups know the setting.

use strum::{EnumCount, EnumIter, IntoEnumIterator};

use super::model::Kind;
use crate::operation::{
    group::{ChatInfo, ManagementOptions},
    scene,
};

/// A setting, in the order of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, EnumCount)]
#[allow(missing_docs, reason = "documented in group.proto, message GroupSettings")]
pub enum Setting {
    MentionAll,
    Manage,
    HistoryForNewMembers,
    JoinApproval,
    Searchable,
    MuteAll,
    PrivateChat,
    AddMembers,
    SendDing,
    PinMessage,
    StartMeeting,
    StartLive,
    StrangersCalendar,
    GroupEmail,
    ChatWithManagers,
    StayAfterLeavingOrg,
    EntryApproval,
}

/// What a setting can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "documented in group.proto, enums Audience and Toggle")]
pub enum Choice {
    Everyone,
    Managers,
    Enabled,
    Disabled,
}

/// The settings that are stated; the others are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Settings([Option<Choice>; Setting::COUNT]);

/// The six that internal and standard groups take in one object, and give back.
pub(super) const ORDINARY: [Setting; 6] = [
    Setting::MentionAll,
    Setting::Manage,
    Setting::HistoryForNewMembers,
    Setting::JoinApproval,
    Setting::Searchable,
    Setting::MuteAll,
];

impl Setting {
    /// The name of the field, in the contract and in update masks.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// The setting of a field name.
    pub fn of_name(name: &str) -> Option<Setting> {
        Setting::iter().find(|setting| setting.name() == name)
    }

    /// (field name, what 1 means on the wire, what 0 means). Source: DingTalk's field tables; the six ordinary ones
    /// hold for both generations.
    fn facts(self) -> (&'static str, Choice, Choice) {
        use Choice::{Disabled, Enabled, Everyone, Managers};
        match self {
            Setting::MentionAll => ("mention_all", Managers, Everyone),
            Setting::Manage => ("manage", Managers, Everyone),
            Setting::HistoryForNewMembers => ("history_for_new_members", Enabled, Disabled),
            Setting::JoinApproval => ("join_approval", Enabled, Disabled),
            Setting::Searchable => ("searchable", Enabled, Disabled),
            Setting::MuteAll => ("mute_all", Enabled, Disabled),
            Setting::PrivateChat => ("private_chat", Disabled, Enabled),
            Setting::AddMembers => ("add_members", Managers, Everyone),
            Setting::SendDing => ("send_ding", Managers, Everyone),
            Setting::PinMessage => ("pin_message", Managers, Everyone),
            Setting::StartMeeting => ("start_meeting", Everyone, Managers),
            Setting::StartLive => ("start_live", Everyone, Managers),
            Setting::StrangersCalendar => ("strangers_calendar", Enabled, Disabled),
            Setting::GroupEmail => ("group_email", Disabled, Enabled),
            Setting::ChatWithManagers => ("chat_with_managers", Disabled, Enabled),
            Setting::StayAfterLeavingOrg => ("stay_after_leaving_org", Enabled, Disabled),
            Setting::EntryApproval => ("entry_approval", Enabled, Disabled),
        }
    }

    /// Why this setting cannot be set on a group of this kind, if it cannot.
    pub(super) fn refusal(self, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::Scenario => None,
            Kind::Internal | Kind::Standard if self == Setting::PrivateChat || ORDINARY.contains(&self) => {
                None
            }
            Kind::Internal | Kind::Standard => Some("is a setting of scenario groups only"),
        }
    }

    fn to_wire(self, choice: Choice) -> u8 {
        u8::from(choice == self.facts().1)
    }

    fn of_wire(self, value: i64) -> Option<Choice> {
        let (_, one, zero) = self.facts();
        match value {
            0 => Some(zero),
            1 => Some(one),
            _ => None,
        }
    }
}

impl Settings {
    /// What is stated for a setting.
    pub fn get(&self, setting: Setting) -> Option<Choice> {
        self.0[setting as usize]
    }

    /// States a setting.
    pub fn set(&mut self, setting: Setting, choice: Choice) {
        self.0[setting as usize] = Some(choice);
    }

    /// The stated settings.
    pub fn stated(&self) -> impl Iterator<Item = Setting> + '_ {
        Setting::iter().filter(|setting| self.get(*setting).is_some())
    }

    /// These, and where they are silent the others.
    pub fn or(&self, others: &Settings) -> Settings {
        let mut merged = others.clone();
        for setting in Setting::iter() {
            if let Some(choice) = self.get(setting) {
                merged.set(setting, choice);
            }
        }
        merged
    }

    /// Whether nothing would be left to DingTalk's reset of absent values.
    pub(super) fn has_all_ordinary(&self) -> bool {
        ORDINARY.iter().all(|setting| self.get(*setting).is_some())
    }

    pub(super) fn to_scene_options(&self) -> scene::ManagementOptions {
        let wire = |setting: Setting| self.get(setting).map(|choice| setting.to_wire(choice));
        scene::ManagementOptions {
            mention_all_authority: wire(Setting::MentionAll),
            management_type: wire(Setting::Manage),
            show_history_type: wire(Setting::HistoryForNewMembers),
            validation_type: wire(Setting::JoinApproval),
            searchable: wire(Setting::Searchable),
            chat_banned_type: wire(Setting::MuteAll),
            add_friend_forbidden: wire(Setting::PrivateChat),
            only_admin_can_add_mem: wire(Setting::AddMembers),
            only_admin_can_ding: wire(Setting::SendDing),
            only_admin_can_set_msg_top: wire(Setting::PinMessage),
            all_members_can_create_mcs_conf: wire(Setting::StartMeeting),
            group_live_switch: wire(Setting::StartLive),
            all_members_can_create_calendar: wire(Setting::StrangersCalendar),
            group_email_disabled: wire(Setting::GroupEmail),
            members_to_admin_chat: wire(Setting::ChatWithManagers),
            not_quit_when_emp_leave: wire(Setting::StayAfterLeavingOrg),
            plugin_customize_verify: wire(Setting::EntryApproval),
        }
    }

    pub(super) fn to_options(&self) -> ManagementOptions {
        let wire = |setting: Setting| self.get(setting).map(|choice| setting.to_wire(choice));
        ManagementOptions {
            mention_all_authority: wire(Setting::MentionAll),
            management_type: wire(Setting::Manage),
            show_history_type: wire(Setting::HistoryForNewMembers),
            validation_type: wire(Setting::JoinApproval),
            searchable: wire(Setting::Searchable),
            chat_banned_type: wire(Setting::MuteAll),
        }
    }
}

impl From<&scene::ReadOptions> for Settings {
    fn from(options: &scene::ReadOptions) -> Self {
        Settings::of_ordinary([
            options.mention_all_authority,
            options.management_type,
            options.show_history_type,
            options.validation_type,
            options.searchable,
            options.chat_banned_type,
        ])
    }
}

impl From<&ChatInfo> for Settings {
    fn from(info: &ChatInfo) -> Self {
        Settings::of_ordinary([
            info.mention_all_authority,
            info.management_type,
            info.show_history_type,
            info.validation_type,
            info.searchable,
            info.chat_banned_type,
        ])
    }
}

impl Settings {
    /// From the values of [`ORDINARY`], as DingTalk has them; both generations give back these six.
    fn of_ordinary(values: [Option<i64>; 6]) -> Self {
        let mut settings = Settings::default();
        for (setting, value) in ORDINARY.into_iter().zip(values) {
            if let Some(choice) = value.and_then(|value| setting.of_wire(value)) {
                settings.set(setting, choice);
            }
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_survives_the_wire_in_both_positions() {
        for setting in Setting::iter() {
            for value in [0, 1] {
                let choice = setting.of_wire(value).expect("0 and 1 are defined");
                assert_eq!(i64::from(setting.to_wire(choice)), value, "{}", setting.name());
            }
            assert_eq!(setting.of_wire(2), None);
        }
    }

    #[test]
    fn inverted_switches_are_inverted() {
        assert_eq!(Setting::PrivateChat.of_wire(1), Some(Choice::Disabled));
        assert_eq!(Setting::StartLive.of_wire(1), Some(Choice::Everyone));
        assert_eq!(Setting::MentionAll.of_wire(1), Some(Choice::Managers));
        assert_eq!(Setting::JoinApproval.of_wire(1), Some(Choice::Enabled));
    }
}
