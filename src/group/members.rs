//! Who is in a group: list, add, remove, bring in line.

use std::collections::HashSet;

use super::{
    Groups, Request,
    bulk::{Verdict, Verdicts, in_chunks},
    error::Error,
    model::{GroupRef, Member, Outcome, PlannedCall, State, split},
};
use crate::{
    dingtalk::{Endpoint, Spec},
    operation::{
        group::{GetGroup, UpdateGroup},
        id::{ChatId, UnionId, UserId},
    },
};

/// Who is in a group, as DingTalk has it now.
#[derive(Debug, Clone)]
pub struct Roster {
    /// Everybody, the owner included.
    pub members: Vec<Member>,
    /// Who owns it.
    pub owner: Member,
}

/// What a synchronisation has to do.
#[derive(Debug, Clone, Default)]
pub struct SyncPlan {
    /// Whom it adds.
    pub to_add: Vec<Member>,
    /// Whom it removes.
    pub to_remove: Vec<Member>,
    /// How many are wanted and there.
    pub unchanged: usize,
    /// How many stay although nobody asked for them.
    pub kept: usize,
}

/// Who should be in a group.
#[derive(Debug, Clone, Hash)]
pub struct Wanted {
    /// These.
    pub members: Vec<Member>,
    /// Never removed.
    pub keep: Vec<Member>,
    /// Whether those who are missing are added.
    pub add: bool,
    /// Whether those who are too many are removed.
    pub remove: bool,
    /// Most people to remove; beyond it nothing is written.
    pub max_removals: Option<usize>,
}

/// What became of a synchronisation.
#[derive(Debug, Clone)]
pub struct Synced {
    /// What there was to do.
    pub plan: SyncPlan,
    /// One for each person of the plan: first those to add.
    pub verdicts: Verdicts,
    /// The calls, when only a plan was asked for.
    pub planned: Vec<PlannedCall>,
}

/// Into the group or out of it.
#[derive(Debug, Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Groups {
    /// Everybody in the group.
    pub async fn members(&self, request: &Request, group: &GroupRef) -> Result<Roster, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        self.roster(request, handle.ordinary()?).await
    }

    /// Adds people. DingTalk takes those who are in already without a word, so they count as added.
    pub async fn add_members(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        let chat_id = handle.ordinary()?.clone();
        if request.validate_only {
            return Ok(Outcome::Planned(changes_of(members.len())));
        }
        let (groups, own_request, payload) =
            (self.clone(), request.clone(), ("add", handle.clone(), members.clone()));
        let work = async move { groups.change_members(&own_request, &chat_id, &members, Way::In).await };
        self.changed.run(request, &payload, UpdateGroup::SPEC, work).await.map(Outcome::Done)
    }

    /// Removes people. Reads the group first: what DingTalk makes of an owner who is removed is not documented, and
    /// who is not there need not be removed.
    pub async fn remove_members(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        let chat_id = handle.ordinary()?.clone();
        if request.validate_only {
            let calls = [vec![PlannedCall::once(GetGroup::SPEC)], changes_of(members.len())];
            return Ok(Outcome::Planned(calls.concat()));
        }
        let (groups, own_request, payload) =
            (self.clone(), request.clone(), ("remove", handle.clone(), members.clone()));
        let work = async move { groups.remove_present(&own_request, &chat_id, members).await };
        self.changed.run(request, &payload, UpdateGroup::SPEC, work).await.map(Outcome::Done)
    }

    async fn remove_present(
        &self,
        request: &Request,
        chat_id: &ChatId,
        members: Vec<Member>,
    ) -> Result<Verdicts, Error> {
        let roster = self.roster(request, chat_id).await?;
        let present: HashSet<_> = roster.members.iter().collect();
        let leaving: Vec<_> = members
            .iter()
            .filter(|member| present.contains(member) && **member != roster.owner)
            .cloned()
            .collect();
        let mut removed = self.change_members(request, chat_id, &leaving, Way::Out).await?.into_iter();
        let verdict = |member: Member| {
            let verdict = if member == roster.owner {
                Verdict::Failed(Error::OwnerCannotBeRemoved)
            } else if present.contains(&member) {
                removed.next().map_or(Verdict::NotAttempted, |(_, verdict)| verdict)
            } else {
                Verdict::Already
            };
            (member, verdict)
        };
        Ok(members.into_iter().map(verdict).collect())
    }

    /// Brings the group in line with a list: one read, then what has to be added, then what has to be removed.
    pub async fn sync_members(
        &self,
        request: &Request,
        group: &GroupRef,
        wanted: Wanted,
    ) -> Result<Synced, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        let chat_id = handle.ordinary()?.clone();
        let (groups, own_request, payload) =
            (self.clone(), request.clone(), (handle.clone(), wanted.clone()));
        let work = async move { groups.sync(&own_request, &chat_id, &wanted).await };
        if request.validate_only {
            return work.await;
        }
        self.synced.run(request, &payload, UpdateGroup::SPEC, work).await
    }

    async fn sync(&self, request: &Request, chat_id: &ChatId, wanted: &Wanted) -> Result<Synced, Error> {
        let plan = SyncPlan::new(&self.roster(request, chat_id).await?, wanted);
        if let Some(max_removals) = wanted.max_removals.filter(|max| plan.to_remove.len() > *max) {
            let (to_add, to_remove) = (plan.to_add.len(), plan.to_remove.len());
            return Err(Error::RemovalGuard { to_add, to_remove, max_removals });
        }
        if request.validate_only {
            let calls = [
                vec![PlannedCall::once(GetGroup::SPEC)],
                changes_of(plan.to_add.len()),
                changes_of(plan.to_remove.len()),
            ];
            return Ok(Synced { plan, verdicts: Vec::new(), planned: calls.concat() });
        }
        let mut verdicts = self.change_members(request, chat_id, &plan.to_add, Way::In).await?;
        match self.change_members(request, chat_id, &plan.to_remove, Way::Out).await {
            Ok(removed) => verdicts.extend(removed),
            Err(error) if plan.to_add.is_empty() => return Err(error),
            // Somebody was added: that must not be hidden behind an error.
            Err(error) => {
                verdicts.extend(
                    plan.to_remove.iter().map(|member| (member.clone(), Verdict::Failed(error.clone()))),
                );
            }
        }
        Ok(Synced { plan, verdicts, planned: Vec::new() })
    }

    async fn roster(&self, request: &Request, chat_id: &ChatId) -> Result<Roster, Error> {
        let info = self.read_ordinary(request, chat_id).await?;
        if info.state() == State::Disbanded {
            return Err(Error::GroupDisbanded);
        }
        let owner = info.owner();
        let users = info.user_ids.into_iter().map(Member::User);
        Ok(Roster { members: users.chain(info.union_ids.into_iter().map(Member::Union)).collect(), owner })
    }

    /// Adds or removes people in as many calls as it takes.
    async fn change_members(
        &self,
        request: &Request,
        chat_id: &ChatId,
        members: &[Member],
        way: Way,
    ) -> Result<Verdicts, Error> {
        in_chunks(members, chunk_size(UpdateGroup::SPEC), request.context.deadline, |chunk| async move {
            let (user_ids, union_ids): (Vec<UserId>, Vec<UnionId>) = split(chunk);
            let nobody = UpdateGroup::of(chat_id);
            let endpoint = match way {
                Way::In => UpdateGroup { add_user_ids: &user_ids, add_union_ids: &union_ids, ..nobody },
                Way::Out => UpdateGroup { del_user_ids: &user_ids, del_union_ids: &union_ids, ..nobody },
            };
            self.call(request, &endpoint).await.map(drop)
        })
        .await
    }

    /// Those of a new group who did not fit into the call that created it.
    pub(super) async fn add_rest(
        &self,
        request: &Request,
        chat_id: &ChatId,
        rest: &[Member],
    ) -> Result<Verdicts, Error> {
        self.change_members(request, chat_id, rest, Way::In).await
    }
}

/// Most members that one call of an operation takes.
pub(super) fn chunk_size(spec: &Spec) -> usize {
    spec.max_members.unwrap_or(usize::MAX)
}

/// The calls that change this many members.
pub(super) fn changes_of(members: usize) -> Vec<PlannedCall> {
    let count = members.div_ceil(chunk_size(UpdateGroup::SPEC));
    let calls = PlannedCall { operation: UpdateGroup::SPEC.id, count };
    Some(calls).filter(|calls| calls.count > 0).into_iter().collect()
}

impl SyncPlan {
    fn new(roster: &Roster, wanted: &Wanted) -> Self {
        let present: HashSet<_> = roster.members.iter().collect();
        let listed: HashSet<_> = wanted.members.iter().collect();
        let keep: HashSet<_> = wanted.keep.iter().collect();
        let missing = wanted.members.iter().filter(|member| !present.contains(member));
        let surplus: Vec<_> = roster.members.iter().filter(|member| !listed.contains(member)).collect();
        let goes = |member: &&&Member| wanted.remove && **member != &roster.owner && !keep.contains(**member);
        let to_remove: Vec<Member> =
            surplus.iter().filter(goes).map(|member| Member::clone(member)).collect();
        SyncPlan {
            to_add: missing.filter(|_| wanted.add).cloned().collect(),
            unchanged: wanted.members.iter().filter(|member| present.contains(member)).count(),
            kept: surplus.len() - to_remove.len(),
            to_remove,
        }
    }
}
