//! Behaviour that DingTalk's documents leave open or state in one place only, and its limits: all can be set.

use serde::{Deserialize, Serialize};

/// Switches; `limits` has the numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// A `managementOptions` object without `showHistoryType` sets that one to 0 on update, as the page of
    /// `group/update` says.
    pub reset_absent_settings: bool,
    /// Adding a member and removing a stranger are errors; otherwise they change nothing.
    pub strict_members: bool,
    /// A second scenario group with the same `uuid` is refused; otherwise the answer is the first group.
    pub uuid_repeat_is_error: bool,
    /// How long a `uuid` is remembered.
    pub uuid_window_seconds: u64,
    /// How long a new scenario group refuses every call.
    pub create_lag_ms: u64,
    /// Whether the robots of the template are among the members listed.
    pub list_robots: bool,
    /// A text with one of these words is refused.
    pub forbidden_words: Vec<String>,
    /// How much of each at most.
    pub limits: Limits,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            reset_absent_settings: true,
            strict_members: false,
            uuid_repeat_is_error: false,
            uuid_window_seconds: 24 * 60 * 60,
            create_lag_ms: 0,
            list_robots: false,
            forbidden_words: vec!["敏感词".to_owned()],
            limits: Limits::default(),
        }
    }
}

/// The limits of one call and of one group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Members of a group, people outside the organization included.
    pub members_per_group: usize,
    /// Users in one create or update call of an ordinary group.
    pub group_users_per_call: usize,
    /// Users (and as many people outside) in one add or remove call of a scenario group.
    pub scene_users_per_call: usize,
    /// Members, and admins, in the call that creates a scenario group.
    pub scene_first_members: usize,
    /// Users (and as many people outside) in one admin call.
    pub admins_per_call: usize,
    /// Admins of a group. DingTalk publishes no number.
    pub admins_per_group: usize,
    /// Users (and as many people outside) in one mute call.
    pub mutes_per_call: usize,
    /// Up to so many members come in one page, whatever size is asked for.
    pub members_page: usize,
    /// Open pinned cards of a conversation.
    pub cards_per_group: usize,
    /// Users (and as many people outside) a pinned card is shown to.
    pub card_receivers: usize,
    /// People to mention in an assistant message, by each kind of id.
    pub mentions_per_message: usize,
    /// People who see an assistant message, by each kind of id.
    pub message_receivers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            members_per_group: 1000,
            group_users_per_call: 40,
            scene_users_per_call: 100,
            scene_first_members: 999,
            admins_per_call: 12,
            admins_per_group: 100,
            mutes_per_call: 999,
            members_page: 1000,
            cards_per_group: 10,
            card_receivers: 100,
            mentions_per_message: 50,
            message_receivers: 999,
        }
    }
}
