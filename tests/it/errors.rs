//! Every error that DingTalk documents for an operation, met through the RPC that makes the call: the catalogue knows
//! it, and the caller is told its reason under the right gRPC code.

use std::collections::BTreeSet;

use dinggate::{
    dingtalk::{Applied, Generation, Reason, Repeat, Spec, catalogue},
    operation,
    pb::group as pb,
};
use dinggate_simulator::{Fault, reference};
use prost::Message;
use prost_types::FieldMask;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{Gateway, new_group, reason, sources, user};

/// A group of each kind, and a gateway that has not created them: it waits for none of them.
struct Scenery {
    gateway: Gateway,
    internal: pb::GroupRef,
    scene: pb::GroupRef,
}

fn scene() -> pb::CreateGroupRequest {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    pb::CreateGroupRequest { kind, ..new_group("Scene") }
}

impl Scenery {
    async fn new() -> Self {
        let creator = Gateway::start().await;
        let internal = creator.group().await.r#ref.unwrap();
        let scene = creator.create(scene()).await.r#ref.unwrap();
        // Every error is met once, many of one kind in a row.
        let sources =
            sources(&creator.simulator.url()).with("retry.max_attempts", 1).with("cache.enabled", false);
        let sources = sources.with("breaker.failures", 1_000_000);
        let gateway = Gateway::start_before(creator.simulator.clone(), sources).await;
        Self { gateway, internal, scene }
    }

    /// Makes the RPC that makes the call; what came back, be it the status of the RPC or of a member.
    async fn call(&self, operation: &str) -> Option<Result<(), Status>> {
        let (mut groups, mut members) = (self.gateway.groups.clone(), self.gateway.members.clone());
        let of = |kind: &pb::GroupRef| Some(kind.clone());
        let somebody = vec![user("user001")];
        let view = pb::GroupView::Full.into();
        let outcome = match operation {
            "group.create" => groups.create_group(new_group("New")).await.map(drop),
            "scene.create" => groups.create_group(scene()).await.map(drop),
            "group.update" => groups.update_group(rename(&self.internal)).await.map(drop),
            "scene.update" => groups.update_group(rename(&self.scene)).await.map(drop),
            "group.private_chat.set_legacy" => {
                groups.update_group(private_chat(&self.internal)).await.map(drop)
            }
            "group.get_legacy" => groups.get_group(get(&self.internal, 0)).await.map(drop),
            "scene.get_brief" => groups.get_group(get(&self.scene, 0)).await.map(drop),
            "scene.get_legacy" => groups.get_group(get(&self.scene, view)).await.map(drop),
            "scene.disband" => {
                let request = pb::DeleteGroupRequest { group: of(&self.scene), ..Default::default() };
                groups.delete_group(request).await.map(drop)
            }
            "group.qrcode.get_legacy" => {
                let inviter = Some(user("user001"));
                let request =
                    pb::GetJoinLinkRequest { group: of(&self.internal), inviter, ..Default::default() };
                groups.get_join_link(request).await.map(drop)
            }
            "group.chatid.to_open_conversation_id" => {
                let group = pb::GroupRef { open_conversation_id: String::new(), ..self.internal.clone() };
                let request = pb::ResolveGroupRequest { group: Some(group), ..Default::default() };
                groups.resolve_group(request).await.map(drop)
            }
            "scene.members.list" => {
                let request = pb::ListMembersRequest { group: of(&self.scene), ..Default::default() };
                members.list_members(request).await.map(drop)
            }
            "scene.members.add" => {
                let request =
                    pb::AddMembersRequest { group: of(&self.scene), members: somebody, ..Default::default() };
                members.add_members(request).await.and_then(|reply| first(&reply.into_inner().member_results))
            }
            "scene.members.remove" => {
                let request = pb::RemoveMembersRequest {
                    group: of(&self.scene),
                    members: somebody,
                    ..Default::default()
                };
                members
                    .remove_members(request)
                    .await
                    .and_then(|reply| first(&reply.into_inner().member_results))
            }
            "group.admins.set" | "scene.admins.set" => {
                let kind = if operation == "group.admins.set" { &self.internal } else { &self.scene };
                let request =
                    pb::GrantAdminsRequest { group: of(kind), members: somebody, ..Default::default() };
                members
                    .grant_admins(request)
                    .await
                    .and_then(|reply| first(&reply.into_inner().member_results))
            }
            "group.member.set_nick_legacy" | "scene.member.set_nick" => {
                let kind = if operation == "scene.member.set_nick" { &self.scene } else { &self.internal };
                let request = pb::SetMemberNicknameRequest {
                    group: of(kind),
                    member: Some(user("user001")),
                    nickname: "N".to_owned(),
                    ..Default::default()
                };
                members.set_member_nickname(request).await.map(drop)
            }
            "scene.members.mute.set" => {
                let duration = Some(prost_types::Duration { seconds: 60, nanos: 0 });
                let group = of(&self.scene);
                let request =
                    pb::MuteMembersRequest { group, members: somebody, duration, ..Default::default() };
                members
                    .mute_members(request)
                    .await
                    .and_then(|reply| first(&reply.into_inner().member_results))
            }
            "scene.mute.query" => {
                let member = Some(user("user001"));
                let request =
                    pb::GetMuteStatusRequest { group: of(&self.scene), member, ..Default::default() };
                members.get_mute_status(request).await.map(drop)
            }
            _ => return None,
        };
        Some(outcome)
    }
}

fn get(group: &pb::GroupRef, view: i32) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: Some(group.clone()), view, ..Default::default() }
}

fn rename(group: &pb::GroupRef) -> pb::UpdateGroupRequest {
    let group = pb::Group { r#ref: Some(group.clone()), title: "Renamed".to_owned(), ..Default::default() };
    let update_mask = Some(FieldMask { paths: vec!["title".to_owned()] });
    pb::UpdateGroupRequest { group: Some(group), update_mask, ..Default::default() }
}

fn private_chat(group: &pb::GroupRef) -> pb::UpdateGroupRequest {
    let settings = pb::GroupSettings { private_chat: pb::Toggle::Disabled.into(), ..Default::default() };
    let group = pb::Group { r#ref: Some(group.clone()), settings: Some(settings), ..Default::default() };
    let update_mask = Some(FieldMask { paths: vec!["settings.private_chat".to_owned()] });
    pb::UpdateGroupRequest { group: Some(group), update_mask, ..Default::default() }
}

/// What became of the first member, as a status.
fn first(results: &[pb::MemberResult]) -> Result<(), Status> {
    match results.first().and_then(|result| result.status.clone()) {
        Some(status) => Err(Status::with_details(
            Code::from(status.code),
            status.message.clone(),
            status.encode_to_vec().into(),
        )),
        None => Ok(()),
    }
}

/// The gRPC code of a reason, where the contract leaves no choice.
fn expected_code(reason: &str) -> Option<Code> {
    Some(match reason {
        "FIELD_INVALID" | "MEMBER_NOT_FOUND" | "CONTENT_REJECTED" => Code::InvalidArgument,
        "GROUP_NOT_FOUND" => Code::NotFound,
        "APP_PERMISSION_MISSING"
        | "GROUP_DISBANDED"
        | "LIMIT_REACHED"
        | "NOT_A_MEMBER"
        | "OWNER_OUT_OF_SCOPE"
        | "TEMPLATE_NOT_ACCESSIBLE"
        | "APP_CREDENTIALS_REJECTED"
        | "GROUP_NOT_ACCESSIBLE" => Code::FailedPrecondition,
        "APP_RATE_LIMITED" | "PLATFORM_RATE_LIMITED" | "MONTHLY_QUOTA_EXHAUSTED" => Code::ResourceExhausted,
        "UPSTREAM_BUSY" => Code::Unavailable,
        "OUTCOME_UNKNOWN" => Code::Unknown,
        _ => return None,
    })
}

/// What the caller of an operation is told of a code.
fn expected_reason(spec: &Spec, row: &catalogue::Row) -> &'static str {
    let acts_again = matches!(spec.repeat, Repeat::Once | Repeat::Keyed);
    if acts_again && row.applied == Applied::Maybe {
        Reason::OutcomeUnknown.as_str()
    } else {
        row.reason.as_str()
    }
}

#[tokio::test]
async fn every_documented_error_of_an_operation_reaches_the_caller_with_its_reason() {
    let scenery = Scenery::new().await;
    let simulator = scenery.gateway.simulator.clone();
    let (mut walked, mut unknown) = (BTreeSet::new(), Vec::new());
    for spec in operation::ALL {
        let documented = reference::operations().iter().find(|operation| operation.id == spec.id).unwrap();
        for error in &documented.errors {
            let Some(row) = catalogue::find(spec.generation, error.http, &error.code, None) else {
                unknown.push(format!("{}: {} {}", spec.id, error.http, error.code));
                continue;
            };
            let fault = Fault::Error {
                status: error.http,
                code: error.code.clone(),
                sub_code: None,
                message: "文字".to_owned(),
                applied: false,
            };
            // A refused token is replayed once, and refused again.
            let times = if row.retryable == catalogue::Retryable::AfterTokenRefresh { 2 } else { 1 };
            simulator.fail_next(spec.id, times, fault);
            let outcome = scenery.call(spec.id).await;
            simulator.clear_faults();
            let Some(outcome) = outcome else { break };
            let status = outcome.expect_err(&format!("{} {}", spec.id, error.code));
            let expected = expected_reason(spec, row);
            assert_eq!(reason(&status), expected, "{} {}: {status:?}", spec.id, error.code);
            if let Some(code) = expected_code(expected) {
                assert_eq!(status.code(), code, "{} {}", spec.id, error.code);
            }
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.metadata["operation"], spec.id);
            assert_eq!(info.metadata["upstream_code"], error.code, "{}", spec.id);
            walked.insert(spec.id);
        }
    }
    assert!(unknown.is_empty(), "the catalogue does not know {unknown:#?}");
    assert!(walked.len() >= 19, "{walked:?}");
    assert!(
        operation::ALL.iter().any(|spec| spec.generation == Generation::Legacy && walked.contains(spec.id))
    );
}
