//! What changes in groups, as far as DingTalk makes events of it: found by comparing a group with what it was, so that
//! no way to change a group can forget to tell.

use super::{Corp, Group, MemberChange, OwnerKind, World};

/// A change of a group that apps are told.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) corp_id: String,
    pub(crate) chatid: String,
    pub(crate) open_conversation_id: String,
    /// Who did it, if anybody.
    pub(crate) operator: Option<Person>,
    pub(crate) what: What,
}

/// What an event is about.
#[derive(Debug, Clone)]
pub(crate) enum What {
    MembersAdded(Vec<Person>),
    MembersRemoved(Vec<Person>),
    /// The operator left.
    MemberQuit,
    OwnerChanged(Person),
    TitleChanged(String),
    Disbanded,
    TemplateChanged {
        template_id: String,
        on: bool,
    },
}

/// Somebody as events name them: people outside the organization have no userId.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user_id: Option<String>,
    pub(crate) union_id: String,
}

/// What a person does to a group in DingTalk's own client.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupChange {
    /// The new title.
    pub title: Option<String>,
    /// The userId of the new owner.
    pub owner: Option<String>,
    /// The userIds of those who come.
    pub add: Vec<String>,
    /// The userIds of those who go.
    pub remove: Vec<String>,
}

impl World {
    /// The changes since this was asked last, oldest first.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Changes a group as a person does, without an app; false if the group or somebody named is unknown.
    pub(crate) fn change_by_person(&mut self, chatid: &str, operator: &str, change: &GroupChange) -> bool {
        let Some(old) = self.groups.get(chatid).filter(|group| !group.disbanded) else { return false };
        let Some(corp) = self.corps.get(&old.corp_id) else { return false };
        let mut named =
            [operator].into_iter().chain(change.add.iter().chain(&change.owner).map(String::as_str));
        if named.any(|id| !corp.users.contains_key(id)) {
            return false;
        }
        let members = MemberChange { add: change.add.clone(), remove: change.remove.clone() };
        let Ok(members) = members.over(&old.members, false) else { return false };
        let mut new = Group { members, ..old.clone() };
        if let Some(owner) = &change.owner {
            (new.owner, new.owner_kind) = (owner.clone(), OwnerKind::Employee);
        }
        if let Some(title) = &change.title {
            new.name.clone_from(title);
        }
        if new.check_size_and_owner(self.rules.limits.members_per_group).is_err() {
            return false;
        }
        let operator = corp.person(OwnerKind::Employee, operator);
        self.keep_by(Some(operator), new);
        true
    }

    /// A member leaves; false if there is no such group or member, or if it is the owner.
    pub(crate) fn quit(&mut self, chatid: &str, user_id: &str) -> bool {
        let Some(group) = self.groups.get_mut(chatid).filter(|group| !group.disbanded) else { return false };
        let (kind, corp) = (OwnerKind::Employee, self.corps.get(&group.corp_id));
        let (true, false, Some(corp)) = (group.has(kind, user_id), group.is_owner(kind, user_id), corp)
        else {
            return false;
        };
        group.members.retain(|id| id != user_id);
        group.forget_roles_of_the_gone();
        self.changes.push(Change::of(group, Some(corp.person(kind, user_id)), What::MemberQuit));
        true
    }

    /// Notes what makes `new` different from the group as it is.
    pub(super) fn note_changes(&mut self, operator: Option<Person>, new: &Group) {
        let (Some(old), Some(corp)) = (self.groups.get(&new.chatid), self.corps.get(&new.corp_id)) else {
            return;
        };
        let change = |what| Change::of(new, operator.clone(), what);
        self.changes.extend(differences(corp, old, new).into_iter().map(change));
    }
}

impl Change {
    pub(super) fn of(group: &Group, operator: Option<Person>, what: What) -> Change {
        Change {
            corp_id: group.corp_id.clone(),
            chatid: group.chatid.clone(),
            open_conversation_id: group.open_conversation_id.clone(),
            operator,
            what,
        }
    }
}

fn differences(corp: &Corp, old: &Group, new: &Group) -> Vec<What> {
    let mut changes = Vec::new();
    if new.disbanded && !old.disbanded {
        changes.push(What::Disbanded);
    }
    if new.name != old.name {
        changes.push(What::TitleChanged(new.name.clone()));
    }
    if (new.owner_kind, &new.owner) != (old.owner_kind, &old.owner) {
        changes.push(What::OwnerChanged(corp.person(new.owner_kind, &new.owner)));
    }
    for (members, what) in [
        (corp.members_beyond(new, old), What::MembersAdded as fn(_) -> _),
        (corp.members_beyond(old, new), What::MembersRemoved),
    ] {
        if !members.is_empty() {
            changes.push(what(members));
        }
    }
    if new.template_id != old.template_id {
        let gone = old.template_id.iter().map(|id| (id, false));
        let come = new.template_id.iter().map(|id| (id, true));
        changes
            .extend(gone.chain(come).map(|(id, on)| What::TemplateChanged { template_id: id.clone(), on }));
    }
    changes
}

impl Corp {
    /// Members of the one group who are none of the other.
    fn members_beyond(&self, group: &Group, other: &Group) -> Vec<Person> {
        if group.members == other.members && group.external_members == other.external_members {
            return Vec::new();
        }
        let new = |kind, id: &&String| !other.has(kind, id);
        let users = group.members.iter().filter(|id| new(OwnerKind::Employee, id));
        let contacts = group.external_members.iter().filter(|id| new(OwnerKind::External, id));
        let users = users.map(|id| self.person(OwnerKind::Employee, id));
        users.chain(contacts.map(|id| self.person(OwnerKind::External, id))).collect()
    }

    pub(super) fn person(&self, kind: OwnerKind, id: &str) -> Person {
        match kind {
            OwnerKind::Employee => {
                let union_id = self.users.get(id).map(|user| user.union_id.clone()).unwrap_or_default();
                Person { user_id: Some(id.to_owned()), union_id }
            }
            OwnerKind::External => Person { user_id: None, union_id: id.to_owned() },
        }
    }
}
