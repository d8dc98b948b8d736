//! Ordinary groups (internal and standard): what may be done to them.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Corp, Refusal, World};

/// Most users in one create or update call.
const USERS_PER_CALL: usize = 40;
/// Most members of a group, people outside the organization included.
const MEMBERS_PER_GROUP: usize = 1000;
/// `conversationTag` of a standard group; an internal group has 2.
const STANDARD: i64 = 0;

/// An ordinary group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Counts up with every group created.
    pub number: u64,
    /// The organization it belongs to.
    pub corp_id: String,
    /// `chat` and 32 hexadecimal digits.
    pub chatid: String,
    /// `cid` and base64, always with a `/`, a `+` and padding: whoever forgets to encode it notices.
    pub open_conversation_id: String,
    /// The title.
    pub name: String,
    /// The userId of an employee or the unionId of an external contact, by `owner_kind`.
    pub owner: String,
    /// What kind of person the owner is.
    pub owner_kind: OwnerKind,
    /// The mediaId of the avatar, empty if none.
    pub icon: String,
    /// The userIds of the members, in the order they came.
    pub members: Vec<String>,
    /// The unionIds of the external contacts, in the order they came.
    pub external_members: Vec<String>,
    /// The six readable settings.
    pub settings: Settings,
    /// Whether members are kept from private chats with each other.
    pub private_chat_prohibited: bool,
    /// 0 standard group, 2 internal group.
    pub conversation_tag: i64,
    /// A disbanded group can still be read.
    pub disbanded: bool,
}

/// What kind of person owns a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerKind {
    /// An employee, by userId.
    #[default]
    #[serde(rename = "emp")]
    Employee,
    /// An external contact, by unionId.
    #[serde(rename = "ext")]
    External,
}

/// The settings of an ordinary group, each 0 or 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "DingTalk's own names; the operation reference explains them")]
pub struct Settings {
    pub searchable: u8,
    pub validation_type: u8,
    pub mention_all_authority: u8,
    pub management_type: u8,
    pub chat_banned_type: u8,
    pub show_history_type: u8,
}

/// The settings a request names.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsPatch {
    pub(crate) searchable: Option<u8>,
    pub(crate) validation_type: Option<u8>,
    pub(crate) mention_all_authority: Option<u8>,
    pub(crate) management_type: Option<u8>,
    pub(crate) chat_banned_type: Option<u8>,
    pub(crate) show_history_type: Option<u8>,
}

impl SettingsPatch {
    fn over(self, old: Settings) -> Settings {
        Settings {
            searchable: self.searchable.unwrap_or(old.searchable),
            validation_type: self.validation_type.unwrap_or(old.validation_type),
            mention_all_authority: self.mention_all_authority.unwrap_or(old.mention_all_authority),
            management_type: self.management_type.unwrap_or(old.management_type),
            chat_banned_type: self.chat_banned_type.unwrap_or(old.chat_banned_type),
            show_history_type: self.show_history_type.unwrap_or(old.show_history_type),
        }
    }
}

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

/// Who comes and who goes. Adding a member and removing a stranger change nothing.
#[derive(Debug, Default)]
pub(crate) struct MemberChange {
    pub(crate) add: Vec<String>,
    pub(crate) remove: Vec<String>,
}

impl MemberChange {
    fn over(&self, old: &[String]) -> Result<Vec<String>, Refusal> {
        if let Some(id) = self.add.iter().find(|id| self.remove.contains(id)) {
            return Err(Refusal::AddedAndRemoved(id.clone()));
        }
        let mut members: Vec<String> = old.iter().filter(|id| !self.remove.contains(id)).cloned().collect();
        for id in &self.add {
            if !members.contains(id) {
                members.push(id.clone());
            }
        }
        Ok(members)
    }
}

impl Group {
    fn has(&self, kind: OwnerKind, id: &str) -> bool {
        let list = match kind {
            OwnerKind::Employee => &self.members,
            OwnerKind::External => &self.external_members,
        };
        list.iter().any(|member| member == id)
    }

    fn check_size_and_owner(&self) -> Result<(), Refusal> {
        if self.members.len() + self.external_members.len() > MEMBERS_PER_GROUP {
            return Err(Refusal::GroupFull);
        }
        if !self.has(self.owner_kind, &self.owner) {
            return Err(Refusal::OwnerNotMember);
        }
        Ok(())
    }
}

impl Corp {
    fn check_people(&self, users: &[String], contacts: &[String]) -> Result<(), Refusal> {
        if users.len() > USERS_PER_CALL {
            return Err(Refusal::TooManyAtOnce);
        }
        if let Some(id) = users.iter().find(|id| !self.users.contains_key(*id)) {
            return Err(Refusal::UserUnknown(id.clone()));
        }
        if let Some(id) = contacts.iter().find(|id| !self.external_contacts.contains_key(*id)) {
            return Err(Refusal::ContactUnknown(id.clone()));
        }
        Ok(())
    }

    /// The owner, unlike the members, must be in the app's visible range.
    fn check_owner(&self, kind: OwnerKind, id: &str) -> Result<(), Refusal> {
        match kind {
            OwnerKind::Employee => match self.users.get(id) {
                None => Err(Refusal::UserUnknown(id.to_owned())),
                Some(user) if !user.visible => Err(Refusal::OwnerInvisible),
                Some(_) => Ok(()),
            },
            OwnerKind::External if self.external_contacts.contains_key(id) => Ok(()),
            OwnerKind::External => Err(Refusal::ContactUnknown(id.to_owned())),
        }
    }
}

impl World {
    pub(crate) fn create_group(&mut self, caller: &Caller, request: CreateGroup) -> Result<Group, Refusal> {
        let allowed = self.apps.get(&caller.app_key).is_some_and(|app| app.standard_groups);
        if request.conversation_tag == STANDARD && !allowed {
            return Err(Refusal::StandardNotAllowed);
        }
        let corp = self.corp(caller);
        corp.check_people(&request.users, &request.contacts)?;
        corp.check_owner(request.owner_kind, &request.owner)?;
        let everybody_new = |ids| MemberChange { add: ids, remove: Vec::new() }.over(&[]);
        let group = Group {
            number: self.groups_created + 1,
            corp_id: caller.corp_id.clone(),
            chatid: format!("chat{}", Uuid::new_v4().simple()),
            open_conversation_id: new_open_conversation_id(),
            name: request.name,
            owner: request.owner,
            owner_kind: request.owner_kind,
            icon: request.icon,
            members: everybody_new(request.users)?,
            external_members: everybody_new(request.contacts)?,
            settings: request.settings.over(Settings::default()),
            private_chat_prohibited: false,
            conversation_tag: request.conversation_tag,
            disbanded: false,
        };
        group.check_size_and_owner()?;
        self.groups_created = group.number;
        self.chatids.insert(group.open_conversation_id.clone(), group.chatid.clone());
        self.groups.insert(group.chatid.clone(), group.clone());
        Ok(group)
    }

    /// All or nothing: a refused change leaves the group as it was.
    pub(crate) fn update_group(&mut self, caller: &Caller, request: UpdateGroup) -> Result<(), Refusal> {
        let old = self.active_group(caller, &request.chatid)?;
        let corp = self.corp(caller);
        corp.check_people(&request.users.add, &request.contacts.add)?;
        let mut new = Group {
            members: request.users.over(&old.members)?,
            external_members: request.contacts.over(&old.external_members)?,
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
        new.check_size_and_owner()?;
        self.groups.insert(new.chatid.clone(), new);
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

    /// A group of any organization.
    pub(crate) fn any_group(&self, chatid: &str) -> Option<&Group> {
        self.groups.get(chatid)
    }

    /// Disbands a group; false when there is none.
    pub(crate) fn disband(&mut self, chatid: &str) -> bool {
        let Some(group) = self.groups.get_mut(chatid) else { return false };
        group.disbanded = true;
        true
    }

    fn active_group(&self, caller: &Caller, chatid: &str) -> Result<&Group, Refusal> {
        let group = self.group(caller, chatid)?;
        if group.disbanded { Err(Refusal::GroupDisbanded) } else { Ok(group) }
    }

    fn corp(&self, caller: &Caller) -> &Corp {
        self.corps.get(&caller.corp_id).expect("a caller's organization is in the same world as its token")
    }
}

/// The three bytes in the middle are `+/+/` in base64.
fn new_open_conversation_id() -> String {
    let mut bytes = *Uuid::new_v4().as_bytes();
    bytes[6..9].copy_from_slice(&[0xfb, 0xff, 0xbf]);
    format!("cid{}", BASE64.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_conversation_ids_hold_everything_that_needs_encoding() {
        let id = new_open_conversation_id();
        assert!(id.starts_with("cid") && id.ends_with("==") && id.contains("+/"), "{id}");
        assert_ne!(id, new_open_conversation_id());
    }
}
