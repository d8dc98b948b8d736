//! The operations that a long list of people is cut for, and which sizes a configuration may give the pieces.

use std::collections::BTreeMap;

use super::{group, scene};
use crate::dingtalk::{Endpoint, Spec};

/// Called once for each chunk of people. The audiences of a card and of a message are not among them: cut in two they
/// would be two cards.
pub const CHUNKED: [&Spec; 14] = [
    group::CreateGroup::SPEC,
    group::UpdateGroup::SPEC,
    group::SetAdmins::SPEC,
    group::CreateGroupLegacy::SPEC,
    group::UpdateGroupLegacy::SPEC,
    group::SetAdminsLegacy::SPEC,
    scene::CreateGroup::SPEC,
    scene::AddMembers::SPEC,
    scene::RemoveMembers::SPEC,
    scene::SetAdmins::SPEC,
    scene::MuteMembers::SPEC,
    scene::CreateGroupLegacy::SPEC,
    scene::AddMembersLegacy::SPEC,
    scene::RemoveMembersLegacy::SPEC,
];

/// Nobody has more people to name: a group has no more.
const MAX: usize = 1000;

/// What is wrong with configured sizes, all of it. More than the documented limit is allowed: DingTalk's documents
/// contradict each other, and only a call can tell.
pub fn fault(sizes: &BTreeMap<String, usize>) -> Option<String> {
    let fault = |(id, size): (&String, &usize)| {
        if !CHUNKED.iter().any(|spec| spec.id == id) {
            let known: Vec<_> = CHUNKED.iter().map(|spec| format!("`{}`", spec.id)).collect();
            return Some(format!("unknown operation `{id}`, expected one of {}", known.join(", ")));
        }
        (!(1..=MAX).contains(size)).then(|| format!("`{id}` must be 1 to {MAX}"))
    };
    let faults: Vec<_> = sizes.iter().filter_map(fault).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_has_a_documented_limit_within_what_can_be_configured() {
        let within = |spec: &&Spec| spec.max_members.is_some_and(|most| (1..=MAX).contains(&most));
        assert!(CHUNKED.iter().all(within));
        let sizes = CHUNKED.iter().map(|spec| (spec.id.to_owned(), spec.max_members.unwrap()));
        assert_eq!(fault(&sizes.collect()), None);
    }
}
