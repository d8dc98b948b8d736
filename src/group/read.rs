//! Reading a group.

use std::time::Duration;

use super::{
    Groups, Request,
    cache::Answer,
    directory::Path,
    error::Error,
    model::{Group, GroupRef, Kind, Member, State},
    reads::Read,
    settings::Settings,
};
use crate::operation::{
    group::{ChatInfo, GetGroup},
    id::{ChatId, OpenConversationId, UnionId, UserId},
    scene,
};

/// How much of a scenario group is read; DingTalk has two operations. Of the other kinds it tells all it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Title, owner, icon, template, state.
    Basic,
    /// Settings, admins, member count and join link as well, but not the state.
    Full,
}

impl Groups {
    /// The group as DingTalk had it, no longer ago than the caller accepts; as configured for one who does not say.
    pub async fn get(
        &self,
        request: &Request,
        group: &GroupRef,
        view: View,
        max_staleness: Option<Duration>,
    ) -> Result<Answer<Group>, Error> {
        let (handle, path) = self.reach(request, group, "group").await?;
        let read = match (&path, view) {
            (Path::Ordinary(chat_id), _) => Read::Ordinary(chat_id.clone()),
            (Path::Scenario(open_id), View::Basic) => Read::Brief(open_id.clone()),
            (Path::Scenario(open_id), View::Full) => Read::Full(open_id.clone()),
        };
        let answer = self.cached(request, &read, max_staleness).await?;
        let read = answer.value.group.clone();
        let kind = read.group_ref.kind;
        // Only the answer teaches the directory: that the two ids are one group is still the caller's word. And of an
        // internal group it may still turn out that it has a template.
        if let (Path::Ordinary(id), Some(Kind::Standard)) = (path, kind) {
            let asked = GroupRef { chat_id: Some(id), open_conversation_id: None, kind };
            self.directory.learn(&request.app, &asked);
        }
        let value = Group { group_ref: GroupRef { kind: kind.or(handle.kind), ..handle }, ..read };
        Ok(Answer { value, read_time: answer.read_time, from_cache: answer.from_cache })
    }

    pub(super) async fn read_ordinary(&self, request: &Request, chat_id: &ChatId) -> Result<ChatInfo, Error> {
        Ok(self.call(request, &GetGroup { chatid: chat_id }).await?.chat_info)
    }

    pub(super) async fn read_brief(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
    ) -> Result<scene::GroupBrief, Error> {
        let endpoint = scene::GetGroupBrief { open_conversation_id };
        self.call_scene(request, open_conversation_id, &endpoint).await
    }

    pub(super) async fn read_full(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
    ) -> Result<scene::GroupInfo, Error> {
        let endpoint = scene::GetGroup { open_conversation_id };
        Ok(self.call_scene(request, open_conversation_id, &endpoint).await?.result)
    }
}

/// 2 is disbanded, and a disbanded group is read like any other.
pub(super) fn state(status: Option<i64>) -> State {
    if status == Some(2) { State::Disbanded } else { State::Active }
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
    pub(super) fn from_info(info: ChatInfo) -> Self {
        Group {
            group_ref: GroupRef { kind: Kind::from_tag(info.conversation_tag), ..GroupRef::default() },
            settings: Settings::from(&info),
            state: Some(state(info.status)),
            member_count: Some(info.user_ids.len() + info.union_ids.len()),
            owner: Some(info.owner()),
            title: Some(info.name),
            icon: info.icon.filter(|icon| !icon.0.is_empty()),
            ..Group::default()
        }
    }

    pub(super) fn from_brief(brief: scene::GroupBrief) -> Self {
        Group {
            group_ref: GroupRef { kind: Some(Kind::Scenario), ..GroupRef::default() },
            title: brief.title,
            owner: brief.owner_user_id.map(Member::User),
            icon: brief.icon.filter(|icon| !icon.0.is_empty()),
            template_id: brief.template_id,
            join_url: brief.group_url,
            state: Some(state(brief.status)),
            ..Group::default()
        }
    }

    pub(super) fn from_full(info: scene::GroupInfo) -> Self {
        Group {
            group_ref: GroupRef { kind: Some(Kind::Scenario), ..GroupRef::default() },
            settings: Settings::from(&info.management_options),
            title: info.title,
            owner: info.owner_user_id.map(Member::User),
            icon: info.icon.filter(|icon| !icon.0.is_empty()),
            template_id: info.template_id,
            admins: info.admin_ids.into_iter().map(Member::User).collect(),
            join_url: info.group_url,
            member_count: info.member_amount.and_then(|count| usize::try_from(count).ok()),
            ..Group::default()
        }
    }
}
