//! No field of the contract is silently dropped: each is changed alone, in a request that is otherwise the same, and
//! something has to change on the wire or in the answer. And no field of DingTalk's is forgotten: each optional one of
//! every operation goes out with a value of its own in one of these requests.

pub mod samples;
pub mod stage;
mod variants;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use self::{
    samples::{Sample, samples},
    stage::Stage,
};
use crate::{contract::SERVED, rpc};

/// (RPC, field, generation or empty for both, why changing it changes nothing).
const WITHOUT_EFFECT: &[(&str, &str, &str, &str)] = &[
    ("GroupService/GetGroup", "max_staleness", "", NOTHING_KEPT),
    ("GroupService/BatchGetGroups", "max_staleness", "", NOTHING_KEPT),
    ("MemberService/ListMembers", "max_staleness", "", NOTHING_KEPT),
    ("TemplateService/GetTemplateRobot", "max_staleness", "", NOTHING_KEPT),
    ("GroupService/GetJoinLink", "inviter.union_id", "", EMPLOYEES),
    ("MemberService/SetMemberNickname", "member.union_id", "", EMPLOYEES),
    ("MemberService/GetMuteStatus", "member.union_id", "", EMPLOYEES),
    ("TemplateService/EnableTemplate", "owner.union_id", "", EMPLOYEES),
    ("TemplateService/DisableTemplate", "owner.union_id", "", EMPLOYEES),
    ("GroupService/CreateGroup", "scenario.admins.union_id", "", EMPLOYEES),
    ("GroupService/CreateGroup", "settings.entry_approval", "", "can be updated only"),
    ("GroupService/CreateGroup", "settings.add_members", "legacy", UNTOLD),
    ("GroupService/CreateGroup", "settings.stay_after_leaving_org", "legacy", UNTOLD),
    ("GroupService/UpdateGroup", "group.settings.add_members", "legacy", UNTOLD),
    ("GroupService/UpdateGroup", "group.settings.stay_after_leaving_org", "legacy", UNTOLD),
];
const NOTHING_KEPT: &str = "this gateway keeps no answers; tests/it/cache.rs has those that do";
const EMPLOYEES: &str = "DingTalk knows employees only here, so this is refused";
const UNTOLD: &str = "the older operations do not have it, so it is refused";

fn reason_for_none(rpc: &str, field: &str, generation: &str) -> Option<&'static str> {
    let row = WITHOUT_EFFECT
        .iter()
        .find(|(other, name, of, _)| *other == rpc && *name == field && (of.is_empty() || *of == generation));
    row.map(|row| row.3)
}

/// The fields that have an effect, by RPC.
type Effective = BTreeMap<&'static str, BTreeSet<String>>;

/// What is compared with other fields or with an answer before: to be refused for it is effect enough.
const COMPARED: [&str; 5] = ["open_conversation_id", "chat_id", "kind", "page_token", "admins.user_id"];

/// Changes every field of a sample, one at a time; what is wrong.
async fn change_each(stage: &Stage, sample: &Sample, effective: &mut Effective) -> Vec<String> {
    let (plain, again) = (stage.observe(sample, "").await, stage.observe(sample, "").await);
    assert_eq!(plain.outcome, sample.outcome, "{} {}", sample.rpc, sample.request);
    assert_eq!(plain.seen, again.seen, "{}: what is different by chance is no effect", sample.rpc);
    let mut faults = Vec::new();
    for field in plain.fields {
        let other = stage.observe(sample, &field).await;
        let same = other.seen == plain.seen;
        let case = format!("{field} of {} ({})", sample.rpc, stage.generation);
        match reason_for_none(sample.rpc, &field, stage.generation) {
            Some(_) if same => {}
            Some(_) => faults.push(format!("{case} has an effect: it is no exception any more")),
            None if same && sample.quiet.contains(&&field[..]) => {}
            None if same => faults.push(format!("{case} is dropped without a word")),
            None if other.is_refused() && !COMPARED.iter().any(|name| field.ends_with(name)) => {}
            None => drop(effective.entry(sample.rpc).or_default().insert(field)),
        }
    }
    faults
}

/// The fields that no sample shows to have an effect.
fn missing(effective: &Effective, generation: &str) -> Vec<String> {
    let mut all = Vec::new();
    for served in SERVED {
        // What people who run the gateway ask has tests of its own, in admin.rs; so has the log, in events.rs.
        let Some(name) = served.strip_prefix("/dinggate.group.v1.") else { continue };
        if name.starts_with("GroupEventService/") {
            continue;
        }
        let done = effective.get(name).cloned().unwrap_or_default();
        for field in variants::fields_of(&rpc::method(name).input()).difference(&done) {
            if reason_for_none(name, field, generation).is_none() {
                all.push(format!("{field} of {name} ({generation}): no sample shows an effect"));
            }
        }
    }
    all
}

async fn every_field_counts(generation: &'static str) {
    let (stage, mut effective, mut faults) = (Stage::new(generation).await, Effective::default(), Vec::new());
    for sample in samples(generation) {
        faults.extend(change_each(&stage, &sample, &mut effective).await);
    }
    faults.extend(missing(&effective, generation));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn every_field_of_every_request_has_an_effect() {
    every_field_counts("new").await;
}

#[tokio::test]
async fn every_field_of_every_request_has_an_effect_on_the_older_operations() {
    every_field_counts("legacy").await;
}

#[tokio::test]
async fn every_optional_field_of_every_operation_is_sent_by_an_rpc() {
    let mut sent = wire::Sent::default();
    for generation in ["new", "legacy"] {
        let stage = Stage::new(generation).await;
        for sample in samples(generation) {
            sent.note(&stage.observe(&sample, "").await.calls);
        }
    }
    let faults = sent.faults();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_exceptions_are_fields_of_the_contract() {
    for (name, field, _, _) in WITHOUT_EFFECT {
        let known = variants::fields_of(&rpc::method(name).input());
        assert!(known.contains(*field), "{name} has no {field}");
    }
}
