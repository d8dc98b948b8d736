//! One file per upstream operation: wire names, limits, quirks. Data and two conversions, no behaviour.

pub mod assistant;
pub mod chunks;
pub mod group;
pub mod id;
mod joined;
mod lenient;
pub mod push;
pub mod role;
pub mod scene;
pub mod template;
pub mod topbox;

use crate::dingtalk::{Endpoint, Spec, token_endpoint};

/// What is wrong with ids that a configuration gives, if anything is.
pub fn unknown<'a>(ids: impl Iterator<Item = &'a String>) -> Option<String> {
    let unknown: Vec<_> = ids.filter(|id| ALL.iter().all(|spec| spec.id != *id)).collect();
    let named: Vec<_> = unknown.iter().map(|id| format!("`{id}`")).collect();
    (!named.is_empty())
        .then(|| format!("unknown operation {}: docs/operations.md has the ids", named.join(", ")))
}

/// Every operation the gateway can call.
pub const ALL: &[&Spec] = &[
    token_endpoint::AccessToken::SPEC,
    token_endpoint::CorpToken::SPEC,
    token_endpoint::GetToken::SPEC,
    group::CreateGroup::SPEC,
    group::UpdateGroup::SPEC,
    group::GetGroup::SPEC,
    group::SetPrivateChat::SPEC,
    group::GetJoinLink::SPEC,
    group::ResolveGroup::SPEC,
    group::SetMemberNickname::SPEC,
    group::SetAdmins::SPEC,
    group::CreateGroupLegacy::SPEC,
    group::UpdateGroupLegacy::SPEC,
    group::SetAdminsLegacy::SPEC,
    scene::CreateGroup::SPEC,
    scene::UpdateGroup::SPEC,
    scene::GetGroup::SPEC,
    scene::GetGroupBrief::SPEC,
    scene::DeleteGroup::SPEC,
    scene::ListMembers::SPEC,
    scene::AddMembers::SPEC,
    scene::RemoveMembers::SPEC,
    scene::SetMemberNickname::SPEC,
    scene::SetAdmins::SPEC,
    scene::MuteMembers::SPEC,
    scene::GetMuteStatus::SPEC,
    scene::GetTemplateRobot::SPEC,
    scene::CreateGroupLegacy::SPEC,
    scene::UpdateGroupLegacy::SPEC,
    scene::AddMembersLegacy::SPEC,
    scene::RemoveMembersLegacy::SPEC,
    template::EnableTemplate::SPEC,
    template::DisableTemplate::SPEC,
    topbox::PinCard::SPEC,
    topbox::UnpinCard::SPEC,
    assistant::SendAssistantMessage::SPEC,
    assistant::ListMessageReaders::SPEC,
    push::ListFailedPushes::SPEC,
];
