//! What access tokens cost, over the wire.

use std::time::Duration;

use dinggate::pb::group as pb;
use dinggate_simulator::Fault;
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{Gateway, connect, metadata, reason, sources};

/// This many callers at once, over several connections; returns how each ended.
async fn crowd(
    gateway: &Gateway,
    group: &pb::Group,
    callers: usize,
) -> Vec<Result<pb::Group, tonic::Status>> {
    let mut channels = Vec::new();
    for _ in 0..10 {
        channels.push(connect(gateway.grpc_addr).await);
    }
    let mut tasks = JoinSet::new();
    for i in 0..callers {
        let mut groups =
            pb::group_service_client::GroupServiceClient::new(channels[i % channels.len()].clone());
        let request = pb::GetGroupRequest { group: group.r#ref.clone(), ..Default::default() };
        tasks.spawn(
            async move { groups.get_group(request).await.map(|reply| reply.into_inner().group.unwrap()) },
        );
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_share_one_fetch_when_cold_and_one_when_it_is_revoked() {
    let first = Gateway::start().await;
    let group = first.group().await;
    let gateway = Gateway::start_before(
        first.simulator.clone(),
        sources(&first.simulator.url()).with("cache.enabled", false),
    )
    .await;
    gateway.simulator.clear_log();

    let ended = crowd(&gateway, &group, 1000).await;
    assert!(ended.iter().all(Result::is_ok), "{:?}", ended.iter().find(|end| end.is_err()));
    assert_eq!(gateway.simulator.token_requests(), 1);

    gateway.simulator.revoke_tokens();
    let ended = crowd(&gateway, &group, 1000).await;
    assert!(ended.iter().all(Result::is_ok), "{:?}", ended.iter().find(|end| end.is_err()));
    assert_eq!(gateway.simulator.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_while_a_thousand_calls_are_under_way_costs_one_fetch_and_no_error() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.enabled", false)).await;
    let group = gateway.group().await;
    let simulator = gateway.simulator.clone();
    let before = simulator.requests("group.get_legacy");
    let revoke = async {
        while simulator.requests("group.get_legacy") < before + 300 {
            tokio::task::yield_now().await;
        }
        simulator.revoke_tokens();
    };
    let (ended, ()) = tokio::join!(crowd(&gateway, &group, 1000), revoke);
    assert!(ended.iter().all(Result::is_ok), "{:?}", ended.iter().find(|end| end.is_err()));
    assert_eq!(simulator.token_requests(), 2);
}

#[tokio::test]
async fn a_write_is_replayed_once_after_a_refused_token_and_acts_once() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.enabled", false)).await;
    gateway.group().await;
    gateway.simulator.revoke_tokens();
    gateway.group().await;
    assert_eq!(gateway.simulator.token_requests(), 2);
    assert_eq!(gateway.simulator.requests("group.create"), 3, "one of them refused");
    assert_eq!(gateway.simulator.groups().len(), 2);
}

#[tokio::test]
async fn all_three_token_endpoints_serve() {
    for (endpoint, operation) in [
        ("access_token", "auth.access_token.get"),
        ("corp_token", "auth.token.get_by_corp"),
        ("gettoken", "auth.gettoken_legacy"),
    ] {
        let gateway = Gateway::start_with(|sources| sources.with("apps.demo.token_endpoint", endpoint)).await;
        gateway.group().await;
        assert_eq!(gateway.simulator.requests(operation), 1, "{endpoint}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_the_operators_matter_and_asked_about_once_a_pause() {
    for endpoint in ["access_token", "gettoken"] {
        let wrong = |sources: dinggate::config::Sources| {
            let sources =
                sources.with("apps.demo.app_secret", "wrong-secret").with("token.backoff_min", "1h");
            sources.with("token.backoff_max", "1h").with("apps.demo.token_endpoint", endpoint)
        };
        let gateway = Gateway::start_with(wrong).await;
        for _ in 0..5 {
            let status =
                gateway.groups.clone().create_group(crate::support::new_group("T")).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::FailedPrecondition, "APP_CREDENTIALS_REJECTED"),
                "{endpoint}"
            );
            assert!(!metadata(&status, "upstream_code").is_empty());
            assert!(!format!("{status:?}").contains("wrong-secret"));
        }
        assert_eq!(gateway.simulator.token_requests(), 1, "{endpoint}");
        assert_eq!(gateway.simulator.total_requests(), 0);
    }
}

#[tokio::test]
async fn a_create_whose_token_cannot_be_had_was_certainly_not_sent() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.enabled", false)).await;
    gateway.simulator.fail_next("auth.access_token.get", 1, Fault::DropAfter);
    let status = gateway.groups.clone().create_group(crate::support::new_group("T")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "UPSTREAM_BUSY"));
    assert!(tonic_types::StatusExt::get_details_retry_info(&status).is_some());
    assert_eq!(gateway.simulator.requests("group.create"), 0);
}

#[tokio::test]
async fn a_slow_token_endpoint_keeps_nobody_past_the_deadline() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.enabled", false)).await;
    gateway.simulator.fail_next("auth.access_token.get", 1, Fault::Delay { ms: 2000 });
    let mut request = tonic::Request::new(crate::support::new_group("T"));
    request.set_timeout(Duration::from_millis(300));
    let begin = tokio::time::Instant::now();
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(begin.elapsed() < Duration::from_millis(1500));
    assert_eq!(gateway.simulator.requests("group.create"), 0);
}
