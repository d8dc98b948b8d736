//! `dinggate.group.v1.MemberService`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use tonic::{Request, Response, Status, async_trait};

use super::{
    convert,
    rpc::{Apps, Common, Rpc, id_of},
    status::not_implemented,
};
use crate::{
    group::{Fault, Groups, Member, Outcome, Roster, Wanted, is_complete},
    pb::group::{self as pb, member_service_server::MemberService},
};

/// Most members on a page.
const PAGE_MAX: usize = 1000;

/// The service.
#[derive(Debug, Clone)]
pub struct MemberApi {
    apps: Apps,
    groups: Groups,
}

impl MemberApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups) -> Self {
        Self { apps, groups }
    }
}

#[async_trait]
impl MemberService for MemberApi {
    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let begin = offset(&rpc.message.page_token);
        if begin.is_none() {
            rpc.faults.extend(vec![Fault::new("page_token", "is not a token of this RPC")]);
        }
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let roles = rpc.message.include_roles;
        let mut roster =
            self.groups.members(&request, &group, roles).await.map_err(|error| rpc.failed(error))?;
        let (begin, asked) =
            (begin.unwrap_or_default(), usize::try_from(rpc.message.page_size).unwrap_or_default());
        let size = if asked == 0 { PAGE_MAX } else { asked.min(PAGE_MAX) };
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
            next_page_token: if end < total { token(end) } else { String::new() },
            total_size: i32::try_from(total).ok(),
            read_time: Some(convert::now()),
            from_cache: false,
        }))
    }

    async fn add_members(
        &self,
        request: Request<pb::AddMembersRequest>,
    ) -> Result<Response<pb::AddMembersResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let (group, members) =
            (convert::group_ref_of(&rpc.message.group), convert::members(&rpc.message.members));
        let outcome = self.groups.add_members(&request, &group, members).await;
        Ok(Response::new(match outcome.map_err(|error| rpc.failed(error))? {
            Outcome::Done(verdicts) => pb::AddMembersResponse {
                complete: is_complete(&verdicts),
                member_results: rpc.results(verdicts),
                planned_calls: Vec::new(),
            },
            Outcome::Planned(calls) => {
                pb::AddMembersResponse { planned_calls: convert::planned(calls), ..Default::default() }
            }
        }))
    }

    async fn remove_members(
        &self,
        request: Request<pb::RemoveMembersRequest>,
    ) -> Result<Response<pb::RemoveMembersResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let (group, members) =
            (convert::group_ref_of(&rpc.message.group), convert::members(&rpc.message.members));
        let outcome = self.groups.remove_members(&request, &group, members).await;
        Ok(Response::new(match outcome.map_err(|error| rpc.failed(error))? {
            Outcome::Done(verdicts) => pb::RemoveMembersResponse {
                complete: is_complete(&verdicts),
                member_results: rpc.results(verdicts),
                planned_calls: Vec::new(),
            },
            Outcome::Planned(calls) => {
                pb::RemoveMembersResponse { planned_calls: convert::planned(calls), ..Default::default() }
            }
        }))
    }

    async fn sync_members(
        &self,
        request: Request<pb::SyncMembersRequest>,
    ) -> Result<Response<pb::SyncMembersResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let synced = self.groups.sync_members(&request, &group, wanted(&rpc.message)).await;
        let synced = synced.map_err(|error| rpc.failed(error))?;
        Ok(Response::new(pb::SyncMembersResponse {
            plan: Some(convert::sync_plan(synced.plan)),
            complete: !request.validate_only && is_complete(&synced.verdicts),
            member_results: rpc.results(synced.verdicts),
            planned_calls: convert::planned(synced.planned),
        }))
    }

    async fn set_member_nickname(
        &self,
        _: Request<pb::SetMemberNicknameRequest>,
    ) -> Result<Response<pb::SetMemberNicknameResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.MemberService/SetMemberNickname"))
    }

    async fn grant_admins(
        &self,
        _: Request<pb::GrantAdminsRequest>,
    ) -> Result<Response<pb::GrantAdminsResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.MemberService/GrantAdmins"))
    }

    async fn revoke_admins(
        &self,
        _: Request<pb::RevokeAdminsRequest>,
    ) -> Result<Response<pb::RevokeAdminsResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.MemberService/RevokeAdmins"))
    }

    async fn mute_members(
        &self,
        _: Request<pb::MuteMembersRequest>,
    ) -> Result<Response<pb::MuteMembersResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.MemberService/MuteMembers"))
    }

    async fn unmute_members(
        &self,
        _: Request<pb::UnmuteMembersRequest>,
    ) -> Result<Response<pb::UnmuteMembersResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.MemberService/UnmuteMembers"))
    }

    async fn get_mute_status(
        &self,
        _: Request<pb::GetMuteStatusRequest>,
    ) -> Result<Response<pb::GetMuteStatusResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.MemberService/GetMuteStatus"))
    }
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

/// Where the next page begins, as callers carry it.
fn token(offset: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(offset.to_be_bytes())
}

/// Where a page begins; none for a token that is not ours.
fn offset(token: &str) -> Option<usize> {
    if token.is_empty() {
        return Some(0);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    Some(usize::from_be_bytes(bytes.try_into().ok()?))
}

impl Common for pb::ListMembersRequest {
    fn app(&self) -> &str {
        &self.app
    }
    fn group(&self) -> Option<&str> {
        id_of(&self.group)
    }
}

impl Common for pb::AddMembersRequest {
    fn app(&self) -> &str {
        &self.app
    }
    fn group(&self) -> Option<&str> {
        id_of(&self.group)
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
    fn validate_only(&self) -> bool {
        self.validate_only
    }
    fn people(&self) -> &'static str {
        "members"
    }
}

impl Common for pb::RemoveMembersRequest {
    fn app(&self) -> &str {
        &self.app
    }
    fn group(&self) -> Option<&str> {
        id_of(&self.group)
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
    fn validate_only(&self) -> bool {
        self.validate_only
    }
    fn people(&self) -> &'static str {
        "members"
    }
}

impl Common for pb::SyncMembersRequest {
    fn app(&self) -> &str {
        &self.app
    }
    fn group(&self) -> Option<&str> {
        id_of(&self.group)
    }
    fn request_id(&self) -> &str {
        &self.request_id
    }
    fn validate_only(&self) -> bool {
        self.validate_only
    }
    fn people(&self) -> &'static str {
        "members"
    }
}
