//! What single members have in a group: the admin role, a nickname, a mute.

use super::group::add_new;
use super::{Caller, Group, Mute, OwnerKind, People, Refusal, World};

/// How a request names its group. The group must not be disbanded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupKey<'a> {
    /// Any group, by chatid.
    Chat(&'a str),
    /// Any group, by openConversationId.
    Open(&'a str),
    /// A scenario group.
    Scene(&'a str),
}

/// Whether a member may speak.
#[derive(Debug)]
pub(crate) struct MuteState {
    pub(crate) group_muted: bool,
    pub(crate) mute: Option<Mute>,
}

impl World {
    fn live(&self, caller: &Caller, key: GroupKey<'_>) -> Result<&Group, Refusal> {
        match key {
            GroupKey::Chat(chatid) => self.active_group(caller, chatid),
            GroupKey::Open(id) => match self.open_group(caller, id)? {
                group if group.disbanded => Err(Refusal::GroupDisbanded),
                group => Ok(group),
            },
            GroupKey::Scene(id) => self.live_scene(caller, id),
        }
    }

    /// All or nothing, as every change here.
    pub(crate) fn grant_admins(
        &mut self,
        caller: &Caller,
        key: GroupKey<'_>,
        people: &People,
    ) -> Result<(), Refusal> {
        let mut group = self.admins_to_change(caller, key, people)?;
        if people.each().any(|(kind, id)| group.is_owner(kind, id)) {
            return Err(Refusal::OwnerProtected);
        }
        if people.each().any(|(kind, id)| !group.has(kind, id)) {
            return Err(Refusal::UserNotInGroup);
        }
        add_new(&mut group.admins, &people.users);
        add_new(&mut group.external_admins, &people.contacts);
        if group.admins.len() + group.external_admins.len() > self.rules.limits.admins_per_group {
            return Err(Refusal::TooManyAdmins);
        }
        self.keep(group);
        Ok(())
    }

    pub(crate) fn revoke_admins(
        &mut self,
        caller: &Caller,
        key: GroupKey<'_>,
        people: &People,
    ) -> Result<(), Refusal> {
        let mut group = self.admins_to_change(caller, key, people)?;
        group.admins.retain(|id| !people.users.contains(id));
        group.external_admins.retain(|id| !people.contacts.contains(id));
        self.keep(group);
        Ok(())
    }

    fn admins_to_change(
        &self,
        caller: &Caller,
        key: GroupKey<'_>,
        people: &People,
    ) -> Result<Group, Refusal> {
        let group = self.live(caller, key)?;
        people.not_nobody()?;
        people.at_most(self.rules.limits.admins_per_call)?;
        self.corp(caller).check_people(people)?;
        Ok(group.clone())
    }

    pub(crate) fn set_nickname(
        &mut self,
        caller: &Caller,
        key: GroupKey<'_>,
        user_id: &str,
        nickname: String,
    ) -> Result<(), Refusal> {
        let mut group = self.live(caller, key)?.clone();
        if !self.corp(caller).users.contains_key(user_id) {
            return Err(Refusal::UserUnknown(user_id.to_owned()));
        }
        if !group.has(OwnerKind::Employee, user_id) {
            return Err(Refusal::UserNotInGroup);
        }
        self.check_text(&nickname)?;
        group.nicknames.insert(user_id.to_owned(), nickname);
        self.keep(group);
        Ok(())
    }

    /// Mutes from now on, whatever was before; no time is over at once.
    pub(crate) fn mute(
        &mut self,
        caller: &Caller,
        id: &str,
        people: &People,
        ms: u64,
    ) -> Result<(), Refusal> {
        let mut group = self.mutes_to_change(caller, id, people)?;
        if people.each().any(|(kind, id)| group.is_owner(kind, id) || group.is_admin(kind, id)) {
            return Err(Refusal::OwnerProtected);
        }
        let start_ms = self.clock.now_ms();
        let end_ms = start_ms.saturating_add_unsigned(ms);
        for (kind, id) in people.each() {
            group.mutes.retain(|mute| (mute.kind, &mute.member) != (kind, id));
            group.mutes.push(Mute { member: id.clone(), kind, start_ms, end_ms });
        }
        self.keep(group);
        Ok(())
    }

    pub(crate) fn unmute(&mut self, caller: &Caller, id: &str, people: &People) -> Result<(), Refusal> {
        let mut group = self.mutes_to_change(caller, id, people)?;
        group.mutes.retain(|mute| people.each().all(|(kind, id)| (mute.kind, &mute.member) != (kind, id)));
        self.keep(group);
        Ok(())
    }

    fn mutes_to_change(&self, caller: &Caller, id: &str, people: &People) -> Result<Group, Refusal> {
        let group = self.live_scene(caller, id)?;
        people.not_nobody()?;
        people.at_most(self.rules.limits.mutes_per_call)?;
        self.corp(caller).check_people(people)?;
        if people.each().any(|(kind, id)| !group.has(kind, id)) {
            return Err(Refusal::UserNotInGroup);
        }
        Ok(group.clone())
    }

    /// Nobody but a member is muted, but anybody may be asked about.
    pub(crate) fn mute_state(&self, caller: &Caller, id: &str, user_id: &str) -> Result<MuteState, Refusal> {
        let group = self.live_scene(caller, id)?;
        let now = self.clock.now_ms();
        let muted =
            |mute: &&Mute| mute.kind == OwnerKind::Employee && mute.member == user_id && now < mute.end_ms;
        Ok(MuteState {
            group_muted: group.settings.chat_banned_type == 1,
            mute: group.mutes.iter().find(muted).cloned(),
        })
    }

    pub(super) fn check_text(&self, text: &str) -> Result<(), Refusal> {
        let bad = self.rules.forbidden_words.iter().any(|word| text.contains(word.as_str()));
        if bad { Err(Refusal::TextForbidden) } else { Ok(()) }
    }
}
