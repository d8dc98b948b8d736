//! Ordinary groups (internal and standard): what may be done to them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::group::{MemberChange, People};
use super::{Caller, Change, Corp, Group, OwnerKind, Person, Refusal, Settings, SettingsPatch, What, World};

/// `conversationTag` of a standard group.
const STANDARD: i64 = 0;
/// `conversationTag` of an internal group.
pub(crate) const INTERNAL: i64 = 2;

/// A group to be created.
#[derive(Debug)]
pub(crate) struct CreateGroup {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) owner_kind: OwnerKind,
    pub(crate) icon: String,
    pub(crate) users: Vec<String>,
    pub(crate) contacts: Vec<String>,
    pub(crate) settings: SettingsPatch,
    pub(crate) conversation_tag: i64,
}

/// A change of a group: what is `None` or empty stays as it is.
#[derive(Debug, Default)]
pub(crate) struct UpdateGroup {
    pub(crate) chatid: String,
    pub(crate) name: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) owner_kind: OwnerKind,
    pub(crate) icon: Option<String>,
    pub(crate) settings: Option<SettingsPatch>,
    pub(crate) users: MemberChange,
    pub(crate) contacts: MemberChange,
}

impl World {
    pub(crate) fn create_group(&mut self, caller: &Caller, request: CreateGroup) -> Result<Group, Refusal> {
        let allowed = self.apps.get(&caller.app_key).is_some_and(|app| app.standard_groups);
        if request.conversation_tag == STANDARD && !allowed {
            return Err(Refusal::StandardNotAllowed);
        }
        if request.users.is_empty() {
            return Err(Refusal::NobodyNamed);
        }
        let people = People { users: request.users, contacts: request.contacts };
        self.check_group_users(&people, caller)?;
        self.corp(caller).check_owner(request.owner_kind, &request.owner)?;
        let everybody_new = |add| MemberChange { add, remove: Vec::new() }.over(&[], false);
        let owner = (request.owner_kind, request.owner);
        let group = Group {
            icon: request.icon,
            members: everybody_new(people.users)?,
            external_members: everybody_new(people.contacts)?,
            settings: request.settings.over(Settings::default()),
            conversation_tag: request.conversation_tag,
            ..Group::new(caller, self.groups_created + 1, request.name, owner)
        };
        group.check_size_and_owner(self.rules.limits.members_per_group)?;
        Ok(self.found(group))
    }

    /// All or nothing: a refused change leaves the group as it was.
    pub(crate) fn update_group(&mut self, caller: &Caller, request: UpdateGroup) -> Result<(), Refusal> {
        let old = self.active_group(caller, &request.chatid)?;
        let corp = self.corp(caller);
        let strict = self.rules.strict_members;
        let added = People { users: request.users.add.clone(), contacts: request.contacts.add.clone() };
        self.check_group_users(&added, caller)?;
        let contacts = request.contacts.over(&old.external_members, strict);
        let mut new = Group {
            members: request.users.over(&old.members, strict)?,
            external_members: contacts.map_err(|refusal| match refusal {
                Refusal::AddedAndRemoved(id) => Refusal::ContactAddedAndRemoved(id),
                other => other,
            })?,
            ..old.clone()
        };
        if let Some(owner) = request.owner {
            corp.check_owner(request.owner_kind, &owner)?;
            if !old.has(request.owner_kind, &owner) {
                return Err(Refusal::OwnerNotMember);
            }
            new.owner = owner;
            new.owner_kind = request.owner_kind;
        }
        if let Some(mut patch) = request.settings {
            if self.rules.reset_absent_settings {
                patch.show_history_type = patch.show_history_type.or(Some(0));
            }
            new.settings = patch.over(old.settings);
        }
        new.name = request.name.unwrap_or(new.name);
        new.icon = request.icon.unwrap_or(new.icon);
        new.check_size_and_owner(self.rules.limits.members_per_group)?;
        self.keep(new);
        Ok(())
    }

    pub(crate) fn set_private_chat(
        &mut self,
        caller: &Caller,
        chatid: &str,
        prohibited: bool,
    ) -> Result<(), Refusal> {
        self.active_group(caller, chatid)?;
        let group = self.groups.get_mut(chatid).ok_or(Refusal::GroupUnknown)?;
        group.private_chat_prohibited = prohibited;
        Ok(())
    }

    /// The link behind the QR code that `user_id` shares.
    pub(crate) fn join_link(&self, caller: &Caller, chatid: &str, user_id: &str) -> Result<String, Refusal> {
        let group = self.active_group(caller, chatid)?;
        if !self.corp(caller).users.contains_key(user_id) {
            return Err(Refusal::UserUnknown(user_id.to_owned()));
        }
        if !group.has(OwnerKind::Employee, user_id) {
            return Err(Refusal::UserNotInGroup);
        }
        let code = Uuid::new_v4().simple();
        Ok(format!("https://qr.dingtalk.com/action/joingroup?code=v1,k1,{code}&_dt_no_comment=1&origin=11"))
    }

    /// A group of the caller's organization, disbanded or not.
    pub(crate) fn group(&self, caller: &Caller, chatid: &str) -> Result<&Group, Refusal> {
        let group = self.groups.get(chatid).filter(|group| group.corp_id == caller.corp_id);
        group.ok_or(Refusal::GroupUnknown)
    }

    /// The chatid of a group, by its other id.
    pub(crate) fn chatid_of(&self, open_conversation_id: &str) -> Result<&str, Refusal> {
        self.chatids.get(open_conversation_id).map(String::as_str).ok_or(Refusal::GroupUnknown)
    }

    /// Every group of every organization, oldest first.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.groups.values().cloned().collect();
        groups.sort_by_key(|group| group.number);
        groups
    }

    /// How many groups have each title.
    pub(crate) fn titles(&self) -> BTreeMap<&str, usize> {
        let mut titles = BTreeMap::new();
        for group in self.groups.values() {
            *titles.entry(group.name.as_str()).or_default() += 1;
        }
        titles
    }

    /// A group of any organization.
    pub(crate) fn any_group(&self, chatid: &str) -> Option<&Group> {
        self.groups.get(chatid)
    }

    /// Disbands a group; false when there is none.
    pub(crate) fn disband(&mut self, chatid: &str) -> bool {
        let Some(group) = self.groups.get(chatid) else { return false };
        self.keep(Group { disbanded: true, ..group.clone() });
        true
    }

    fn check_group_users(&self, people: &People, caller: &Caller) -> Result<(), Refusal> {
        let limit = self.rules.limits.group_users_per_call;
        if people.users.len() > limit {
            return Err(Refusal::TooManyAtOnce(limit));
        }
        self.corp(caller).check_people(people)
    }

    /// Takes a new group into the world.
    pub(super) fn found(&mut self, group: Group) -> Group {
        if let Some(template_id) = group.template_id.clone() {
            let what = What::TemplateChanged { template_id, on: true };
            self.changes.push(Change::of(&group, self.acting_owner(&group), what));
        }
        self.groups_created = group.number;
        self.chatids.insert(group.open_conversation_id.clone(), group.chatid.clone());
        self.groups.insert(group.chatid.clone(), group.clone());
        group
    }

    /// Puts a changed group in the place of the old one. Whom DingTalk names as the operator when an app acts is not
    /// documented; here it is the owner.
    pub(super) fn keep(&mut self, group: Group) {
        let operator = self.groups.get(&group.chatid).and_then(|old| self.acting_owner(old));
        self.keep_by(operator, group);
    }

    fn acting_owner(&self, group: &Group) -> Option<Person> {
        Some(self.corps.get(&group.corp_id)?.person(group.owner_kind, &group.owner))
    }

    /// The same, for a change that somebody makes.
    pub(super) fn keep_by(&mut self, operator: Option<Person>, mut group: Group) {
        group.forget_roles_of_the_gone();
        self.note_changes(operator, &group);
        self.groups.insert(group.chatid.clone(), group);
    }

    /// Takes an employee out of the organization, and out of its groups but for those the user owns and those where
    /// leavers stay; false when there is nobody of that id.
    pub(crate) fn leave(&mut self, corp_id: &str, user_id: &str) -> bool {
        let Some(corp) = self.corps.get_mut(corp_id) else { return false };
        let person = corp.person(OwnerKind::Employee, user_id);
        if corp.users.remove(user_id).is_none() {
            return false;
        }
        let left = self.groups.values_mut().filter(|group| {
            let stays = group.scene_settings.get("not_quit_when_emp_leave") == Some(&1);
            group.corp_id == corp_id && !stays && !group.is_owner(OwnerKind::Employee, user_id)
        });
        for group in left {
            if group.has(OwnerKind::Employee, user_id) {
                // Which event this makes is not documented.
                self.changes.push(Change::of(group, None, What::MembersRemoved(vec![person.clone()])));
            }
            group.members.retain(|id| id != user_id);
            group.forget_roles_of_the_gone();
        }
        true
    }

    pub(super) fn active_group(&self, caller: &Caller, chatid: &str) -> Result<&Group, Refusal> {
        let group = self.group(caller, chatid)?;
        if group.disbanded { Err(Refusal::GroupDisbanded) } else { Ok(group) }
    }

    pub(super) fn corp(&self, caller: &Caller) -> &Corp {
        self.corps.get(&caller.corp_id).expect("a caller's organization is in the same world as its token")
    }
}
