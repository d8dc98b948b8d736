//! Scenario groups: made from a template, read in two views, changed, filled, brought in line and disbanded.

use std::time::Duration;

use dinggate::pb::group::{self as pb, template_service_client::TemplateServiceClient};
use dinggate_simulator::{Fault, Options, Seed, Simulator};
use prost_types::FieldMask;
use serde_json::json;
use tonic::Code;

use crate::support::{Gateway, crowded, fields, metadata, new_group, people, reason, sources, union, user};

fn new_scene(title: &str, members: Vec<pb::MemberRef>) -> pb::CreateGroupRequest {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    pb::CreateGroupRequest { kind, members, ..new_group(title) }
}

fn read(group: &pb::Group, view: pb::GroupView) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: group.r#ref.clone(), view: view.into(), ..Default::default() }
}

/// Every setting, at the value that DingTalk writes as 1.
fn ones() -> pb::GroupSettings {
    let (managers, everyone) = (pb::Audience::Managers.into(), pb::Audience::Everyone.into());
    let (on, off) = (pb::Toggle::Enabled.into(), pb::Toggle::Disabled.into());
    pb::GroupSettings {
        mention_all: managers,
        manage: managers,
        history_for_new_members: on,
        join_approval: on,
        searchable: on,
        mute_all: on,
        private_chat: off,
        add_members: managers,
        send_ding: managers,
        pin_message: managers,
        start_meeting: everyone,
        start_live: everyone,
        strangers_calendar: on,
        group_email: off,
        chat_with_managers: off,
        stay_after_leaving_org: on,
        entry_approval: on,
    }
}

#[tokio::test]
async fn a_group_is_made_from_a_template_with_230_people_in_two_calls() {
    let gateway = crowded().await;
    let mut members = people(1..=230);
    members.push(union("union-ext001"));
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), admins: people(1..=2) };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    let title = "An incident room with a long name";
    let settings = Some(pb::GroupSettings { entry_approval: 0, ..ones() });
    let request = pb::CreateGroupRequest { kind, settings, ..new_scene(&title[..30], members) };
    let reply = gateway.groups.clone().create_group(request).await.unwrap().into_inner();
    assert!(reply.complete, "{:?}", reply.member_results.iter().map(|r| r.outcome()).collect::<Vec<_>>());
    assert_eq!(reply.member_results.len(), 231);
    assert_eq!(gateway.simulator.total_requests(), 2, "one create, one add for the person from outside");
    let body = &gateway.simulator.calls()[1].body;
    assert_eq!(body["user_ids"].as_array().unwrap().len(), 231, "the owner among them");
    assert_eq!(body["subadmin_ids"], json!(["person0001", "person0002"]));
    assert_eq!(body["management_options"]["add_friend_forbidden"], 1);
    assert!(body["uuid"].as_str().is_some_and(|uuid| uuid.len() == 36));

    let group = reply.group.unwrap();
    let handle = group.r#ref.clone().unwrap();
    assert_eq!(handle.kind(), pb::GroupKind::Scenario);
    let request = read(&group, pb::GroupView::Basic);
    let basic = gateway.groups.clone().get_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!((basic.title.as_str(), basic.template_id.as_str()), (&title[..30], "tpl-demo"));
    assert_eq!((basic.owner.as_ref(), basic.state()), (Some(&user("manager4220")), pb::GroupState::Active));
    let request = read(&group, pb::GroupView::Full);
    let full = gateway.groups.clone().get_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!(full.admins, people(1..=2));
    let settings = full.settings.unwrap();
    assert_eq!(
        (settings.mention_all(), settings.searchable()),
        (pb::Audience::Managers, pb::Toggle::Enabled)
    );
}

#[tokio::test]
async fn the_same_request_id_goes_to_dingtalk_as_its_key() {
    let gateway = Gateway::start().await;
    let request_id = "0b0e7a52-9a53-4b63-8f5c-0d3d0f5a2a10".to_owned();
    let request = pb::CreateGroupRequest { request_id: request_id.clone(), ..new_scene("Once", Vec::new()) };
    let first = gateway.create(request.clone()).await;
    assert_eq!(gateway.create(request).await.r#ref, first.r#ref);
    assert_eq!(gateway.simulator.requests("scene.create"), 1);
    assert_eq!(gateway.simulator.calls()[1].body["uuid"], json!(request_id));
}

#[tokio::test]
async fn every_setting_is_written_in_one_call() {
    let gateway = Gateway::start().await;
    let group = gateway.create(new_scene("Settings", Vec::new())).await;
    let values = pb::Group {
        r#ref: group.r#ref.clone(),
        title: "Thirty characters are allowed.".to_owned(),
        settings: Some(ones()),
        ..Default::default()
    };
    let paths = ["title", "settings"].map(ToOwned::to_owned).to_vec();
    let before = gateway.simulator.total_requests();
    let request = pb::UpdateGroupRequest {
        group: Some(values),
        update_mask: Some(FieldMask { paths }),
        ..Default::default()
    };
    gateway.groups.clone().update_group(request).await.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    let options = gateway.simulator.calls().pop().unwrap().body["management_options"].clone();
    let options = options.as_object().unwrap();
    assert_eq!(options.len(), 17);
    assert!(options.values().all(|value| *value == 1), "{options:?}");
}

#[tokio::test]
async fn what_a_scenario_group_cannot_begin_with_is_refused_before_any_call() {
    let gateway = Gateway::start().await;
    let scenario = pb::ScenarioGroup {
        template_id: String::new(),
        admins: vec![user("user005"), union("union-ext001")],
    };
    let request = pb::CreateGroupRequest {
        kind: Some(pb::create_group_request::Kind::Scenario(scenario)),
        owner: Some(union("union-ext002")),
        settings: Some(ones()),
        title: "x".repeat(31),
        ..new_group("")
    };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    let mut named = fields(&status);
    named.sort();
    assert_eq!(
        named,
        ["owner", "scenario.admins", "scenario.template_id", "settings.entry_approval", "title"]
    );
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn members_come_and_go_in_chunks_of_a_hundred() {
    let gateway = crowded().await;
    let group = gateway.create(new_scene("Members", Vec::new())).await;
    let mut everybody = people(1..=249);
    everybody.push(union("union-ext001"));
    let request =
        pb::AddMembersRequest { group: group.r#ref.clone(), members: everybody, ..Default::default() };
    let reply = gateway.members.clone().add_members(request).await.unwrap().into_inner();
    assert!(reply.complete);
    assert_eq!(gateway.simulator.requests("scene.members.add"), 3);

    let request =
        pb::ListMembersRequest { group: group.r#ref.clone(), include_roles: true, ..Default::default() };
    let before = gateway.simulator.total_requests();
    let listed = gateway.members.clone().list_members(request).await.unwrap().into_inner();
    assert_eq!((listed.members.len(), listed.total_size), (251, Some(251)));
    assert_eq!(gateway.simulator.total_requests() - before, 2, "the members in one page, and their roles");
    let owners = listed.members.iter().filter(|member| member.role() == pb::MemberRole::Owner);
    assert_eq!(owners.count(), 1);

    let mut leaving = people(1..=150);
    leaving.push(user("manager4220"));
    leaving.push(user("user050"));
    let request =
        pb::RemoveMembersRequest { group: group.r#ref.clone(), members: leaving, ..Default::default() };
    let reply = gateway.members.clone().remove_members(request).await.unwrap().into_inner();
    let outcomes: Vec<_> = reply.member_results.iter().map(|result| result.outcome()).collect();
    assert_eq!(outcomes[..150], [pb::MemberOutcome::Applied; 150]);
    assert_eq!(outcomes[150..], [pb::MemberOutcome::Failed, pb::MemberOutcome::Already]);
    assert_eq!(gateway.simulator.requests("scene.members.remove"), 2);
}

#[tokio::test]
async fn a_sync_reads_the_owner_only_where_somebody_has_to_go() {
    let gateway = crowded().await;
    let group = gateway.create(new_scene("Sync", people(1..=10))).await;
    let sync = |members| pb::SyncMembersRequest {
        group: group.r#ref.clone(),
        members,
        mode: pb::SyncMode::AddAndRemove.into(),
        ..Default::default()
    };
    let mut team = people(1..=10);
    team.push(user("manager4220"));
    let before = gateway.simulator.total_requests();
    let reply = gateway.members.clone().sync_members(sync(team)).await.unwrap().into_inner();
    assert!(reply.complete && reply.member_results.is_empty());
    assert_eq!(gateway.simulator.total_requests() - before, 1, "nothing to do costs one read");

    let before = gateway.simulator.total_requests();
    let reply = gateway.members.clone().sync_members(sync(people(6..=20))).await.unwrap().into_inner();
    let plan = reply.plan.unwrap();
    assert_eq!((plan.to_add, plan.to_remove), (people(11..=20), people(1..=5)));
    assert_eq!((plan.unchanged, plan.kept), (5, 1), "the owner stays");
    assert!(reply.complete);
    assert_eq!(gateway.simulator.total_requests() - before, 4, "members, owner, one add, one remove");
}

#[tokio::test]
async fn a_group_is_disbanded_once() {
    let gateway = Gateway::start().await;
    let group = gateway.create(new_scene("Short-lived", Vec::new())).await;
    let request = |allow_missing| pb::DeleteGroupRequest {
        group: group.r#ref.clone(),
        allow_missing,
        ..Default::default()
    };
    let plan = pb::DeleteGroupRequest { validate_only: true, ..request(false) };
    let plan = gateway.groups.clone().delete_group(plan).await.unwrap().into_inner();
    assert!(!plan.deleted && plan.planned_calls[0].operation == "scene.disband");
    assert!(gateway.groups.clone().delete_group(request(false)).await.unwrap().into_inner().deleted);
    let gone = Fault::Error {
        status: 400,
        code: "group.diaband".to_owned(),
        sub_code: None,
        message: "群已解散".to_owned(),
        applied: false,
    };
    gateway.simulator.fail_next("scene.disband", 2, gone);
    assert!(!gateway.groups.clone().delete_group(request(true)).await.unwrap().into_inner().deleted);
    let status = gateway.groups.clone().delete_group(request(false)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "GROUP_DISBANDED"));

    let internal = gateway.group().await;
    let request = pb::DeleteGroupRequest { group: internal.r#ref, ..Default::default() };
    let before = gateway.simulator.total_requests();
    let status = gateway.groups.clone().delete_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "KIND_UNSUPPORTED"));
    assert_eq!(metadata(&status, "kind"), "INTERNAL");
    assert_eq!(gateway.simulator.total_requests(), before);
}

#[tokio::test]
async fn several_groups_of_any_kind_are_read_at_once() {
    let gateway = Gateway::start().await;
    let (scene, internal) = (gateway.create(new_scene("Scene", Vec::new())).await, gateway.group().await);
    let missing = pb::GroupRef { chat_id: "chatnowhere".to_owned(), ..Default::default() };
    let groups = vec![scene.r#ref.clone().unwrap(), missing.clone(), internal.r#ref.clone().unwrap()];
    let request = pb::BatchGetGroupsRequest { groups, ..Default::default() };
    let results = gateway.groups.clone().batch_get_groups(request).await.unwrap().into_inner().results;
    let titles: Vec<_> = results
        .iter()
        .map(|result| match result.result.as_ref().unwrap() {
            pb::group_result::Result::Group(group) => group.title.clone(),
            pb::group_result::Result::Status(status) => format!("{:?}", Code::from(status.code)),
        })
        .collect();
    assert_eq!(titles, ["Scene", "NotFound", "A group"]);
    assert_eq!(results[1].r#ref, Some(missing));
}

#[tokio::test]
async fn an_unknown_template_is_told_apart() {
    let gateway = Gateway::start().await;
    let scenario = pb::ScenarioGroup { template_id: "tpl-nowhere".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    let request = pb::CreateGroupRequest { kind, ..new_scene("Nowhere", Vec::new()) };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "TEMPLATE_NOT_ACCESSIBLE")
    );
}

#[tokio::test]
async fn a_group_that_dingtalk_has_just_created_is_waited_for() {
    let gateway = Gateway::start().await;
    gateway.simulator.set_create_lag(Duration::from_millis(700));
    let group = gateway.create(new_scene("Lag", vec![union("union-ext001")])).await;
    let request = read(&group, pb::GroupView::Full);
    let full = gateway.groups.clone().get_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!(full.title, "Lag");

    gateway.simulator.set_create_lag(Duration::from_secs(3600));
    let group = gateway.create(new_scene("Longer", Vec::new())).await;
    let mut request = tonic::Request::new(read(&group, pb::GroupView::Basic));
    request.set_timeout(Duration::from_secs(2));
    let status = gateway.groups.clone().get_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "GROUP_NOT_READY"));
    assert!(!metadata(&status, "upstream_code").is_empty());

    let stranger = crate::support::sources(&gateway.simulator.url());
    let stranger = Gateway::start_before(gateway.simulator.clone(), stranger).await;
    let before = gateway.simulator.total_requests();
    let request = read(&group, pb::GroupView::Basic);
    stranger.groups.clone().get_group(request).await.expect_err("not ready");
    assert_eq!(gateway.simulator.total_requests() - before, 1, "who did not create it does not wait for it");
}

#[tokio::test]
async fn a_sync_leaves_the_robots_alone_that_it_knows() {
    let mut seed = Seed::demo();
    seed.rules.list_robots = true;
    let simulator = Simulator::start(Options { seed, ..Options::default() }).await.unwrap();
    let sources = sources(&simulator.url());
    let gateway = Gateway::start_before(simulator, sources).await;
    let scene = gateway.scene().await;
    let mut templates = TemplateServiceClient::new(gateway.channel.clone());
    let ask = pb::GetTemplateRobotRequest {
        group: scene.clone(),
        robot_code: "robot-demo".to_owned(),
        ..Default::default()
    };
    let robot = templates.get_template_robot(ask).await.unwrap().into_inner().robot.unwrap();
    let sync = pb::SyncMembersRequest {
        group: scene,
        members: vec![user("user001")],
        mode: pb::SyncMode::AddAndRemove.into(),
        max_removals: Some(1),
        ..Default::default()
    };
    let reply = gateway.members.clone().sync_members(sync.clone()).await.unwrap().into_inner();
    let plan = reply.plan.unwrap();
    assert_eq!((plan.to_remove, plan.kept), (vec![user("user002")], 2), "the owner and the robot stay");
    let calls = gateway.simulator.calls();
    let removal = calls.iter().find(|call| call.operation == "scene.members.remove").unwrap();
    assert_eq!(removal.body["user_ids"], json!(["user002"]));

    let before = gateway.simulator.total_requests();
    let plan = gateway.members.clone().sync_members(sync).await.unwrap().into_inner().plan.unwrap();
    assert_eq!((plan.to_remove, plan.kept), (Vec::new(), 2));
    assert!(gateway.simulator.total_requests() - before <= 2, "nothing is written");
    assert_eq!(robot, user("robotuser-demo"));
}
