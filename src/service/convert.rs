//! Between the messages of the contract and the gateway's own words. Decoding cannot fail: what is not acceptable
//! has been reported by `check.rs` before its result is used.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use prost_types::Timestamp;

use crate::{
    group::{Choice, Group, GroupRef, Kind, Member, Params, PlannedCall, Setting, Settings, State, SyncPlan},
    operation::id::{ChatId, MediaId, OpenConversationId, UnionId, UserId},
    pb::group as pb,
};

fn some<T>(raw: &str, id: impl FnOnce(String) -> T) -> Option<T> {
    (!raw.is_empty()).then(|| id(raw.to_owned()))
}

pub(super) fn media_id(raw: &str) -> Option<MediaId> {
    some(raw, MediaId)
}

pub(super) fn group_ref(message: &pb::GroupRef) -> GroupRef {
    GroupRef {
        open_conversation_id: some(&message.open_conversation_id, OpenConversationId),
        chat_id: some(&message.chat_id, ChatId),
        kind: match message.kind() {
            pb::GroupKind::Unspecified => None,
            pb::GroupKind::Internal => Some(Kind::Internal),
            pb::GroupKind::Standard => Some(Kind::Standard),
            pb::GroupKind::Scenario => Some(Kind::Scenario),
        },
    }
}

pub(super) fn group_ref_of(message: &Option<pb::GroupRef>) -> GroupRef {
    message.as_ref().map(group_ref).unwrap_or_default()
}

pub(super) fn group_ref_to_pb(group: GroupRef) -> pb::GroupRef {
    let kind = match group.kind {
        None => pb::GroupKind::Unspecified,
        Some(Kind::Internal) => pb::GroupKind::Internal,
        Some(Kind::Standard) => pb::GroupKind::Standard,
        Some(Kind::Scenario) => pb::GroupKind::Scenario,
    };
    pb::GroupRef {
        open_conversation_id: group.open_conversation_id.map(|id| id.0).unwrap_or_default(),
        chat_id: group.chat_id.map(|id| id.0).unwrap_or_default(),
        kind: kind.into(),
    }
}

pub(super) fn member(message: &pb::MemberRef) -> Option<Member> {
    Some(match message.id.as_ref()? {
        pb::member_ref::Id::UserId(id) => Member::User(UserId(id.clone())),
        pb::member_ref::Id::UnionId(id) => Member::Union(UnionId(id.clone())),
    })
}

pub(super) fn member_to_pb(member: Member) -> pb::MemberRef {
    let id = match member {
        Member::User(id) => pb::member_ref::Id::UserId(id.0),
        Member::Union(id) => pb::member_ref::Id::UnionId(id.0),
    };
    pb::MemberRef { id: Some(id) }
}

fn audience(choice: pb::Audience) -> Option<Choice> {
    match choice {
        pb::Audience::Unspecified => None,
        pb::Audience::Everyone => Some(Choice::Everyone),
        pb::Audience::Managers => Some(Choice::Managers),
    }
}

fn toggle(choice: pb::Toggle) -> Option<Choice> {
    match choice {
        pb::Toggle::Unspecified => None,
        pb::Toggle::Enabled => Some(Choice::Enabled),
        pb::Toggle::Disabled => Some(Choice::Disabled),
    }
}

pub(super) fn settings(message: &pb::GroupSettings) -> Settings {
    let mut settings = Settings::default();
    for (setting, choice) in [
        (Setting::MentionAll, audience(message.mention_all())),
        (Setting::Manage, audience(message.manage())),
        (Setting::HistoryForNewMembers, toggle(message.history_for_new_members())),
        (Setting::JoinApproval, toggle(message.join_approval())),
        (Setting::Searchable, toggle(message.searchable())),
        (Setting::MuteAll, toggle(message.mute_all())),
        (Setting::PrivateChat, toggle(message.private_chat())),
        (Setting::AddMembers, audience(message.add_members())),
        (Setting::SendDing, audience(message.send_ding())),
        (Setting::PinMessage, audience(message.pin_message())),
        (Setting::StartMeeting, audience(message.start_meeting())),
        (Setting::StartLive, audience(message.start_live())),
        (Setting::StrangersCalendar, toggle(message.strangers_calendar())),
        (Setting::GroupEmail, toggle(message.group_email())),
        (Setting::ChatWithManagers, toggle(message.chat_with_managers())),
        (Setting::StayAfterLeavingOrg, toggle(message.stay_after_leaving_org())),
        (Setting::EntryApproval, toggle(message.entry_approval())),
    ] {
        if let Some(choice) = choice {
            settings.set(setting, choice);
        }
    }
    settings
}

fn settings_to_pb(settings: &Settings) -> pb::GroupSettings {
    let audience = |setting| match settings.get(setting) {
        Some(Choice::Everyone) => pb::Audience::Everyone.into(),
        Some(Choice::Managers) => pb::Audience::Managers.into(),
        _ => pb::Audience::Unspecified.into(),
    };
    let toggle = |setting| match settings.get(setting) {
        Some(Choice::Enabled) => pb::Toggle::Enabled.into(),
        Some(Choice::Disabled) => pb::Toggle::Disabled.into(),
        _ => pb::Toggle::Unspecified.into(),
    };
    pb::GroupSettings {
        mention_all: audience(Setting::MentionAll),
        manage: audience(Setting::Manage),
        history_for_new_members: toggle(Setting::HistoryForNewMembers),
        join_approval: toggle(Setting::JoinApproval),
        searchable: toggle(Setting::Searchable),
        mute_all: toggle(Setting::MuteAll),
        private_chat: toggle(Setting::PrivateChat),
        add_members: audience(Setting::AddMembers),
        send_ding: audience(Setting::SendDing),
        pin_message: audience(Setting::PinMessage),
        start_meeting: audience(Setting::StartMeeting),
        start_live: audience(Setting::StartLive),
        strangers_calendar: toggle(Setting::StrangersCalendar),
        group_email: toggle(Setting::GroupEmail),
        chat_with_managers: toggle(Setting::ChatWithManagers),
        stay_after_leaving_org: toggle(Setting::StayAfterLeavingOrg),
        entry_approval: toggle(Setting::EntryApproval),
    }
}

pub(super) fn group_to_pb(group: Group) -> pb::Group {
    let state = match group.state {
        None => pb::GroupState::Unspecified,
        Some(State::Active) => pb::GroupState::Active,
        Some(State::Disbanded) => pb::GroupState::Disbanded,
    };
    pb::Group {
        r#ref: Some(group_ref_to_pb(group.group_ref)),
        title: group.title.unwrap_or_default(),
        owner: group.owner.map(member_to_pb),
        icon_media_id: group.icon.map(|id| id.0).unwrap_or_default(),
        settings: (group.settings != Settings::default()).then(|| settings_to_pb(&group.settings)),
        member_count: group.member_count.and_then(|count| i32::try_from(count).ok()),
        state: state.into(),
        template_id: group.template_id.unwrap_or_default(),
        admins: group.admins.into_iter().map(member_to_pb).collect(),
        join_url: group.join_url.unwrap_or_default(),
    }
}

/// The user_id of somebody whom a rule of the field wants named by it.
pub(super) fn user_id(message: &Option<pb::MemberRef>) -> UserId {
    match message.as_ref().and_then(member) {
        Some(Member::User(id)) => id,
        _ => UserId(String::new()),
    }
}

pub(super) fn members(messages: &[pb::MemberRef]) -> Vec<Member> {
    messages.iter().filter_map(member).collect()
}

pub(super) fn sync_plan(plan: SyncPlan) -> pb::SyncPlan {
    let count = |count| i32::try_from(count).unwrap_or(i32::MAX);
    let people = |members: Vec<Member>| members.into_iter().map(member_to_pb).collect();
    pb::SyncPlan {
        to_add: people(plan.to_add),
        to_remove: people(plan.to_remove),
        unchanged: count(plan.unchanged),
        kept: count(plan.kept),
    }
}

pub(super) fn planned(calls: Vec<PlannedCall>) -> Vec<pb::PlannedCall> {
    let count = |count| i32::try_from(count).unwrap_or(i32::MAX);
    calls
        .into_iter()
        .map(|call| pb::PlannedCall { operation: call.operation.to_owned(), count: count(call.count) })
        .collect()
}

pub(super) fn params(message: &BTreeMap<String, String>) -> Params {
    message.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// None for what is no time: the contract's times lie between the years 1 and 9999, DingTalk's begin in 1970.
pub(super) fn time(message: &Timestamp) -> Option<SystemTime> {
    const END: i64 = 253_402_300_800;
    let valid = (0..END).contains(&message.seconds) && (0..1_000_000_000).contains(&message.nanos);
    SystemTime::try_from(*message).ok().filter(|_| valid)
}

pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}

/// How old an answer may be; negative ones have been reported.
pub(super) fn staleness(message: Option<prost_types::Duration>) -> Option<Duration> {
    message.map(|staleness| staleness.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_setting_crosses_over_and_back() {
        for setting in Setting::iter() {
            for pair in [[Choice::Everyone, Choice::Managers], [Choice::Enabled, Choice::Disabled]] {
                let crossed = pair.map(|choice| {
                    let mut one = Settings::default();
                    one.set(setting, choice);
                    settings(&settings_to_pb(&one)) == one
                });
                assert_eq!(crossed[0], crossed[1], "{}", setting.name());
            }
            let mut both = Settings::default();
            both.set(setting, Choice::Everyone);
            let audience = settings(&settings_to_pb(&both)) == both;
            both.set(setting, Choice::Enabled);
            let toggle = settings(&settings_to_pb(&both)) == both;
            assert!(audience != toggle, "{} is one of the two kinds", setting.name());
        }
    }
}
