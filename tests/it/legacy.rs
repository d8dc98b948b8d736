//! Apps of the legacy generation: the older twins serve, with the same outcome and at the same cost.

use dinggate::pb::group as pb;
use prost_types::FieldMask;
use tonic::Code;

use crate::support::{Gateway, fields, new_group, union, user};

async fn legacy() -> Gateway {
    Gateway::start_with(|sources| sources.with("apps.demo.generation", "legacy")).await
}

fn scene(members: Vec<pb::MemberRef>) -> pb::CreateGroupRequest {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    pb::CreateGroupRequest { kind, members, ..new_group("Scene") }
}

/// Renames, adds, removes and promotes, and returns the operations that DingTalk saw.
async fn lived_through(gateway: &Gateway, request: pb::CreateGroupRequest) -> Vec<String> {
    let group = gateway.create(request).await;
    let settings = pb::GroupSettings { searchable: pb::Toggle::Enabled.into(), ..Default::default() };
    let values = pb::Group {
        r#ref: group.r#ref.clone(),
        title: "Renamed".to_owned(),
        settings: Some(settings),
        ..Default::default()
    };
    let paths = ["title", "settings.searchable"].map(ToOwned::to_owned).to_vec();
    let update = pb::UpdateGroupRequest {
        group: Some(values),
        update_mask: Some(FieldMask { paths }),
        ..Default::default()
    };
    gateway.groups.clone().update_group(update).await.unwrap();
    let members = vec![user("user010"), user("user011")];
    let add =
        pb::AddMembersRequest { group: group.r#ref.clone(), members: members.clone(), ..Default::default() };
    assert!(gateway.members.clone().add_members(add).await.unwrap().into_inner().complete);
    let grant =
        pb::GrantAdminsRequest { group: group.r#ref.clone(), members: members.clone(), ..Default::default() };
    assert!(gateway.members.clone().grant_admins(grant).await.unwrap().into_inner().complete);
    let remove = pb::RemoveMembersRequest { group: group.r#ref.clone(), members, ..Default::default() };
    assert!(gateway.members.clone().remove_members(remove).await.unwrap().into_inner().complete);
    let ask = pb::GetGroupRequest {
        group: group.r#ref.clone(),
        view: pb::GroupView::Full.into(),
        ..Default::default()
    };
    let read = gateway.groups.clone().get_group(ask).await.unwrap().into_inner().group.unwrap();
    assert_eq!(read.title, "Renamed");
    assert_eq!(read.settings.unwrap().searchable(), pb::Toggle::Enabled);
    let seen = gateway.simulator.calls().into_iter().map(|call| call.operation);
    seen.filter(|operation| !operation.starts_with("auth.")).collect()
}

#[tokio::test]
async fn an_internal_group_lives_on_the_older_operations() {
    let gateway = legacy().await;
    let operations = [
        "group.create_legacy",
        "group.get_legacy",
        "group.update_legacy",
        "group.update_legacy",
        "group.admins.set_legacy",
        "group.get_legacy",
        "group.update_legacy",
        "group.get_legacy",
    ];
    assert_eq!(lived_through(&gateway, new_group("Old")).await, operations);
}

#[tokio::test]
async fn a_scenario_group_lives_on_the_older_operations_where_there_are_any() {
    let gateway = legacy().await;
    let operations = [
        "scene.create_legacy",
        "scene.update_legacy",
        "scene.members.add_legacy",
        "scene.admins.set",
        "scene.members.list",
        "scene.get_brief",
        "scene.members.remove_legacy",
        "scene.get_legacy",
    ];
    assert_eq!(lived_through(&gateway, scene(vec![user("user001")])).await, operations);
}

#[tokio::test]
async fn what_the_older_form_cannot_say_is_refused_before_any_call() {
    let gateway = legacy().await;
    let settings = pb::GroupSettings { add_members: pb::Audience::Managers.into(), ..Default::default() };
    let request = pb::CreateGroupRequest {
        settings: Some(settings),
        ..scene(vec![user("user001"), union("union-ext001")])
    };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(fields(&status), ["members[1]", "settings.add_members"]);
    let group = pb::GroupRef {
        open_conversation_id: "cid1==".to_owned(),
        kind: pb::GroupKind::Scenario.into(),
        ..Default::default()
    };
    let request = pb::AddMembersRequest {
        group: Some(group),
        members: vec![union("union-ext001")],
        ..Default::default()
    };
    let status = gateway.members.clone().add_members(request).await.unwrap_err();
    assert_eq!(fields(&status), ["members[0]"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn a_plan_names_the_operations_that_would_serve() {
    let gateway = legacy().await;
    let plan = pb::CreateGroupRequest { validate_only: true, ..new_group("Plan") };
    let plan = gateway.groups.clone().create_group(plan).await.unwrap().into_inner().planned_calls;
    assert_eq!(plan, [pb::PlannedCall { operation: "group.create_legacy".to_owned(), count: 1 }]);
}
