//! Reading a group.

use super::{
    Groups, Request,
    error::Error,
    model::{Group, GroupRef, Kind, Member, State},
    settings::Settings,
};
use crate::operation::{
    group::{ChatInfo, GetGroup},
    id::{ChatId, UnionId, UserId},
};

impl Groups {
    /// The group as DingTalk has it now.
    pub async fn get(&self, request: &Request, group: &GroupRef) -> Result<Group, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        let info = self.read_ordinary(request, handle.ordinary()?).await?;
        let read = GroupRef {
            chat_id: handle.chat_id.clone(),
            kind: Kind::from_tag(info.conversation_tag),
            ..handle
        };
        // Only the answer teaches the directory: the pair of ids is still the caller's word.
        self.directory.learn(&request.app, &GroupRef { open_conversation_id: None, ..read.clone() });
        Ok(Group::from_info(read, info))
    }

    pub(super) async fn read_ordinary(&self, request: &Request, chat_id: &ChatId) -> Result<ChatInfo, Error> {
        Ok(self.call(request, &GetGroup { chatid: chat_id }).await?.chat_info)
    }
}

impl ChatInfo {
    /// A disbanded group is read like any other.
    pub(super) fn state(&self) -> State {
        if self.status == Some(2) { State::Disbanded } else { State::Active }
    }
}

impl ChatInfo {
    /// `owner` does not say what it is; a person outside the organisation is found among those.
    pub(super) fn owner(&self) -> Member {
        let outside = self.union_ids.iter().any(|id| id.0 == self.owner);
        if outside {
            Member::Union(UnionId(self.owner.clone()))
        } else {
            Member::User(UserId(self.owner.clone()))
        }
    }
}

impl Group {
    fn from_info(group_ref: GroupRef, info: ChatInfo) -> Self {
        let owner = info.owner();
        let settings = Settings::from(&info);
        Group {
            group_ref,
            settings,
            state: Some(info.state()),
            member_count: Some(info.user_ids.len() + info.union_ids.len()),
            title: Some(info.name),
            owner: Some(owner),
            icon: info.icon.filter(|icon| !icon.0.is_empty()),
        }
    }
}
