//! `request_id`: what callers see of it, and what it saves upstream.

use dinggate::pb::group as pb;
use dinggate_simulator::Fault;
use tonic::Code;

use crate::support::{Gateway, new_group, reason, user};

fn once(title: &str) -> pb::CreateGroupRequest {
    let request_id = "1c0e7a52-9a53-4b63-8f5c-0d3d0f5a2a10".to_owned();
    pb::CreateGroupRequest { request_id, ..new_group(title) }
}

#[tokio::test]
async fn a_crowd_under_one_request_id_gets_one_group() {
    let gateway = Gateway::start().await;
    gateway.simulator.fail_next("group.create", 1, Fault::Delay { ms: 100 });
    let crowd = (0..20).map(|_| {
        let mut groups = gateway.groups.clone();
        tokio::spawn(async move { groups.create_group(once("Once")).await.unwrap().into_inner() })
    });
    let mut replies = Vec::new();
    for caller in crowd.collect::<Vec<_>>() {
        replies.push(caller.await.unwrap());
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(gateway.simulator.requests("group.create"), 1);
}

#[tokio::test]
async fn an_answer_that_is_remembered_costs_no_call_at_all() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let request = pb::AddMembersRequest {
        group,
        members: vec![user("user003")],
        request_id: "2c0e7a52-9a53-4b63-8f5c-0d3d0f5a2a10".to_owned(),
        ..Default::default()
    };
    let first = gateway.members.clone().add_members(request.clone()).await.unwrap().into_inner();
    let calls = gateway.simulator.calls().len();
    let second = gateway.members.clone().add_members(request).await.unwrap().into_inner();
    assert_eq!(second, first);
    assert_eq!(gateway.simulator.calls().len(), calls);
}

#[tokio::test]
async fn a_request_id_is_of_one_rpc() {
    let gateway = Gateway::start().await;
    let group = gateway.create(once("Once")).await.r#ref;
    let request_id = once("Once").request_id;
    let members = vec![user("user003")];
    let request = pb::AddMembersRequest { group, members, request_id, ..Default::default() };
    gateway.members.clone().add_members(request).await.expect("another RPC, another request");
}

#[tokio::test]
async fn a_plan_is_not_remembered() {
    let gateway = Gateway::start().await;
    let plan = pb::CreateGroupRequest { validate_only: true, ..once("Planned first") };
    let planned = gateway.groups.clone().create_group(plan).await.unwrap().into_inner();
    assert!(planned.group.is_none() && !planned.planned_calls.is_empty());
    gateway.create(once("Made then")).await;
    assert_eq!(gateway.simulator.requests("group.create"), 1);
}

#[tokio::test]
async fn what_was_certainly_not_done_is_done_under_the_same_id() {
    let gateway = Gateway::start_with(|sources| sources.with("retry.max_attempts", 1)).await;
    gateway.simulator.fail_next("group.create", 1, Fault::Throttle);
    let status = gateway.groups.clone().create_group(once("Once")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "APP_RATE_LIMITED"));
    // The refused request may even have been another one.
    gateway.create(once("Once more")).await;
    assert_eq!(gateway.simulator.groups().len(), 1);
}
