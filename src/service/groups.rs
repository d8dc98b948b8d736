//! `dinggate.group.v1.GroupService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    check::Violations,
    convert,
    once::Once,
    rpc::{Apps, Rpc},
    status,
};
use crate::{
    group::{
        Changes, Fault, Groups, Kind, Member, NewGroup, Outcome, Scenario, Setting, Settings, View,
        is_complete,
    },
    operation::id::UserId,
    pb::group::{self as pb, create_group_request, group_result, group_service_server::GroupService},
};

/// The service.
#[derive(Debug, Clone)]
pub struct GroupApi {
    apps: Apps,
    groups: Groups,
    once: Once,
}

impl GroupApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups, once: Once) -> Self {
        Self { apps, groups, once }
    }
}

#[async_trait]
impl GroupService for GroupApi {
    async fn create_group(
        &self,
        request: Request<pb::CreateGroupRequest>,
    ) -> Result<Response<pb::CreateGroupResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let new = new_group(&rpc.message);
        if rpc.message.kind.is_some() {
            rpc.faults.extend(new.faults());
        }
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let outcome = groups.create(&request, new).await.map_err(|error| rpc.failed(error))?;
            Ok(match outcome {
                Outcome::Done(created) => {
                    let group = convert::group_to_pb(created.group);
                    rpc.made(&group.r#ref);
                    pb::CreateGroupResponse {
                        group: Some(group),
                        complete: is_complete(&created.verdicts),
                        member_results: rpc.results(created.verdicts),
                        planned_calls: Vec::new(),
                    }
                }
                Outcome::Planned(calls) => {
                    pb::CreateGroupResponse { planned_calls: convert::planned(calls), ..Default::default() }
                }
            })
        })
        .await
    }

    async fn get_group(
        &self,
        request: Request<pb::GetGroupRequest>,
    ) -> Result<Response<pb::GetGroupResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let staleness = convert::staleness(rpc.message.max_staleness);
        let answer = self.groups.get(&request, &group, view(rpc.message.view()), staleness).await;
        let answer = answer.map_err(|error| rpc.failed(error))?;
        Ok(Response::new(pb::GetGroupResponse {
            group: Some(convert::group_to_pb(answer.value)),
            read_time: Some(answer.read_time.into()),
            from_cache: answer.from_cache,
        }))
    }

    async fn batch_get_groups(
        &self,
        request: Request<pb::BatchGetGroupsRequest>,
    ) -> Result<Response<pb::BatchGetGroupsResponse>, Status> {
        let mut rpc = Rpc::for_app(&self.apps, request)?;
        let request = rpc.admit()?;
        let (view, staleness) = (view(rpc.message.view()), convert::staleness(rpc.message.max_staleness));
        let mut results = Vec::with_capacity(rpc.message.groups.len());
        for handle in &rpc.message.groups {
            let answer = match rpc.may_reach(handle) {
                Ok(()) => {
                    let answer =
                        self.groups.get(&request, &convert::group_ref(handle), view, staleness).await;
                    answer.map_err(|error| rpc.failed_in_body(&error))
                }
                Err(refusal) => Err(status::in_body(&refusal)),
            };
            let (result, read_time, from_cache) = match answer {
                Ok(answer) => {
                    let group = convert::group_to_pb(answer.value);
                    (group_result::Result::Group(group), Some(answer.read_time.into()), answer.from_cache)
                }
                Err(status) => (group_result::Result::Status(status), None, false),
            };
            let (r#ref, result) = (Some(handle.clone()), Some(result));
            results.push(pb::GroupResult { r#ref, result, read_time, from_cache });
        }
        Ok(Response::new(pb::BatchGetGroupsResponse { results }))
    }

    async fn update_group(
        &self,
        request: Request<pb::UpdateGroupRequest>,
    ) -> Result<Response<pb::UpdateGroupResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let group = rpc.message.group.clone().unwrap_or_default();
        let handle = convert::group_ref_of(&group.r#ref);
        let changes = changes(&group, &rpc.message, &mut rpc.faults);
        rpc.faults.extend(handle.kind.map(|kind| changes.faults(kind)).unwrap_or_default());
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let outcome =
                groups.update(&request, &handle, changes).await.map_err(|error| rpc.failed(error))?;
            Ok(match outcome {
                Outcome::Done(group) => pb::UpdateGroupResponse {
                    group: Some(convert::group_to_pb(group)),
                    planned_calls: Vec::new(),
                },
                Outcome::Planned(calls) => {
                    pb::UpdateGroupResponse { group: None, planned_calls: convert::planned(calls) }
                }
            })
        })
        .await
    }

    async fn delete_group(
        &self,
        request: Request<pb::DeleteGroupRequest>,
    ) -> Result<Response<pb::DeleteGroupResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let group = convert::group_ref_of(&rpc.message.group);
            let outcome = groups.delete(&request, &group, rpc.message.allow_missing).await;
            Ok(match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(deleted) => pb::DeleteGroupResponse { deleted, planned_calls: Vec::new() },
                Outcome::Planned(calls) => {
                    pb::DeleteGroupResponse { deleted: false, planned_calls: convert::planned(calls) }
                }
            })
        })
        .await
    }

    async fn resolve_group(
        &self,
        request: Request<pb::ResolveGroupRequest>,
    ) -> Result<Response<pb::ResolveGroupResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let group = self.groups.resolve(&request, &group).await.map_err(|error| rpc.failed(error))?;
        Ok(Response::new(pb::ResolveGroupResponse { group: Some(convert::group_ref_to_pb(group)) }))
    }

    async fn get_join_link(
        &self,
        request: Request<pb::GetJoinLinkRequest>,
    ) -> Result<Response<pb::GetJoinLinkResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let inviter = rpc.message.inviter.as_ref().and_then(convert::member);
        let url = self.groups.join_link(&request, &group, inviter.as_ref()).await;
        Ok(Response::new(pb::GetJoinLinkResponse { url: url.map_err(|error| rpc.failed(error))? }))
    }
}

fn view(view: pb::GroupView) -> View {
    match view {
        pb::GroupView::Full => View::Full,
        pb::GroupView::Basic | pb::GroupView::Unspecified => View::Basic,
    }
}

fn new_group(message: &pb::CreateGroupRequest) -> NewGroup {
    // A missing owner or kind has been reported; what stands here for it is never used.
    let owner =
        message.owner.as_ref().and_then(convert::member).unwrap_or(Member::User(UserId(String::new())));
    NewGroup {
        title: message.title.clone(),
        owner,
        members: convert::members(&message.members),
        icon: convert::media_id(&message.icon_media_id),
        settings: message.settings.as_ref().map(convert::settings).unwrap_or_default(),
        kind: match message.kind {
            Some(create_group_request::Kind::Standard(_)) => Kind::Standard,
            Some(create_group_request::Kind::Scenario(_)) => Kind::Scenario,
            Some(create_group_request::Kind::Internal(_)) | None => Kind::Internal,
        },
        scenario: match &message.kind {
            Some(create_group_request::Kind::Scenario(scenario)) => Some(Scenario {
                template_id: scenario.template_id.clone(),
                admins: convert::members(&scenario.admins),
            }),
            _ => None,
        },
    }
}

/// What the mask names, with the values that the group has for it; a path without a value is a fault.
fn changes(group: &pb::Group, request: &pb::UpdateGroupRequest, faults: &mut Violations) -> Changes {
    let mut changes = Changes::default();
    let stated = group.settings.as_ref().map(convert::settings).unwrap_or_default();
    let mut missing = |path: &str| {
        let text = "is required: the update mask names it";
        faults.extend(vec![Fault::new(format!("group.{path}"), text)]);
    };
    for path in request.update_mask.iter().flat_map(|mask| &mask.paths) {
        match path.as_str() {
            "title" => changes.title = Some(group.title.clone()),
            "owner" => match group.owner.as_ref().and_then(convert::member) {
                Some(owner) => changes.owner = Some(owner),
                None => missing(path),
            },
            "icon_media_id" => match convert::media_id(&group.icon_media_id) {
                Some(icon) => changes.icon = Some(icon),
                None => missing(path),
            },
            "settings" if stated == Settings::default() => missing(path),
            "settings" => changes.settings = stated.or(&changes.settings),
            path => {
                let name = path.strip_prefix("settings.").unwrap_or(path);
                let Some(setting) = Setting::of_name(name) else { continue };
                match stated.get(setting) {
                    Some(choice) => changes.settings.set(setting, choice),
                    None => missing(path),
                }
            }
        }
    }
    changes
}
