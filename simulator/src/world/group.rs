//! A group, ordinary or made from a template, and what always holds of it.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Caller, Corp, Refusal, Settings};

/// A group.
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
    /// The ten other settings of a scenario group by their wire names; empty for an ordinary group.
    pub scene_settings: BTreeMap<&'static str, u8>,
    /// Whether members are kept from private chats with each other.
    pub private_chat_prohibited: bool,
    /// 0 standard group, 2 internal group; scenario groups are internal ones.
    pub conversation_tag: i64,
    /// The template that makes it a scenario group.
    pub template_id: Option<String>,
    /// The userIds of the admins.
    pub admins: Vec<String>,
    /// The unionIds of the admins from outside the organization.
    pub external_admins: Vec<String>,
    /// Nicknames by userId.
    pub nicknames: BTreeMap<String, String>,
    /// Who was muted, expired mutes included.
    pub mutes: Vec<Mute>,
    /// The cards pinned, expired ones included.
    pub pinned_cards: Vec<PinnedCard>,
    /// The latest assistant messages, oldest first.
    pub messages: Vec<Message>,
    /// A disbanded group can still be read.
    pub disbanded: bool,
    /// When calls begin to find it, in Unix milliseconds.
    #[serde(skip)]
    pub(super) ready_at_ms: i64,
}

/// What kind of person somebody is.
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

/// A member who may not speak for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mute {
    /// A userId or unionId, by `kind`.
    pub member: String,
    /// What kind of person the member is.
    pub kind: OwnerKind,
    /// In Unix milliseconds.
    pub start_ms: i64,
    /// In Unix milliseconds.
    pub end_ms: i64,
}

/// A card pinned to a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedCard {
    /// The caller's id.
    pub out_track_id: String,
    /// The id as in the card builder.
    pub card_template_id: String,
    /// The public data.
    pub params: BTreeMap<String, String>,
    /// What single people see instead, by userId or unionId.
    pub private_params: BTreeMap<String, BTreeMap<String, String>>,
    /// The userIds of those who see it; everybody if both lists are empty.
    pub receivers: Vec<String>,
    /// The unionIds of those who see it.
    pub external_receivers: Vec<String>,
    /// In Unix milliseconds; none for never.
    pub expires_at_ms: Option<i64>,
}

/// A message of the group assistant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `open_msg_id`, later `processQueryKey`.
    pub open_message_id: String,
    /// The robot that sent it.
    pub robot_code: String,
    /// The message template.
    pub template_id: String,
    /// Text variables.
    pub params: BTreeMap<String, String>,
    /// Media variables.
    pub media: BTreeMap<String, String>,
    /// Who was mentioned: userIds, mobile numbers and unionIds.
    pub mentioned: Vec<String>,
    /// Whether everybody was mentioned.
    pub mentions_all: bool,
    /// Who sees it: userIds, mobile numbers and unionIds; everybody if empty.
    pub receivers: Vec<String>,
    /// The userIds of those who have read it, in the order they did.
    pub readers: Vec<String>,
}

/// Employees by userId and people outside the organization by unionId.
#[derive(Debug, Default, Clone)]
pub(crate) struct People {
    pub(crate) users: Vec<String>,
    pub(crate) contacts: Vec<String>,
}

impl People {
    pub(crate) fn users(users: Vec<String>) -> People {
        People { users, contacts: Vec::new() }
    }

    pub(super) fn at_most(&self, limit: usize) -> Result<(), Refusal> {
        if self.users.len().max(self.contacts.len()) > limit {
            return Err(Refusal::TooManyAtOnce(limit));
        }
        Ok(())
    }

    pub(super) fn not_nobody(&self) -> Result<(), Refusal> {
        if self.users.is_empty() && self.contacts.is_empty() { Err(Refusal::NobodyNamed) } else { Ok(()) }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (OwnerKind, &String)> {
        let users = self.users.iter().map(|id| (OwnerKind::Employee, id));
        users.chain(self.contacts.iter().map(|id| (OwnerKind::External, id)))
    }
}

/// Who comes and who goes, of one kind.
#[derive(Debug, Default)]
pub(crate) struct MemberChange {
    pub(crate) add: Vec<String>,
    pub(crate) remove: Vec<String>,
}

impl MemberChange {
    /// Adding a member and removing a stranger change nothing, unless `strict`.
    pub(super) fn over(&self, old: &[String], strict: bool) -> Result<Vec<String>, Refusal> {
        if let Some(id) = self.add.iter().find(|id| self.remove.contains(id)) {
            return Err(Refusal::AddedAndRemoved(id.clone()));
        }
        if strict {
            if let Some(id) = self.add.iter().find(|id| old.contains(id)) {
                return Err(Refusal::AlreadyMember(id.clone()));
            }
            if self.remove.iter().any(|id| !old.contains(id)) {
                return Err(Refusal::UserNotInGroup);
            }
        }
        let mut members: Vec<String> = old.iter().filter(|id| !self.remove.contains(id)).cloned().collect();
        add_new(&mut members, &self.add);
        Ok(members)
    }
}

/// Adds those who are not in the list yet.
pub(super) fn add_new(list: &mut Vec<String>, ids: &[String]) {
    for id in ids {
        if !list.contains(id) {
            list.push(id.clone());
        }
    }
}

impl Group {
    /// A group with nobody but its owner in it.
    pub(super) fn new(caller: &Caller, number: u64, name: String, owner: (OwnerKind, String)) -> Group {
        Group {
            number,
            corp_id: caller.corp_id.clone(),
            chatid: format!("chat{}", Uuid::new_v4().simple()),
            open_conversation_id: new_open_conversation_id(),
            name,
            owner: owner.1,
            owner_kind: owner.0,
            icon: String::new(),
            members: Vec::new(),
            external_members: Vec::new(),
            settings: Settings::default(),
            scene_settings: BTreeMap::new(),
            private_chat_prohibited: false,
            conversation_tag: super::INTERNAL,
            template_id: None,
            admins: Vec::new(),
            external_admins: Vec::new(),
            nicknames: BTreeMap::new(),
            mutes: Vec::new(),
            pinned_cards: Vec::new(),
            messages: Vec::new(),
            disbanded: false,
            ready_at_ms: 0,
        }
    }

    pub(super) fn has(&self, kind: OwnerKind, id: &str) -> bool {
        let list = match kind {
            OwnerKind::Employee => &self.members,
            OwnerKind::External => &self.external_members,
        };
        list.iter().any(|member| member == id)
    }

    pub(super) fn is_admin(&self, kind: OwnerKind, id: &str) -> bool {
        let list = match kind {
            OwnerKind::Employee => &self.admins,
            OwnerKind::External => &self.external_admins,
        };
        list.iter().any(|admin| admin == id)
    }

    pub(super) fn is_owner(&self, kind: OwnerKind, id: &str) -> bool {
        self.owner_kind == kind && self.owner == id
    }

    pub(super) fn check_size_and_owner(&self, limit: usize) -> Result<(), Refusal> {
        if self.members.len() + self.external_members.len() > limit {
            return Err(Refusal::GroupFull);
        }
        if !self.has(self.owner_kind, &self.owner) {
            return Err(Refusal::OwnerNotMember);
        }
        Ok(())
    }

    /// Who is no member has no role, no nickname and no mute; who becomes the owner is no admin any more.
    pub(super) fn forget_roles_of_the_gone(&mut self) {
        let (members, external) = (&self.members, &self.external_members);
        let owner = |kind, id: &String| self.owner_kind == kind && &self.owner == id;
        self.admins.retain(|id| members.contains(id) && !owner(OwnerKind::Employee, id));
        self.external_admins.retain(|id| external.contains(id) && !owner(OwnerKind::External, id));
        self.nicknames.retain(|id, _| members.contains(id));
        self.mutes.retain(|mute| match mute.kind {
            OwnerKind::Employee => members.contains(&mute.member),
            OwnerKind::External => external.contains(&mute.member),
        });
    }
}

impl Corp {
    pub(super) fn check_people(&self, people: &People) -> Result<(), Refusal> {
        if let Some(id) = people.users.iter().find(|id| !self.users.contains_key(*id)) {
            return Err(Refusal::UserUnknown(id.clone()));
        }
        if let Some(id) = people.contacts.iter().find(|id| !self.external_contacts.contains_key(*id)) {
            return Err(Refusal::ContactUnknown(id.clone()));
        }
        Ok(())
    }

    /// The owner, unlike the members, must be in the app's visible range.
    pub(super) fn check_owner(&self, kind: OwnerKind, id: &str) -> Result<(), Refusal> {
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

/// The three bytes in the middle are `+/+/` in base64.
fn new_open_conversation_id() -> String {
    let mut bytes = *Uuid::new_v4().as_bytes();
    bytes[6..9].copy_from_slice(&[0xfb, 0xff, 0xbf]);
    format!("cid{}", BASE64.encode(bytes))
}

/// Whether it could be the id of some group.
pub(super) fn is_open_conversation_id(id: &str) -> bool {
    id.strip_prefix("cid").and_then(|rest| BASE64.decode(rest).ok()).is_some_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_conversation_ids_hold_everything_that_needs_encoding() {
        let id = new_open_conversation_id();
        assert!(id.starts_with("cid") && id.ends_with("==") && id.contains("+/"), "{id}");
        assert!(is_open_conversation_id(&id) && !is_open_conversation_id("cid0=="));
        assert_ne!(id, new_open_conversation_id());
    }
}
