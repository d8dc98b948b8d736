//! The reads whose answers are kept: which operation, of which group, and what it tells.

use std::{sync::Arc, time::Duration};

use super::{
    Groups, Request,
    cache::Answer,
    error::Error,
    members::Roster,
    model::{Group, Member},
};
use crate::{
    dingtalk::{Endpoint, Spec},
    operation::{
        group::GetGroup,
        id::{ChatId, OpenConversationId},
        scene,
    },
};

/// Who a robot is hardly ever changes.
const ROBOT: Duration = Duration::from_secs(600);

/// A read of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    /// An internal or standard group, its members among it.
    Ordinary(ChatId),
    /// The short view of a scenario group.
    Brief(OpenConversationId),
    /// The long one.
    Full(OpenConversationId),
    /// The members of a scenario group.
    Members(OpenConversationId),
    /// Who a robot of its template is.
    Robot(OpenConversationId, String),
}

/// What a read told; what it does not tell is empty.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The group, without its handle.
    pub(super) group: Group,
    /// Who is in it.
    pub(super) roster: Roster,
    /// The robot.
    pub(super) robot: Option<Member>,
}

impl Read {
    /// The id by which it names the group.
    pub(super) fn group(&self) -> &str {
        match self {
            Read::Ordinary(ChatId(id)) => id,
            Read::Brief(id) | Read::Full(id) | Read::Members(id) | Read::Robot(id, _) => &id.0,
        }
    }

    /// The operation.
    pub(super) fn spec(&self) -> &'static Spec {
        match self {
            Read::Ordinary(_) => GetGroup::SPEC,
            Read::Brief(_) => scene::GetGroupBrief::SPEC,
            Read::Full(_) => scene::GetGroup::SPEC,
            Read::Members(_) => scene::ListMembers::SPEC,
            Read::Robot(..) => scene::GetTemplateRobot::SPEC,
        }
    }

    /// How old an answer may be for callers who do not say, where that is not as configured.
    pub(super) fn staleness(&self) -> Option<Duration> {
        matches!(self, Read::Robot(..)).then_some(ROBOT)
    }
}

impl Reply {
    /// What it takes in memory, about: its texts, and a little for each of them.
    pub(super) fn size(&self) -> usize {
        const TEXT: usize = 32;
        let group = &self.group;
        let texts = [&group.title, &group.template_id, &group.join_url];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let member = |member: &Member| TEXT + member.id().len();
        let people = self.roster.members.iter().chain(&group.admins).map(member).sum::<usize>();
        let names = self.roster.names.iter().map(|(id, name)| 2 * TEXT + member(id) + name.len());
        size_of::<Self>() + texts + people + names.sum::<usize>()
    }
}

impl Groups {
    /// The answer to a read, from the cache where it is fresh enough.
    pub(super) async fn cached(
        &self,
        request: &Request,
        read: &Read,
        max_staleness: Option<Duration>,
    ) -> Result<Answer<Arc<Reply>>, Error> {
        let fetch = || {
            let (groups, request, read) = (self.clone(), request.clone(), read.clone());
            async move { groups.fetch(&request, &read).await }
        };
        self.cache.read(request, read, max_staleness, fetch).await
    }

    async fn fetch(&self, request: &Request, read: &Read) -> Result<Reply, Error> {
        let mut reply = Reply::default();
        match read {
            Read::Ordinary(id) => {
                let info = self.read_ordinary(request, id).await?;
                reply.roster = Roster::from(&info);
                reply.group = Group::from_info(info);
            }
            Read::Brief(id) => reply.group = Group::from_brief(self.read_brief(request, id).await?),
            Read::Full(id) => reply.group = Group::from_full(self.read_full(request, id).await?),
            Read::Members(id) => reply.roster = self.scene_roster(request, id).await?,
            Read::Robot(id, code) => reply.robot = self.read_robot(request, id, code).await?,
        }
        Ok(reply)
    }
}
