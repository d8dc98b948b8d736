//! Admins, names and mutes.

use dinggate::pb::group as pb;
use serde_json::json;
use tonic::Code;

use crate::support::{Gateway, crowded, fields, metadata, new_group, people, reason, union, user};

fn scene(members: Vec<pb::MemberRef>) -> pb::CreateGroupRequest {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    pb::CreateGroupRequest { kind, members, ..new_group("Scene") }
}

fn outcomes(results: &[pb::MemberResult]) -> Vec<pb::MemberOutcome> {
    results.iter().map(|result| result.outcome()).collect()
}

#[tokio::test]
async fn admins_are_granted_and_revoked_twelve_at_a_time_in_both_kinds_of_groups() {
    let gateway = crowded().await;
    let members = people(1..=30);
    let internal = pb::CreateGroupRequest { members: members.clone(), ..new_group("Internal") };
    for (request, operation, admins) in
        [(internal, "group.admins.set", 24), (scene(members), "scene.admins.set", 9)]
    {
        let group = gateway.create(request).await;
        let members = people(1..=admins);
        let grant = pb::GrantAdminsRequest {
            group: group.r#ref.clone(),
            members: members.clone(),
            ..Default::default()
        };
        let plan = pb::GrantAdminsRequest { validate_only: true, ..grant.clone() };
        let plan = gateway.members.clone().grant_admins(plan).await.unwrap().into_inner().planned_calls;
        let calls = admins.div_ceil(12);
        assert_eq!(plan, [pb::PlannedCall { operation: operation.to_owned(), count: calls as i32 }]);
        let reply = gateway.members.clone().grant_admins(grant).await.unwrap().into_inner();
        assert!(reply.complete);
        assert_eq!(outcomes(&reply.member_results), vec![pb::MemberOutcome::Applied; admins], "{operation}");
        assert_eq!(gateway.simulator.requests(operation), calls as u64);
        assert_eq!(gateway.simulator.calls().pop().unwrap().body["role"], 2);

        let revoke = pb::RevokeAdminsRequest { group: group.r#ref.clone(), members, ..Default::default() };
        let reply = gateway.members.clone().revoke_admins(revoke).await.unwrap().into_inner();
        assert!(reply.complete);
        assert_eq!(gateway.simulator.calls().pop().unwrap().body["role"], 3);
    }
}

#[tokio::test]
async fn outsiders_cannot_manage_an_internal_group() {
    let gateway = Gateway::start().await;
    let group = Some(pb::GroupRef { chat_id: "chat1".to_owned(), ..Default::default() });
    let members = vec![user("user001"), union("union-ext001")];
    let request = pb::GrantAdminsRequest { group, members, ..Default::default() };
    let status = gateway.members.clone().grant_admins(request).await.unwrap_err();
    assert_eq!((reason(&status).as_str(), fields(&status)), ("FIELD_INVALID", vec!["members[1]".to_owned()]));
    assert_eq!(gateway.simulator.total_requests(), 0);
}

#[tokio::test]
async fn a_member_has_a_name_of_its_own_in_each_kind_of_group() {
    let gateway = Gateway::start().await;
    let scene = gateway.create(scene(vec![user("user001")])).await;
    for (group, operation) in
        [(gateway.group().await, "group.member.set_nick_legacy"), (scene, "scene.member.set_nick")]
    {
        let request = pb::SetMemberNicknameRequest {
            group: group.r#ref.clone(),
            member: Some(user("user001")),
            nickname: "值班同学".to_owned(),
            ..Default::default()
        };
        gateway.members.clone().set_member_nickname(request.clone()).await.unwrap();
        assert_eq!(gateway.simulator.requests(operation), 1);
        let too_long = pb::SetMemberNicknameRequest { nickname: "字".repeat(31), ..request };
        let status = gateway.members.clone().set_member_nickname(too_long).await.unwrap_err();
        assert_eq!(fields(&status), ["nickname"]);
        assert_eq!(gateway.simulator.requests(operation), 1);
    }
}

#[tokio::test]
async fn members_are_muted_for_a_while_and_unmuted() {
    let gateway = crowded().await;
    let group = gateway.create(scene(people(1..=20))).await;
    let duration = Some(prost_types::Duration { seconds: 3600, nanos: 0 });
    let request = pb::MuteMembersRequest {
        group: group.r#ref.clone(),
        members: people(1..=20),
        duration,
        ..Default::default()
    };
    let reply = gateway.members.clone().mute_members(request).await.unwrap().into_inner();
    assert!(reply.complete && reply.member_results.len() == 20);
    assert_eq!(gateway.simulator.requests("scene.members.mute.set"), 1);
    let body = gateway.simulator.calls().pop().unwrap().body;
    assert_eq!((&body["muteStatus"], &body["muteDuration"]), (&json!(1), &json!(3_600_000)));

    let ask = pb::GetMuteStatusRequest {
        group: group.r#ref.clone(),
        member: Some(user("person0001")),
        ..Default::default()
    };
    let status = gateway.members.clone().get_mute_status(ask.clone()).await.unwrap().into_inner();
    assert!(status.member_muted && !status.group_muted);
    let span = status.mute_end_time.unwrap().seconds - status.mute_start_time.unwrap().seconds;
    assert!((3599..=3601).contains(&span), "{span} s");

    let request = pb::UnmuteMembersRequest {
        group: group.r#ref.clone(),
        members: people(1..=20),
        ..Default::default()
    };
    gateway.members.clone().unmute_members(request).await.unwrap();
    let status = gateway.members.clone().get_mute_status(ask).await.unwrap().into_inner();
    assert!(!status.member_muted);
}

#[tokio::test]
async fn an_internal_group_mutes_nobody() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let before = gateway.simulator.total_requests();
    let duration = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let members = vec![user("user001")];
    let mute = pb::MuteMembersRequest {
        group: group.clone(),
        members: members.clone(),
        duration,
        ..Default::default()
    };
    let unmute = pb::UnmuteMembersRequest { group: group.clone(), members, ..Default::default() };
    let ask = pb::GetMuteStatusRequest { group, member: Some(user("user001")), ..Default::default() };
    for status in [
        gateway.members.clone().mute_members(mute).await.unwrap_err(),
        gateway.members.clone().unmute_members(unmute).await.unwrap_err(),
        gateway.members.clone().get_mute_status(ask).await.unwrap_err(),
    ] {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "KIND_UNSUPPORTED"));
        assert_eq!(metadata(&status, "kind"), "INTERNAL");
    }
    assert_eq!(gateway.simulator.total_requests(), before);
}
