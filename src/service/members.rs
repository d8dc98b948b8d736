//! `dinggate.group.v1.MemberService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    convert,
    once::Once,
    page,
    rpc::{Apps, Bulk, Rpc},
};
use crate::{
    group::{Answer, Fault, GroupRef, Groups, Member, Outcome, Roster, Wanted, is_complete},
    pb::group::{self as pb, member_service_server::MemberService},
};

/// The service.
#[derive(Debug, Clone)]
pub struct MemberApi {
    apps: Apps,
    groups: Groups,
    once: Once,
}

impl MemberApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups, once: Once) -> Self {
        Self { apps, groups, once }
    }
}

#[async_trait]
impl MemberService for MemberApi {
    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let begin = page::begin(&rpc.message.page_token);
        if begin.is_none() {
            rpc.faults.extend(vec![Fault::new("page_token", "is not a token of this RPC")]);
        }
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let roles = rpc.message.include_roles;
        let staleness = convert::staleness(rpc.message.max_staleness);
        let answer = self.groups.members(&request, &group, roles, staleness).await;
        let Answer { value: mut roster, read_time, from_cache } =
            answer.map_err(|error| rpc.failed(error))?;
        let (begin, size) = (begin.unwrap_or_default(), page::size(rpc.message.page_size));
        let total = roster.members.len();
        let end = begin.saturating_add(size);
        let everybody = std::mem::take(&mut roster.members);
        let page = everybody.into_iter().skip(begin).take(size).map(|member| pb::Member {
            role: if roles { role(&roster, &member) } else { pb::MemberRole::Unspecified }.into(),
            nickname: roster.names.get(&member).cloned().unwrap_or_default(),
            r#ref: Some(convert::member_to_pb(member)),
        });
        Ok(Response::new(pb::ListMembersResponse {
            members: page.collect(),
            next_page_token: page::next(end, total),
            total_size: i32::try_from(total).ok(),
            read_time: Some(read_time.into()),
            from_cache,
        }))
    }

    async fn add_members(
        &self,
        request: Request<pb::AddMembersRequest>,
    ) -> Result<Response<pb::AddMembersResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, members) = handle_and_members(&rpc.message.group, &rpc.message.members);
            let outcome = groups.add_members(&request, &group, members).await;
            let Bulk { complete, member_results, planned_calls } = rpc.bulk(outcome)?;
            Ok(pb::AddMembersResponse { complete, member_results, planned_calls })
        })
        .await
    }

    async fn remove_members(
        &self,
        request: Request<pb::RemoveMembersRequest>,
    ) -> Result<Response<pb::RemoveMembersResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, members) = handle_and_members(&rpc.message.group, &rpc.message.members);
            let outcome = groups.remove_members(&request, &group, members).await;
            let Bulk { complete, member_results, planned_calls } = rpc.bulk(outcome)?;
            Ok(pb::RemoveMembersResponse { complete, member_results, planned_calls })
        })
        .await
    }

    async fn sync_members(
        &self,
        request: Request<pb::SyncMembersRequest>,
    ) -> Result<Response<pb::SyncMembersResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let group = convert::group_ref_of(&rpc.message.group);
            let synced = groups.sync_members(&request, &group, wanted(&rpc.message)).await;
            let synced = synced.map_err(|error| rpc.failed(error))?;
            Ok(pb::SyncMembersResponse {
                plan: Some(convert::sync_plan(synced.plan)),
                complete: !request.validate_only && is_complete(&synced.verdicts),
                member_results: rpc.results(synced.verdicts),
                planned_calls: convert::planned(synced.planned),
            })
        })
        .await
    }

    async fn set_member_nickname(
        &self,
        request: Request<pb::SetMemberNicknameRequest>,
    ) -> Result<Response<pb::SetMemberNicknameResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let group = convert::group_ref_of(&rpc.message.group);
            let (member, nickname) = (convert::user_id(&rpc.message.member), rpc.message.nickname.clone());
            let outcome = groups.set_nickname(&request, &group, member, nickname).await;
            let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(()) => Vec::new(),
                Outcome::Planned(calls) => convert::planned(calls),
            };
            Ok(pb::SetMemberNicknameResponse { planned_calls })
        })
        .await
    }

    async fn grant_admins(
        &self,
        request: Request<pb::GrantAdminsRequest>,
    ) -> Result<Response<pb::GrantAdminsResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, members) = handle_and_members(&rpc.message.group, &rpc.message.members);
            let outcome = groups.grant_admins(&request, &group, members).await;
            let Bulk { complete, member_results, planned_calls } = rpc.bulk(outcome)?;
            Ok(pb::GrantAdminsResponse { complete, member_results, planned_calls })
        })
        .await
    }

    async fn revoke_admins(
        &self,
        request: Request<pb::RevokeAdminsRequest>,
    ) -> Result<Response<pb::RevokeAdminsResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, members) = handle_and_members(&rpc.message.group, &rpc.message.members);
            let outcome = groups.revoke_admins(&request, &group, members).await;
            let Bulk { complete, member_results, planned_calls } = rpc.bulk(outcome)?;
            Ok(pb::RevokeAdminsResponse { complete, member_results, planned_calls })
        })
        .await
    }

    async fn mute_members(
        &self,
        request: Request<pb::MuteMembersRequest>,
    ) -> Result<Response<pb::MuteMembersResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, members) = handle_and_members(&rpc.message.group, &rpc.message.members);
            // Not negative: that is a rule of the field.
            let duration =
                rpc.message.duration.and_then(|duration| duration.try_into().ok()).unwrap_or_default();
            let outcome = groups.mute(&request, &group, members, duration).await;
            let Bulk { complete, member_results, planned_calls } = rpc.bulk(outcome)?;
            Ok(pb::MuteMembersResponse { complete, member_results, planned_calls })
        })
        .await
    }

    async fn unmute_members(
        &self,
        request: Request<pb::UnmuteMembersRequest>,
    ) -> Result<Response<pb::UnmuteMembersResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, members) = handle_and_members(&rpc.message.group, &rpc.message.members);
            let outcome = groups.unmute(&request, &group, members).await;
            let Bulk { complete, member_results, planned_calls } = rpc.bulk(outcome)?;
            Ok(pb::UnmuteMembersResponse { complete, member_results, planned_calls })
        })
        .await
    }

    async fn get_mute_status(
        &self,
        request: Request<pb::GetMuteStatusRequest>,
    ) -> Result<Response<pb::GetMuteStatusResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let member = convert::user_id(&rpc.message.member);
        let mute =
            self.groups.mute_status(&request, &group, &member).await.map_err(|error| rpc.failed(error))?;
        Ok(Response::new(pb::GetMuteStatusResponse {
            group_muted: mute.group,
            member_muted: mute.member,
            mute_start_time: mute.start.map(Into::into),
            mute_end_time: mute.end.map(Into::into),
        }))
    }
}

fn handle_and_members(group: &Option<pb::GroupRef>, members: &[pb::MemberRef]) -> (GroupRef, Vec<Member>) {
    (convert::group_ref_of(group), convert::members(members))
}

/// Where the admins are not known, neither is who is just a member.
fn role(roster: &Roster, member: &Member) -> pb::MemberRole {
    match &roster.admins {
        _ if roster.owner.as_ref() == Some(member) => pb::MemberRole::Owner,
        Some(admins) if admins.contains(member) => pb::MemberRole::Admin,
        Some(_) => pb::MemberRole::Member,
        None => pb::MemberRole::Unspecified,
    }
}

fn wanted(message: &pb::SyncMembersRequest) -> Wanted {
    let mode = message.mode();
    Wanted {
        members: convert::members(&message.members),
        keep: convert::members(&message.keep),
        add: mode != pb::SyncMode::RemoveOnly,
        remove: mode != pb::SyncMode::AddOnly,
        max_removals: message.max_removals.and_then(|max| usize::try_from(max).ok()),
    }
}
