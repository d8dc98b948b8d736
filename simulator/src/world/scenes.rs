//! Scenario groups: found by openConversationId, and only by the app whose template they have.

use super::group::{add_new, is_open_conversation_id};
use super::{Caller, Group, MemberChange, OwnerKind, People, Refusal, SceneSettingsPatch, World};

/// A scenario group to be created.
#[derive(Debug)]
pub(crate) struct CreateScene {
    pub(crate) template_id: String,
    pub(crate) title: String,
    pub(crate) owner: String,
    pub(crate) icon: String,
    pub(crate) users: Vec<String>,
    pub(crate) admins: Vec<String>,
    pub(crate) settings: SceneSettingsPatch,
    pub(crate) uuid: Option<String>,
}

/// A change of a scenario group: what is `None` stays as it is.
#[derive(Debug)]
pub(crate) struct UpdateScene {
    pub(crate) id: String,
    pub(crate) title: Option<String>,
    pub(crate) owner: Option<(OwnerKind, String)>,
    pub(crate) icon: Option<String>,
    pub(crate) settings: SceneSettingsPatch,
}

/// A page of members with the names they go by.
#[derive(Debug, Default)]
pub(crate) struct MemberPage {
    pub(crate) users: Vec<(String, String)>,
    pub(crate) contacts: Vec<(String, String)>,
    pub(crate) has_more: bool,
    pub(crate) next: String,
}

impl World {
    /// The owner and the admins are members too, whether named among them or not.
    pub(crate) fn create_scene(&mut self, caller: &Caller, request: CreateScene) -> Result<Group, Refusal> {
        let key = request.uuid.clone().map(|uuid| (caller.app_key.clone(), uuid));
        if let Some(first) = key.as_ref().and_then(|key| self.created_with(key)) {
            return if self.rules.uuid_repeat_is_error {
                Err(Refusal::UuidRepeated)
            } else {
                Ok(first.clone())
            };
        }
        self.usable_template(caller, &request.template_id)?;
        let (users, admins) = (People::users(request.users), People::users(request.admins));
        let corp = self.corp(caller);
        for people in [&users, &admins] {
            people.at_most(self.rules.limits.scene_first_members)?;
            corp.check_people(people)?;
        }
        corp.check_owner(OwnerKind::Employee, &request.owner)?;
        let mut members = vec![request.owner.clone()];
        add_new(&mut members, &users.users);
        add_new(&mut members, &admins.users);
        let now = self.clock.now_ms();
        let owner = (OwnerKind::Employee, request.owner);
        let mut group = Group {
            icon: request.icon,
            members,
            template_id: Some(request.template_id),
            ready_at_ms: now.saturating_add_unsigned(self.rules.create_lag_ms),
            ..Group::new(caller, self.groups_created + 1, request.title, owner)
        };
        add_new(&mut group.admins, &admins.users);
        group.forget_roles_of_the_gone();
        group.take_scene_defaults();
        group.change_scene_settings(&request.settings);
        group.check_size_and_owner(self.rules.limits.members_per_group)?;
        if let Some(key) = key {
            self.uuids.insert(key, (group.chatid.clone(), now));
        }
        Ok(self.found(group))
    }

    /// All or nothing: a refused change leaves the group as it was.
    pub(crate) fn update_scene(&mut self, caller: &Caller, request: UpdateScene) -> Result<(), Refusal> {
        let mut group = match &request.owner {
            None => self.live_scene(caller, &request.id)?,
            // The one way out when the old owner has left the organization.
            Some(_) => self.active_scene(caller, &request.id)?,
        }
        .clone();
        if let Some((kind, owner)) = request.owner {
            self.corp(caller).check_owner(kind, &owner)?;
            if !group.has(kind, &owner) {
                return Err(Refusal::OwnerNotMember);
            }
            (group.owner_kind, group.owner) = (kind, owner);
        }
        group.name = request.title.unwrap_or(group.name);
        group.icon = request.icon.unwrap_or(group.icon);
        group.change_scene_settings(&request.settings);
        self.keep(group);
        Ok(())
    }

    pub(crate) fn add_members(&mut self, caller: &Caller, id: &str, people: People) -> Result<(), Refusal> {
        let group = self.live_scene(caller, id)?;
        people.not_nobody()?;
        people.at_most(self.rules.limits.scene_users_per_call)?;
        self.corp(caller).check_people(&people)?;
        let users = MemberChange { add: people.users, remove: Vec::new() };
        let contacts = MemberChange { add: people.contacts, remove: Vec::new() };
        let group = self.changed_members(group, &users, &contacts)?;
        self.keep(group);
        Ok(())
    }

    pub(crate) fn remove_members(
        &mut self,
        caller: &Caller,
        id: &str,
        people: People,
    ) -> Result<(), Refusal> {
        let group = self.live_scene(caller, id)?;
        people.not_nobody()?;
        people.at_most(self.rules.limits.scene_users_per_call)?;
        let users = MemberChange { add: Vec::new(), remove: people.users };
        let contacts = MemberChange { add: Vec::new(), remove: people.contacts };
        let group = self.changed_members(group, &users, &contacts)?;
        self.keep(group);
        Ok(())
    }

    /// For good. A group that is disbanded already stays so.
    pub(crate) fn disband_scene(&mut self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let group = self.scene(caller, id)?.clone();
        self.keep(Group { disbanded: true, ..group });
        Ok(())
    }

    fn changed_members(
        &self,
        group: &Group,
        users: &MemberChange,
        contacts: &MemberChange,
    ) -> Result<Group, Refusal> {
        let strict = self.rules.strict_members;
        let group = Group {
            members: users.over(&group.members, strict)?,
            external_members: contacts.over(&group.external_members, strict)?,
            ..group.clone()
        };
        group.check_size_and_owner(self.rules.limits.members_per_group)?;
        Ok(group)
    }

    /// Members from position `token` on: employees first, then robots if the rules list them, then people outside.
    pub(crate) fn members(
        &self,
        caller: &Caller,
        id: &str,
        size: usize,
        token: &str,
    ) -> Result<MemberPage, Refusal> {
        let group = self.live_scene(caller, id)?;
        let start = if token.is_empty() { 0 } else { token.parse().map_err(|_| Refusal::PageUnknown)? };
        let robots = self.robots_of(group).iter().map(|robot| &robot.user_id);
        let robots = robots.filter(|_| self.rules.list_robots);
        let users = group.members.iter().chain(robots).map(|id| (OwnerKind::Employee, id));
        let contacts = group.external_members.iter().map(|id| (OwnerKind::External, id));
        let everybody: Vec<(OwnerKind, &String)> = users.chain(contacts).collect();
        if start > everybody.len() {
            return Err(Refusal::PageUnknown);
        }
        let end = everybody.len().min(start + size.max(self.rules.limits.members_page).max(1));
        let mut page =
            MemberPage { has_more: end < everybody.len(), next: end.to_string(), ..Default::default() };
        for (kind, id) in &everybody[start..end] {
            let named = ((*id).clone(), self.name_in(group, *kind, id));
            match kind {
                OwnerKind::Employee => page.users.push(named),
                OwnerKind::External => page.contacts.push(named),
            }
        }
        Ok(page)
    }

    fn name_in(&self, group: &Group, kind: OwnerKind, id: &str) -> String {
        let corp = self.corps.get(&group.corp_id);
        let name = match kind {
            OwnerKind::Employee => {
                let nickname = group.nicknames.get(id);
                nickname.or_else(|| corp?.users.get(id).map(|user| &user.name))
            }
            OwnerKind::External => corp.and_then(|corp| Some(&corp.external_contacts.get(id)?.name)),
        };
        name.filter(|name| !name.is_empty()).map_or_else(|| id.to_owned(), Clone::clone)
    }

    fn created_with(&self, key: &(String, String)) -> Option<&Group> {
        let (chatid, created_at) = self.uuids.get(key)?;
        let window = i64::try_from(self.rules.uuid_window_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let remembered = self.clock.now_ms() < created_at.saturating_add(window);
        self.groups.get(chatid).filter(|_| remembered)
    }

    /// A group by its openConversationId, disbanded or not.
    pub(crate) fn open_group(&self, caller: &Caller, id: &str) -> Result<&Group, Refusal> {
        if !is_open_conversation_id(id) {
            return Err(Refusal::IdUndecodable);
        }
        let group = self.groups.get(self.chatid_of(id)?).ok_or(Refusal::GroupUnknown)?;
        if group.corp_id != caller.corp_id {
            return Err(Refusal::GroupForeign);
        }
        if self.clock.now_ms() < group.ready_at_ms {
            return Err(Refusal::GroupNotReady);
        }
        Ok(group)
    }

    /// A group with a template of the caller's, disbanded or not, whose owner the app can see.
    pub(crate) fn scene(&self, caller: &Caller, id: &str) -> Result<&Group, Refusal> {
        let group = self.templated_group(caller, id)?;
        match self.corp(caller).check_owner(group.owner_kind, &group.owner) {
            Ok(()) => Ok(group),
            Err(_) => Err(Refusal::OwnerInvisible),
        }
    }

    /// The same, not disbanded.
    pub(super) fn live_scene(&self, caller: &Caller, id: &str) -> Result<&Group, Refusal> {
        alive(self.scene(caller, id)?)
    }

    /// The same, whoever the owner is.
    fn active_scene(&self, caller: &Caller, id: &str) -> Result<&Group, Refusal> {
        alive(self.templated_group(caller, id)?)
    }

    fn templated_group(&self, caller: &Caller, id: &str) -> Result<&Group, Refusal> {
        let group = self.open_group(caller, id)?;
        let template = group.template_id.as_ref().ok_or(Refusal::NoTemplate)?;
        let template = self.corp(caller).template(template).ok_or(Refusal::NoTemplate)?;
        if template.app_key == caller.app_key { Ok(group) } else { Err(Refusal::TemplateForeign) }
    }
}

fn alive(group: &Group) -> Result<&Group, Refusal> {
    if group.disbanded { Err(Refusal::GroupDisbanded) } else { Ok(group) }
}
