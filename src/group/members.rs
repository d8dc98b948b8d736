//! Who is in a group: list, add, remove, bring in line.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{
    Groups, Request,
    bulk::{Verdict, Verdicts, in_chunks},
    cache::Answer,
    directory::Path,
    error::Error,
    model::{GroupRef, Member, Outcome, PlannedCall, State, split},
    read::state,
    reads::Read,
    twins,
};
use crate::{
    dingtalk::{App, Endpoint, Spec},
    operation::{
        group::{ChatInfo, GetGroup, UpdateGroup},
        id::OpenConversationId,
        scene::{AddMembers, GetGroupBrief, ListMembers, RemoveMembers},
    },
};

/// Who is in a group, as DingTalk has it now.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Everybody, the owner included.
    pub members: Vec<Member>,
    /// Their names in the group, where DingTalk tells them.
    pub names: HashMap<Member, String>,
    /// Who owns it, where that is known.
    pub owner: Option<Member>,
    /// Its admins, where they are known.
    pub admins: Option<Vec<Member>>,
    /// The members that DingTalk has called robots before.
    pub robots: HashSet<Member>,
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
pub(super) enum Way {
    In,
    Out,
}

impl Groups {
    /// Everybody in the group. On scenario groups knowing the roles costs another call; on the others only the owner
    /// can be known.
    pub async fn members(
        &self,
        request: &Request,
        group: &GroupRef,
        roles: bool,
        max_staleness: Option<Duration>,
    ) -> Result<Answer<Roster>, Error> {
        let (_, path) = self.reach(request, group, "group").await?;
        let read = match &path {
            Path::Ordinary(chat_id) => Read::Ordinary(chat_id.clone()),
            Path::Scenario(open_id) => Read::Members(open_id.clone()),
        };
        let Answer { value, mut read_time, mut from_cache } =
            self.cached(request, &read, max_staleness).await?;
        if value.group.state == Some(State::Disbanded) {
            return Err(Error::GroupDisbanded);
        }
        let mut roster = value.roster.clone();
        if let (Path::Scenario(open_id), true) = (path, roles) {
            let full = self.cached(request, &Read::Full(open_id), max_staleness).await?;
            roster.owner = full.value.group.owner.clone();
            roster.admins = Some(full.value.group.admins.clone());
            read_time = read_time.min(full.read_time);
            from_cache |= full.from_cache;
        }
        Ok(Answer { value: roster, read_time, from_cache })
    }

    /// Adds people. DingTalk takes those who are in already without a word, so they count as added.
    pub async fn add_members(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        let (handle, path) = self.reach(request, group, "group").await?;
        path.names(&request.app, &members)?;
        if request.validate_only {
            return Ok(Outcome::Planned(path.calls(&request.app, Way::In, members.len())));
        }
        let work = self.change_members(request, &path, &members, Way::In);
        self.changing(request, &handle, work).await.map(Outcome::Done)
    }

    /// Removes people. Reads the group first: what DingTalk makes of an owner who is removed is not documented, and
    /// who is not there need not be removed.
    pub async fn remove_members(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        let (handle, path) = self.reach(request, group, "group").await?;
        path.names(&request.app, &members)?;
        if request.validate_only {
            let reads = path.owner_reads().into_iter().map(PlannedCall::once);
            return Ok(Outcome::Planned(
                reads.chain(path.calls(&request.app, Way::Out, members.len())).collect(),
            ));
        }
        let work = self.remove_present(request, &path, members);
        self.changing(request, &handle, work).await.map(Outcome::Done)
    }

    async fn remove_present(
        &self,
        request: &Request,
        path: &Path,
        members: Vec<Member>,
    ) -> Result<Verdicts, Error> {
        let roster = self.roster_with_owner(request, path).await?;
        let present: HashSet<_> = roster.members.iter().collect();
        let stays = |member: &Member| roster.owner.as_ref() == Some(member);
        let leaving: Vec<_> =
            members.iter().filter(|member| present.contains(member) && !stays(member)).cloned().collect();
        let mut removed = self.change_members(request, path, &leaving, Way::Out).await?.into_iter();
        let verdict = |member: Member| {
            let verdict = if stays(&member) {
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
        let (handle, path) = self.reach(request, group, "group").await?;
        path.names(&request.app, &wanted.members)?;
        let work = self.sync(request, &path, &wanted);
        if request.validate_only { work.await } else { self.changing(request, &handle, work).await }
    }

    async fn sync(&self, request: &Request, path: &Path, wanted: &Wanted) -> Result<Synced, Error> {
        let mut roster = self.roster(request, path).await?;
        let mut plan = SyncPlan::new(&roster, wanted);
        if let (Path::Scenario(open_id), None, false) = (path, &roster.owner, plan.to_remove.is_empty()) {
            // Who must not go matters only where somebody has to go.
            roster.owner = self.read_brief(request, open_id).await?.owner_user_id.map(Member::User);
            plan = SyncPlan::new(&roster, wanted);
        }
        if let Some(max_removals) = wanted.max_removals.filter(|max| plan.to_remove.len() > *max) {
            let (to_add, to_remove) = (plan.to_add.len(), plan.to_remove.len());
            return Err(Error::RemovalGuard { to_add, to_remove, max_removals });
        }
        if request.validate_only {
            let reads = if plan.to_remove.is_empty() { path.reads() } else { path.owner_reads() };
            let reads = reads.into_iter().map(PlannedCall::once);
            let writes = [
                path.calls(&request.app, Way::In, plan.to_add.len()),
                path.calls(&request.app, Way::Out, plan.to_remove.len()),
            ];
            let planned = reads.chain(writes.concat()).collect();
            return Ok(Synced { plan, verdicts: Vec::new(), planned });
        }
        let mut verdicts = self.change_members(request, path, &plan.to_add, Way::In).await?;
        match self.change_members(request, path, &plan.to_remove, Way::Out).await {
            Ok(removed) => verdicts.extend(removed),
            Err(error) if plan.to_add.is_empty() => return Err(error),
            // Somebody was added: that must not be hidden behind an error.
            Err(error) => {
                let failed = |member: &Member| (member.clone(), Verdict::Failed(error.clone()));
                verdicts.extend(plan.to_remove.iter().map(failed));
            }
        }
        Ok(Synced { plan, verdicts, planned: Vec::new() })
    }

    async fn roster(&self, request: &Request, path: &Path) -> Result<Roster, Error> {
        match path {
            Path::Ordinary(chat_id) => {
                let info = self.read_ordinary(request, chat_id).await?;
                if state(info.status) == State::Disbanded {
                    return Err(Error::GroupDisbanded);
                }
                Ok(Roster::from(&info))
            }
            Path::Scenario(open_id) => self.scene_roster(request, open_id).await,
        }
    }

    /// DingTalk pages as it likes: groups of up to a thousand people arrive whole.
    pub(super) async fn scene_roster(
        &self,
        request: &Request,
        open_id: &OpenConversationId,
    ) -> Result<Roster, Error> {
        let (mut roster, mut next_token) = (Roster::default(), None);
        loop {
            let endpoint = ListMembers {
                open_conversation_id: open_id,
                max_results: 1000,
                next_token: next_token.as_deref(),
            };
            let page = self.call_scene(request, open_id, &endpoint).await?;
            let users = page.user_names.into_iter().map(|(id, name)| (Member::User(id), name));
            let unions = page.union_names.into_iter().map(|(id, name)| (Member::Union(id), name));
            roster.names.extend(users.chain(unions));
            roster.members.extend(page.user_ids.into_iter().map(Member::User));
            roster.members.extend(page.union_ids.into_iter().map(Member::Union));
            // Only the flag says when to stop; a page that leads nowhere would lead there for ever.
            match page.next_token.filter(|token| !token.is_empty() && page.has_more == Some(true)) {
                Some(token) if next_token.as_ref() != Some(&token) => next_token = Some(token),
                _ => break,
            }
        }
        let is_robot = |member: &&Member| self.directory.is_robot(&request.app, open_id, member);
        roster.robots = roster.members.iter().filter(is_robot).cloned().collect();
        Ok(roster)
    }

    async fn roster_with_owner(&self, request: &Request, path: &Path) -> Result<Roster, Error> {
        let mut roster = self.roster(request, path).await?;
        if let Path::Scenario(open_id) = path {
            roster.owner = self.read_brief(request, open_id).await?.owner_user_id.map(Member::User);
        }
        Ok(roster)
    }

    /// Adds or removes people in as many calls as it takes.
    pub(super) async fn change_members(
        &self,
        request: &Request,
        path: &Path,
        members: &[Member],
        way: Way,
    ) -> Result<Verdicts, Error> {
        let size = request.app.chunk_size(path.spec(&request.app, way));
        in_chunks(members, size, request.context.deadline, |chunk| async move {
            let (user_ids, union_ids) = split(chunk);
            let (users, unions) = (&user_ids[..], &union_ids[..]);
            match (path, way) {
                (Path::Ordinary(chat_id), Way::In) => {
                    let nothing = UpdateGroup::of(chat_id);
                    let endpoint = UpdateGroup { add_user_ids: users, add_union_ids: unions, ..nothing };
                    self.send_update(request, endpoint).await
                }
                (Path::Ordinary(chat_id), Way::Out) => {
                    let nothing = UpdateGroup::of(chat_id);
                    let endpoint = UpdateGroup { del_user_ids: users, del_union_ids: unions, ..nothing };
                    self.send_update(request, endpoint).await
                }
                (Path::Scenario(open_conversation_id), Way::In) => {
                    let endpoint = AddMembers { open_conversation_id, user_ids: users, union_ids: unions };
                    self.send_scene_add(request, endpoint).await
                }
                (Path::Scenario(open_conversation_id), Way::Out) => {
                    let endpoint = RemoveMembers { open_conversation_id, user_ids: users, union_ids: unions };
                    self.send_scene_remove(request, endpoint).await
                }
            }
        })
        .await
    }
}

impl Path {
    /// Whether these people can be named to the operations that serve this app.
    fn names(&self, app: &App, members: &[Member]) -> Result<(), Error> {
        let faults = match self {
            Path::Ordinary(_) => Vec::new(),
            Path::Scenario(_) => twins::unnamed(app, "members", members),
        };
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
    }

    /// The operation that changes members.
    pub(super) fn spec(&self, app: &App, way: Way) -> &'static Spec {
        let newer = match (self, way) {
            (Path::Ordinary(_), _) => UpdateGroup::SPEC,
            (Path::Scenario(_), Way::In) => AddMembers::SPEC,
            (Path::Scenario(_), Way::Out) => RemoveMembers::SPEC,
        };
        twins::of(app, newer)
    }

    /// The calls that change this many members.
    pub(super) fn calls(&self, app: &App, way: Way, members: usize) -> Vec<PlannedCall> {
        PlannedCall::chunked(app, self.spec(app, way), members)
    }

    /// What tells who is in the group.
    fn reads(&self) -> Vec<&'static Spec> {
        match self {
            Path::Ordinary(_) => vec![GetGroup::SPEC],
            Path::Scenario(_) => vec![ListMembers::SPEC],
        }
    }

    /// What tells who is in the group and who owns it.
    fn owner_reads(&self) -> Vec<&'static Spec> {
        match self {
            Path::Ordinary(_) => self.reads(),
            Path::Scenario(_) => vec![ListMembers::SPEC, GetGroupBrief::SPEC],
        }
    }
}

impl From<&ChatInfo> for Roster {
    fn from(info: &ChatInfo) -> Self {
        let users = info.user_ids.iter().cloned().map(Member::User);
        let members = users.chain(info.union_ids.iter().cloned().map(Member::Union)).collect();
        Roster { members, owner: Some(info.owner()), ..Roster::default() }
    }
}

impl SyncPlan {
    fn new(roster: &Roster, wanted: &Wanted) -> Self {
        let present: HashSet<_> = roster.members.iter().collect();
        let listed: HashSet<_> = wanted.members.iter().collect();
        let keep: HashSet<_> = wanted.keep.iter().collect();
        let missing = wanted.members.iter().filter(|member| !present.contains(member));
        let surplus: Vec<_> = roster.members.iter().filter(|member| !listed.contains(member)).collect();
        let stays = |member: &Member| {
            roster.owner.as_ref() == Some(member) || roster.robots.contains(member) || keep.contains(member)
        };
        let goes = |member: &&&Member| wanted.remove && !stays(member);
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
