//! The rules of requests. What the protos state in `buf.validate` is checked by code that build.rs generates from
//! them; the cross-field rules, which stand there as CEL, are written here by hand, one function per rule id. Every
//! fault is collected, none ends the check.

use std::{collections::HashSet, fmt, hash::Hash, time::SystemTime};

use prost_types::{Duration, FieldMask, Timestamp};

use crate::{
    group::{Fault, Setting},
    pb::group as pb,
};

/// A message with rules.
pub(super) trait Check {
    /// Adds the faults of the message, which stands at `at`.
    fn check(&self, at: &At<'_>, out: &mut Violations);
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<Fault>);

impl Violations {
    /// The faults of a whole request.
    pub(super) fn of(request: &impl Check) -> Self {
        let mut out = Self::default();
        request.check(&At::Root, &mut out);
        out
    }

    fn add(&mut self, at: &At<'_>, description: impl Into<String>) {
        self.0.push(Fault::new(at.to_string(), description));
    }

    /// Adds faults that were found elsewhere, but for fields that are known to be faulty already.
    pub(super) fn extend(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            if !self.0.iter().any(|known| known.field == fault.field) {
                self.0.push(fault);
            }
        }
    }

    /// All of them as an error, if there are any.
    pub(super) fn into_result(self) -> Result<(), crate::group::Error> {
        if self.0.is_empty() { Ok(()) } else { Err(crate::group::Error::Invalid(self.0)) }
    }
}

/// Where a value stands. Costs nothing until a fault has to be named.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// The request itself.
    Root,
    /// A field of a message.
    Field(&'a At<'a>, &'static str),
    /// An item of a list.
    Index(&'a At<'a>, usize),
}

impl<'a> At<'a> {
    fn field(&'a self, name: &'static str) -> At<'a> {
        At::Field(self, name)
    }

    fn index(&'a self, index: usize) -> At<'a> {
        At::Index(self, index)
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Field(At::Root, name) => f.write_str(name),
            At::Field(parent, name) => write!(f, "{parent}.{name}"),
            At::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// `impl Check` for every message that a request can contain.
#[allow(unused_variables, clippy::all, reason = "generated: a message may have no rules")]
#[rustfmt::skip]
mod generated {
    use super::*;
    include!(concat!(env!("OUT_DIR"), "/checks.rs"));
}

// The rules of single fields, named as in buf.validate.

fn min_len(value: &str, least: usize, at: &At<'_>, out: &mut Violations) {
    if value.chars().count() < least {
        out.add(
            at,
            if value.is_empty() {
                "is required".to_owned()
            } else {
                format!("has at least {least} characters")
            },
        );
    }
}

fn max_len(value: &str, most: usize, at: &At<'_>, out: &mut Violations) {
    // A character has at least one byte, so a short string needs no counting.
    if value.len() > most && value.chars().count() > most {
        out.add(at, format!("has at most {most} characters"));
    }
}

fn no_space(value: &str, at: &At<'_>, out: &mut Violations) {
    if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        out.add(at, "has no white space and no control characters");
    }
}

fn uuid(value: &str, at: &At<'_>, out: &mut Violations) {
    let hyphenated = value.len() == 36 && uuid::Uuid::try_parse(value).is_ok();
    if !hyphenated {
        out.add(at, "is a UUID such as 6f1c2f9e-3b5a-4d0e-9c1d-2a7b8e4f0a11");
    }
}

fn min_items(count: usize, least: usize, at: &At<'_>, out: &mut Violations) {
    if count < least {
        out.add(at, format!("has at least {least} items"));
    }
}

fn max_items(count: usize, most: usize, at: &At<'_>, out: &mut Violations) {
    if count > most {
        out.add(at, format!("has at most {most} items, not {count}"));
    }
}

fn unique<T: Hash + Eq>(values: &[T], at: &At<'_>, out: &mut Violations) {
    let mut seen = HashSet::new();
    if !values.iter().all(|value| seen.insert(value)) {
        out.add(at, "has each item once");
    }
}

fn defined(is_defined: bool, at: &At<'_>, out: &mut Violations) {
    if !is_defined {
        out.add(at, "is a value that this version does not know");
    }
}

fn not_in(value: i32, refused: &[i32], at: &At<'_>, out: &mut Violations) {
    if refused.contains(&value) {
        out.add(at, "must be stated");
    }
}

fn gte(value: i64, least: i64, at: &At<'_>, out: &mut Violations) {
    if value < least {
        out.add(at, format!("is at least {least}"));
    }
}

fn lte(value: i64, most: i64, at: &At<'_>, out: &mut Violations) {
    if value > most {
        out.add(at, format!("is at most {most}"));
    }
}

fn nanos(value: &Duration) -> i128 {
    i128::from(value.seconds) * 1_000_000_000 + i128::from(value.nanos)
}

fn duration_gte(value: &Duration, seconds: i64, sub: i32, at: &At<'_>, out: &mut Violations) {
    let least = Duration { seconds, nanos: sub };
    if nanos(value) < nanos(&least) {
        out.add(at, format!("is at least {least}"));
    }
}

fn duration_lte(value: &Duration, seconds: i64, sub: i32, at: &At<'_>, out: &mut Violations) {
    let most = Duration { seconds, nanos: sub };
    if nanos(value) > nanos(&most) {
        out.add(at, format!("is at most {most}"));
    }
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The rules that stand as CEL in the protos, by rule id.
mod rules {
    use super::{At, FieldMask, HashSet, Setting, SystemTime, Timestamp, Violations, pb};

    pub(super) fn group_ref_has_id(group: &pb::GroupRef, at: &At<'_>, out: &mut Violations) {
        if group.open_conversation_id.is_empty() && group.chat_id.is_empty() {
            out.add(at, "names the group: open_conversation_id or chat_id must be set");
        }
    }

    pub(super) fn members_unique(members: &[pb::MemberRef], at: &At<'_>, out: &mut Violations) {
        let mut seen = HashSet::new();
        for (i, member) in members.iter().enumerate() {
            let Some(id) = &member.id else { continue };
            let key = match id {
                pb::member_ref::Id::UserId(id) => ("user", id),
                pb::member_ref::Id::UnionId(id) => ("union", id),
            };
            if !seen.insert(key) {
                out.add(&at.index(i), "is listed twice");
            }
        }
    }

    pub(super) fn member_params_unique(params: &[pb::MemberParams], at: &At<'_>, out: &mut Violations) {
        let members: Vec<_> = params.iter().filter_map(|params| params.member.clone()).collect();
        members_unique(&members, at, out);
    }

    pub(super) fn member_user_id_only(member: &pb::MemberRef, at: &At<'_>, out: &mut Violations) {
        if !matches!(member.id, Some(pb::member_ref::Id::UserId(_))) {
            out.add(at, "must be named by user_id");
        }
    }

    pub(super) fn create_group_title_length(
        request: &pb::CreateGroupRequest,
        at: &At<'_>,
        out: &mut Violations,
    ) {
        let scenario = matches!(request.kind, Some(pb::create_group_request::Kind::Scenario(_)));
        if !scenario && (21..=30).contains(&request.title.chars().count()) {
            out.add(&at.field("title"), "has at most 20 characters in an internal or standard group");
        }
    }

    pub(super) fn create_group_admins_are_members(
        request: &pb::CreateGroupRequest,
        at: &At<'_>,
        out: &mut Violations,
    ) {
        let Some(pb::create_group_request::Kind::Scenario(scenario)) = &request.kind else { return };
        if !scenario.admins.iter().all(|admin| request.members.contains(admin)) {
            out.add(&at.field("scenario").field("admins"), "must be listed in members");
        }
    }

    pub(super) fn update_group_title_length(
        request: &pb::UpdateGroupRequest,
        at: &At<'_>,
        out: &mut Violations,
    ) {
        let (Some(mask), Some(group)) = (&request.update_mask, &request.group) else { return };
        if mask.paths.iter().any(|path| path == "title") && group.title.is_empty() {
            out.add(&at.field("group").field("title"), "is required: the update mask names it");
        }
    }

    pub(super) fn update_group_mask_paths(mask: &FieldMask, at: &At<'_>, out: &mut Violations) {
        let mut seen = HashSet::new();
        if mask.paths.is_empty() {
            out.add(at, "names at least one path");
        }
        for (i, path) in mask.paths.iter().enumerate() {
            let (paths, field) = (at.field("paths"), "is named twice");
            if !is_update_path(path) {
                out.add(&paths.index(i), "is not a path that can be updated");
            } else if !seen.insert(path) {
                out.add(&paths.index(i), field);
            }
        }
    }

    fn is_update_path(path: &str) -> bool {
        match path.strip_prefix("settings.") {
            Some(name) => Setting::of_name(name).is_some(),
            None => matches!(path, "title" | "owner" | "icon_media_id" | "settings"),
        }
    }

    pub(super) fn pin_card_out_track_id(request: &pb::PinCardRequest, at: &At<'_>, out: &mut Violations) {
        if request.out_track_id.is_empty() && request.request_id.is_empty() {
            out.add(&at.field("out_track_id"), "is required where there is no request_id to derive it from");
        }
    }

    pub(super) fn expire_time_future(time: &Timestamp, at: &At<'_>, out: &mut Violations) {
        let passed = SystemTime::try_from(*time).is_ok_and(|time| time <= SystemTime::now());
        if passed {
            out.add(at, "lies in the past");
        }
    }

    pub(super) fn template_content_keys_distinct(
        content: &pb::TemplateContent,
        at: &At<'_>,
        out: &mut Violations,
    ) {
        let (texts, media) = (&content.params, &content.media_ids);
        if texts.keys().any(|key| media.contains_key(key)) {
            out.add(at, "has no key in both maps");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(request: &impl Check) -> Vec<(String, String)> {
        Violations::of(request).0.into_iter().map(|fault| (fault.field, fault.description)).collect()
    }

    fn user(id: &str) -> pb::MemberRef {
        pb::MemberRef { id: Some(pb::member_ref::Id::UserId(id.to_owned())) }
    }

    fn valid() -> pb::CreateGroupRequest {
        pb::CreateGroupRequest {
            title: "a title".to_owned(),
            owner: Some(user("owner")),
            kind: Some(pb::create_group_request::Kind::Internal(pb::InternalGroup {})),
            ..Default::default()
        }
    }

    #[test]
    fn a_valid_request_has_no_faults() {
        assert_eq!(faults(&valid()), []);
    }

    #[test]
    fn every_fault_is_reported_with_its_path() {
        let request = pb::CreateGroupRequest {
            app: "has space".to_owned(),
            members: vec![user("a"), user(""), user("a"), pb::MemberRef { id: None }],
            request_id: "42".to_owned(),
            settings: Some(pb::GroupSettings { searchable: 9, ..Default::default() }),
            ..Default::default()
        };
        let fields: Vec<_> = faults(&request).into_iter().map(|(field, _)| field).collect();
        for expected in [
            "app",
            "title",
            "owner",
            "members[1].user_id",
            "members[2]",
            "members[3].id",
            "kind",
            "request_id",
            "settings.searchable",
        ] {
            assert!(fields.iter().any(|field| field == expected), "{expected} is missing in {fields:?}");
        }
        assert_eq!(fields.len(), 9, "{fields:?}");
    }

    #[test]
    fn lengths_are_counted_in_code_points() {
        for title in ["二十个汉字的群名称刚好可以用这么长的名字", "🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀🚀"]
        {
            assert_eq!(title.chars().count(), 20);
            assert_eq!(faults(&pb::CreateGroupRequest { title: title.to_owned(), ..valid() }), []);
            let longer = format!("{title}!");
            let found = faults(&pb::CreateGroupRequest { title: longer, ..valid() });
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, "title");
        }
    }
}
