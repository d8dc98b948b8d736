//! Creating a group.

use std::collections::{HashMap, HashSet};

use super::{
    Groups, Request,
    bulk::{Verdict, Verdicts},
    error::{Error, Fault},
    members::{changes_of, chunk_size},
    model::{Group, GroupRef, Kind, Member, Outcome, PlannedCall, State, split},
    settings::{Setting, Settings},
};
use crate::{
    dingtalk::Endpoint,
    operation::{
        group::{CreateGroup, Created as Reply, TAG_INTERNAL, TAG_STANDARD},
        id::MediaId,
    },
};

/// Most people in a group.
const GROUP_MAX: usize = 1000;

/// What is to be created.
#[derive(Debug, Clone, Hash)]
pub struct NewGroup {
    /// The name.
    pub title: String,
    /// Who owns it. Becomes a member without being listed.
    pub owner: Member,
    /// Who else is in it.
    pub members: Vec<Member>,
    /// The avatar.
    pub icon: Option<MediaId>,
    /// Settings that differ from DingTalk's defaults.
    pub settings: Settings,
    /// The kind.
    pub kind: Kind,
}

/// What was created.
#[derive(Debug, Clone)]
pub struct Created {
    /// The group.
    pub group: Group,
    /// What became of the listed members.
    pub verdicts: Verdicts,
}

impl NewGroup {
    /// What DingTalk would not take, beyond the rules of single fields.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let count = self.everyone().count();
        if count > GROUP_MAX {
            faults.push(Fault::new(
                "members",
                format!("are {count} with the owner; a group has at most {GROUP_MAX}"),
            ));
        }
        for setting in self.settings.stated() {
            let own_call = setting == Setting::PrivateChat && self.kind != Kind::Scenario;
            let own_call =
                own_call.then_some("cannot be set while creating: call UpdateGroup with this path alone");
            if let Some(text) = own_call.or_else(|| setting.refusal(self.kind)) {
                faults.push(Fault::new(format!("settings.{}", setting.name()), text));
            }
        }
        faults
    }

    /// The owner and the members, each once. Nobody is in a group by owning it: DingTalk wants the owner among the
    /// members, and among those of the first call.
    fn everyone(&self) -> impl Iterator<Item = &Member> {
        let mut seen = HashSet::new();
        std::iter::once(&self.owner).chain(&self.members).filter(move |member| seen.insert(*member))
    }
}

impl Groups {
    /// Creates an internal or standard group: one call with as many people as it takes, and further calls for the
    /// others.
    pub async fn create(&self, request: &Request, new: NewGroup) -> Result<Outcome<Created>, Error> {
        let faults = new.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        if new.kind == Kind::Scenario {
            return Err(Error::KindNotImplemented { kind: new.kind });
        }
        let first = chunk_size(CreateGroup::SPEC);
        if request.validate_only {
            let rest = new.everyone().skip(first).count();
            let calls = [vec![PlannedCall::once(CreateGroup::SPEC)], changes_of(rest)];
            return Ok(Outcome::Planned(calls.concat()));
        }
        let (groups, own_request, payload) = (self.clone(), request.clone(), new.clone());
        let work = async move { groups.create_ordinary(&own_request, new, first).await };
        self.created.run(request, &payload, CreateGroup::SPEC, work).await.map(Outcome::Done)
    }

    async fn create_ordinary(
        &self,
        request: &Request,
        new: NewGroup,
        first: usize,
    ) -> Result<Created, Error> {
        let mut everyone: Vec<Member> = new.everyone().cloned().collect();
        let rest = everyone.split_off(first.min(everyone.len()));
        let reply = self.create_with(request, &new, &everyone).await?;
        // From here on the group is there, and no error may hide it.
        let added = match self.add_rest(request, &reply.chatid, &rest).await {
            Ok(verdicts) => verdicts,
            Err(error) => rest.into_iter().map(|member| (member, Verdict::Failed(error.clone()))).collect(),
        };
        let in_group = added.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Applied)).count();
        let group_ref = GroupRef {
            open_conversation_id: Some(reply.open_conversation_id),
            chat_id: Some(reply.chatid),
            kind: Some(Kind::from_tag(reply.conversation_tag).unwrap_or(new.kind)),
        };
        self.directory.learn(&request.app, &group_ref);
        let mut late: HashMap<Member, Verdict> = added.into_iter().collect();
        let verdict = |member: &Member| (member.clone(), late.remove(member).unwrap_or(Verdict::Applied));
        let verdicts = new.members.iter().map(verdict).collect();
        let group = Group {
            group_ref,
            member_count: Some(everyone.len() + in_group),
            title: Some(new.title),
            owner: Some(new.owner),
            icon: new.icon,
            settings: new.settings,
            state: Some(State::Active),
        };
        Ok(Created { group, verdicts })
    }

    async fn create_with(
        &self,
        request: &Request,
        new: &NewGroup,
        members: &[Member],
    ) -> Result<Reply, Error> {
        let (user_ids, union_ids) = split(members.iter().cloned());
        let (owner, owner_type) = new.owner.as_owner();
        let endpoint = CreateGroup {
            name: &new.title,
            owner,
            owner_type,
            user_ids: &user_ids,
            union_ids: &union_ids,
            icon: new.icon.as_ref(),
            conversation_tag: if new.kind == Kind::Standard { TAG_STANDARD } else { TAG_INTERNAL },
            management_options: (new.settings != Settings::default()).then(|| new.settings.to_options()),
        };
        self.call(request, &endpoint).await
    }
}

impl Kind {
    /// From `conversationTag`.
    pub(super) fn from_tag(tag: Option<i64>) -> Option<Kind> {
        match tag {
            Some(TAG_STANDARD) => Some(Kind::Standard),
            Some(TAG_INTERNAL) => Some(Kind::Internal),
            _ => None,
        }
    }
}
