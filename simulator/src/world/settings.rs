//! The settings of groups, and changes of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Group;

/// The settings of a scenario group beside the six of [`Settings`] and `add_friend_forbidden`, with their defaults.
const SCENE_SETTINGS: [(&str, u8); 10] = [
    ("all_members_can_create_calendar", 0),
    ("all_members_can_create_mcs_conf", 1),
    ("group_email_disabled", 0),
    ("group_live_switch", 1),
    ("members_to_admin_chat", 0),
    ("not_quit_when_emp_leave", 0),
    ("only_admin_can_add_mem", 0),
    ("only_admin_can_ding", 0),
    ("only_admin_can_set_msg_top", 0),
    ("plugin_customize_verify", 0),
];

/// The settings every group has, each 0 or 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "DingTalk's own names; the operation reference explains them")]
pub struct Settings {
    pub searchable: u8,
    pub validation_type: u8,
    pub mention_all_authority: u8,
    pub management_type: u8,
    pub chat_banned_type: u8,
    pub show_history_type: u8,
}

/// The settings a request for an ordinary group names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsPatch {
    pub(crate) searchable: Option<u8>,
    pub(crate) validation_type: Option<u8>,
    pub(crate) mention_all_authority: Option<u8>,
    pub(crate) management_type: Option<u8>,
    pub(crate) chat_banned_type: Option<u8>,
    pub(crate) show_history_type: Option<u8>,
}

impl SettingsPatch {
    pub(super) fn over(self, old: Settings) -> Settings {
        Settings {
            searchable: self.searchable.unwrap_or(old.searchable),
            validation_type: self.validation_type.unwrap_or(old.validation_type),
            mention_all_authority: self.mention_all_authority.unwrap_or(old.mention_all_authority),
            management_type: self.management_type.unwrap_or(old.management_type),
            chat_banned_type: self.chat_banned_type.unwrap_or(old.chat_banned_type),
            show_history_type: self.show_history_type.unwrap_or(old.show_history_type),
        }
    }
}

/// The settings a request for a scenario group names, by wire name.
pub(crate) type SceneSettingsPatch = BTreeMap<String, u8>;

impl Settings {
    /// The six by the names they have in scenario groups.
    pub(crate) fn snake_case(self) -> [(&'static str, u8); 6] {
        [
            ("searchable", self.searchable),
            ("validation_type", self.validation_type),
            ("mention_all_authority", self.mention_all_authority),
            ("management_type", self.management_type),
            ("chat_banned_type", self.chat_banned_type),
            ("show_history_type", self.show_history_type),
        ]
    }

    fn by_snake_case(&mut self, name: &str) -> Option<&mut u8> {
        Some(match name {
            "searchable" => &mut self.searchable,
            "validation_type" => &mut self.validation_type,
            "mention_all_authority" => &mut self.mention_all_authority,
            "management_type" => &mut self.management_type,
            "chat_banned_type" => &mut self.chat_banned_type,
            "show_history_type" => &mut self.show_history_type,
            _ => return None,
        })
    }
}

impl Group {
    /// What a template brings besides its robots.
    pub(super) fn take_scene_defaults(&mut self) {
        self.scene_settings = BTreeMap::from(SCENE_SETTINGS);
    }

    /// Settings that are not named stay as they are.
    pub(super) fn change_scene_settings(&mut self, patch: &SceneSettingsPatch) {
        for (name, value) in patch {
            if name == "add_friend_forbidden" {
                self.private_chat_prohibited = *value == 1;
            } else if let Some(setting) = self.settings.by_snake_case(name) {
                *setting = *value;
            } else if let Some((known, _)) = SCENE_SETTINGS.iter().find(|(known, _)| known == name) {
                self.scene_settings.insert(known, *value);
            }
        }
    }
}
