//! Templates: put into force, taken out of it, and who their robots are.

use dinggate::pb::group::{self as pb, template_service_client::TemplateServiceClient};
use dinggate_simulator::Fault;
use serde_json::json;
use tonic::{Code, transport::Channel};

use crate::support::{Gateway, fields, metadata, new_group, reason, union, user};

fn templates(gateway: &Gateway) -> TemplateServiceClient<Channel> {
    TemplateServiceClient::new(gateway.channel.clone())
}

fn enable(group: &Option<pb::GroupRef>) -> pb::EnableTemplateRequest {
    let template_id = "tpl-demo".to_owned();
    pb::EnableTemplateRequest { group: group.clone(), template_id, ..Default::default() }
}

fn disable(group: &Option<pb::GroupRef>) -> pb::DisableTemplateRequest {
    let template_id = "tpl-demo".to_owned();
    pb::DisableTemplateRequest { group: group.clone(), template_id, ..Default::default() }
}

fn calls(planned: Vec<pb::PlannedCall>) -> Vec<(String, i32)> {
    planned.into_iter().map(|call| (call.operation, call.count)).collect()
}

#[tokio::test]
async fn a_template_makes_a_scenario_group_of_an_internal_one_in_the_name_of_its_owner() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let plan = pb::EnableTemplateRequest { validate_only: true, ..enable(&group) };
    let plan = templates(&gateway).enable_template(plan).await.unwrap().into_inner();
    let expected = [("group.get_legacy", 1), ("template.apply_legacy", 1)];
    assert_eq!(calls(plan.planned_calls), expected.map(|(id, count)| (id.to_owned(), count)));

    let before = gateway.simulator.total_requests();
    let reply = templates(&gateway).enable_template(enable(&group)).await.unwrap().into_inner();
    assert!(reply.planned_calls.is_empty());
    assert_eq!(gateway.simulator.total_requests() - before, 2, "the read of the owner and the write");
    let id = group.as_ref().unwrap().open_conversation_id.clone();
    let body = gateway.simulator.calls().pop().unwrap().body;
    let expected =
        json!({"open_conversation_id": id, "owner_user_id": "manager4220", "template_id": "tpl-demo"});
    assert_eq!(body, expected);

    let scene = pb::GroupRef { kind: pb::GroupKind::Scenario.into(), ..group.unwrap() };
    let request = pb::GetTemplateRobotRequest {
        group: Some(scene),
        robot_code: "robot-demo".to_owned(),
        ..Default::default()
    };
    let reply = templates(&gateway).get_template_robot(request).await.unwrap().into_inner();
    assert_eq!((reply.robot, reply.from_cache), (Some(user("robotuser-demo")), false));
    assert!(reply.read_time.is_some());
}

#[tokio::test]
async fn a_named_owner_costs_no_read_and_a_repeat_nothing() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let request = pb::EnableTemplateRequest {
        owner: Some(user("manager4220")),
        request_id: "5e0e7a52-9a53-4b63-8f5c-0d3d0f5a2a11".to_owned(),
        ..enable(&group)
    };
    let before = gateway.simulator.total_requests();
    for _ in 0..2 {
        templates(&gateway).enable_template(request.clone()).await.unwrap();
    }
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    let other = pb::EnableTemplateRequest { template_id: "tpl-other".to_owned(), ..request };
    let status = templates(&gateway).enable_template(other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn without_its_template_a_group_has_no_robot() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let plan = pb::DisableTemplateRequest { validate_only: true, ..disable(&group) };
    let plan = templates(&gateway).disable_template(plan).await.unwrap().into_inner();
    let expected = [("scene.get_brief", 1), ("template.close_legacy", 1)];
    assert_eq!(calls(plan.planned_calls), expected.map(|(id, count)| (id.to_owned(), count)));

    let before = gateway.simulator.total_requests();
    templates(&gateway).disable_template(disable(&group)).await.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 2);
    let id = group.as_ref().unwrap().open_conversation_id.clone();
    let body = gateway.simulator.calls().pop().unwrap().body;
    let expected =
        json!({"open_conversation_id": id, "owner_user_id": "manager4220", "template_id": "tpl-demo"});
    assert_eq!(body, expected);
    let chat_id = &group.unwrap().chat_id;
    assert_eq!(gateway.simulator.group(chat_id).unwrap().template_id, None);
}

#[tokio::test]
async fn an_owner_from_outside_has_to_be_replaced_by_an_employee() {
    let gateway = Gateway::start().await;
    let owner = Some(union("union-ext001"));
    let group = gateway.create(pb::CreateGroupRequest { owner, ..new_group("From outside") }).await.r#ref;
    let status = templates(&gateway).enable_template(enable(&group)).await.unwrap_err();
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["owner".to_owned()]));
    assert_eq!(gateway.simulator.requests("template.apply_legacy"), 0);
}

#[tokio::test]
async fn bad_requests_name_every_fault_and_reach_nobody() {
    let gateway = Gateway::start().await;
    let request = pb::EnableTemplateRequest {
        app: "nobody".to_owned(),
        group: Some(pb::GroupRef::default()),
        owner: Some(union("union-ext001")),
        request_id: "42".to_owned(),
        ..Default::default()
    };
    let status = templates(&gateway).enable_template(request).await.unwrap_err();
    let mut named = fields(&status);
    named.sort();
    assert_eq!(named, ["app", "group", "owner", "request_id", "template_id"]);
    let request = pb::GetTemplateRobotRequest::default();
    let status = templates(&gateway).get_template_robot(request).await.unwrap_err();
    let mut named = fields(&status);
    named.sort();
    assert_eq!(named, ["group", "robot_code"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn robots_are_looked_for_in_scenario_groups_only() {
    let gateway = Gateway::start().await;
    let internal = gateway.group().await.r#ref;
    let before = gateway.simulator.total_requests();
    let request = |group: &Option<pb::GroupRef>, code: &str| pb::GetTemplateRobotRequest {
        group: group.clone(),
        robot_code: code.to_owned(),
        ..Default::default()
    };
    let status = templates(&gateway).get_template_robot(request(&internal, "robot-demo")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "KIND_UNSUPPORTED"));
    assert_eq!(metadata(&status, "kind"), "INTERNAL");
    assert_eq!(gateway.simulator.total_requests(), before);

    let scene = gateway.scene().await;
    let status = templates(&gateway).get_template_robot(request(&scene, "robot-other")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "RESOURCE_NOT_FOUND"));
}

#[tokio::test]
async fn a_lost_answer_is_reported_and_the_repeat_settles_it() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let request = pb::EnableTemplateRequest { owner: Some(user("manager4220")), ..enable(&group) };
    gateway.simulator.fail_next("template.apply_legacy", 4, Fault::DropAfter);
    let status = templates(&gateway).enable_template(request.clone()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "UPSTREAM_BUSY"));
    assert_eq!(gateway.simulator.requests("template.apply_legacy"), 4);
    templates(&gateway).enable_template(request).await.unwrap();
    let chat_id = &group.unwrap().chat_id;
    assert_eq!(gateway.simulator.group(chat_id).unwrap().template_id.as_deref(), Some("tpl-demo"));
}
