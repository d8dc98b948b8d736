//! What people who run the gateway ask it, and the tokens that other systems borrow: each answer, and what it costs.

use std::time::{Duration, SystemTime};

use dinggate::pb::admin::{
    self as pb, admin_service_client::AdminServiceClient, quota_service_client::QuotaServiceClient,
    token_service_client::TokenServiceClient,
};
use dinggate_simulator::Fault;
use tokio::task::JoinSet;
use tonic::{Code, Response, Status, transport::Channel};
use tonic_types::{ErrorInfo, pb::Status as StatusInBody};

use crate::support::{Gateway, fields, metadata, new_group, reason};

fn tokens(gateway: &Gateway) -> TokenServiceClient<Channel> {
    TokenServiceClient::new(gateway.channel.clone())
}

fn quotas(gateway: &Gateway) -> QuotaServiceClient<Channel> {
    QuotaServiceClient::new(gateway.channel.clone())
}

fn admin(gateway: &Gateway) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(gateway.channel.clone())
}

async fn sharing() -> Gateway {
    Gateway::start_with(|sources| sources.with("apps.demo.expose_token", true)).await
}

async fn token(gateway: &Gateway) -> pb::GetAccessTokenResponse {
    tokens(gateway).get_access_token(pb::GetAccessTokenRequest::default()).await.unwrap().into_inner()
}

fn report(fingerprint: &str) -> pb::ReportInvalidAccessTokenRequest {
    pb::ReportInvalidAccessTokenRequest { fingerprint: fingerprint.to_owned(), ..Default::default() }
}

async fn app(gateway: &Gateway) -> pb::App {
    admin(gateway).get_app(pb::GetAppRequest::default()).await.unwrap().into_inner().app.unwrap()
}

async fn quota(gateway: &Gateway, operations: &[&str]) -> pb::GetQuotaResponse {
    let operations = operations.iter().map(|id| (*id).to_owned()).collect();
    let request = pb::GetQuotaRequest { operations, ..Default::default() };
    quotas(gateway).get_quota(request).await.unwrap().into_inner()
}

/// The reason of a status inside a message.
fn reason_of(status: &Option<StatusInBody>) -> String {
    let status = status.clone().unwrap();
    let found = tonic_types::StatusExt::get_details_error_info(&Status::with_details(
        Code::from(status.code),
        "",
        prost::Message::encode_to_vec(&status).into(),
    ));
    found.map(|ErrorInfo { reason, .. }| reason).unwrap_or_default()
}

fn calls<T>(response: &Response<T>) -> &str {
    response.metadata().get("x-dinggate-upstream-calls").unwrap().to_str().unwrap()
}

fn left(time: Option<prost_types::Timestamp>) -> Duration {
    SystemTime::try_from(time.unwrap()).unwrap().duration_since(SystemTime::now()).unwrap()
}

#[tokio::test]
async fn a_token_is_shared_only_where_the_app_says_so() {
    let gateway = Gateway::start().await;
    let mut request = tonic::Request::new(pb::GetAccessTokenRequest::default());
    request.metadata_mut().insert("x-dinggate-caller", "reports".parse().unwrap());
    let status = tokens(&gateway).get_access_token(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "CALLER_NOT_ALLOWED"));
    assert_eq!(metadata(&status, "caller"), "reports");
    let status = tokens(&gateway).report_invalid_access_token(report("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(gateway.simulator.token_requests(), 0);
}

#[tokio::test]
async fn the_token_that_is_handed_out_is_the_one_the_gateway_uses() {
    let gateway = sharing().await;
    let (first, again) = (token(&gateway).await, token(&gateway).await);
    assert_eq!(first.access_token, again.access_token);
    assert_eq!(first.fingerprint.len(), 16);
    assert!(left(first.expire_time) > Duration::from_secs(7000), "two hours");
    gateway.group().await;
    assert_eq!(gateway.simulator.token_requests(), 1);
}

#[tokio::test]
async fn a_token_that_does_not_last_long_enough_is_renewed_once_for_all_who_ask() {
    let gateway = sharing().await;
    gateway.simulator.set_token_lifetime(Duration::from_secs(1200));
    gateway.group().await;
    gateway.simulator.set_token_lifetime(Duration::from_secs(7200));
    let asked = pb::GetAccessTokenRequest {
        min_remaining: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
        ..Default::default()
    };
    assert!(left(token(&gateway).await.expire_time) < Duration::from_secs(1201), "enough for most");
    assert_eq!(gateway.simulator.token_requests(), 1);
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (mut tokens, asked) = (tokens(&gateway), asked.clone());
        callers.spawn(async move { tokens.get_access_token(asked).await.unwrap().into_inner() });
    }
    for lent in callers.join_all().await {
        assert!(left(lent.expire_time) > Duration::from_secs(3600));
    }
    assert_eq!(gateway.simulator.token_requests(), 2);
}

#[tokio::test]
async fn a_crowd_of_reports_costs_one_fetch_and_a_stale_report_nothing() {
    let gateway = sharing().await;
    let old = token(&gateway).await;
    gateway.simulator.revoke_tokens();
    let mut reports = JoinSet::new();
    for _ in 0..100 {
        let (mut tokens, report) = (tokens(&gateway), report(&old.fingerprint));
        reports.spawn(async move { tokens.report_invalid_access_token(report).await.unwrap().into_inner() });
    }
    let changed = reports.join_all().await.into_iter().filter(|reply| reply.changed).count();
    assert!(changed > 0);
    assert_eq!(gateway.simulator.token_requests(), 2);

    let stale = tokens(&gateway).report_invalid_access_token(report(&old.fingerprint)).await.unwrap();
    assert!(!stale.into_inner().changed);
    let new = token(&gateway).await;
    assert_ne!(new.fingerprint, old.fingerprint);
    assert_eq!(gateway.simulator.token_requests(), 2);
    gateway.group().await;
}

#[tokio::test]
async fn a_false_report_changes_nothing_and_is_not_believed_again_at_once() {
    let settings = [("token.backoff_min", "1h"), ("token.backoff_max", "1h")];
    let gateway = Gateway::start_with(|sources| {
        let sources = sources.with("apps.demo.expose_token", true);
        settings.into_iter().fold(sources, |sources, (path, value)| sources.with(path, value))
    })
    .await;
    let good = token(&gateway).await;
    for _ in 0..3 {
        let reply = tokens(&gateway).report_invalid_access_token(report(&good.fingerprint)).await.unwrap();
        assert!(!reply.into_inner().changed, "DingTalk holds the token for good");
    }
    assert_eq!(gateway.simulator.token_requests(), 2);
    gateway.group().await;
    assert_eq!(app(&gateway).await.token_state(), pb::TokenState::Valid);
}

#[tokio::test]
async fn bad_requests_name_every_fault_and_reach_nobody() {
    let gateway = sharing().await;
    let nobody = || "nobody".to_owned();
    let min_remaining = Some(prost_types::Duration { seconds: 3601, nanos: 0 });
    let request = pb::GetAccessTokenRequest { app: nobody(), min_remaining };
    let status = tokens(&gateway).get_access_token(request).await.unwrap_err();
    assert_eq!(fields(&status), ["min_remaining", "app"]);
    let request = pb::ReportInvalidAccessTokenRequest { app: nobody(), ..report("") };
    let status = tokens(&gateway).report_invalid_access_token(request).await.unwrap_err();
    assert_eq!(fields(&status), ["fingerprint", "app"]);

    let operations = ["group.get_legacy", "made.up", "auth.access_token.get"].map(ToOwned::to_owned).to_vec();
    let request = pb::GetQuotaRequest { app: nobody(), operations };
    let status = quotas(&gateway).get_quota(request).await.unwrap_err();
    assert_eq!(fields(&status), ["operations[1]", "operations[2]", "app"]);

    let request = pb::ListAppsRequest { page_size: -1, page_token: "%".to_owned() };
    let status = admin(&gateway).list_apps(request).await.unwrap_err();
    assert_eq!(fields(&status), ["page_size", "page_token"]);
    let status = admin(&gateway).get_app(pb::GetAppRequest { app: nobody() }).await.unwrap_err();
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["app".to_owned()]));
    let request = pb::CheckAppRequest { app: nobody(), permissions: vec!["made_up".to_owned()] };
    let status = admin(&gateway).check_app(request).await.unwrap_err();
    assert_eq!(fields(&status), ["permissions[0]", "app"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn the_quota_shows_what_calls_have_taken_and_asks_nobody() {
    let limits = toml::toml! {
        per_second = 1
        per_month = 100
        per_second_of = { "group.get_legacy" = 7 }
    };
    let gateway = Gateway::start_with(|sources| sources.with("apps.demo.limits", limits)).await;
    gateway.group().await;
    let before = gateway.simulator.total_requests();
    let reply = quota(&gateway, &["group.get_legacy", "group.create"]).await;
    let [create, get] = &reply.operations[..] else { panic!("{reply:?}") };
    assert_eq!((create.operation.as_str(), create.calls), ("group.create", 1));
    assert_eq!(
        (get.operation.as_str(), get.calls, get.room, get.queue_length),
        ("group.get_legacy", 7, 4, 0)
    );
    assert_eq!(get.window, Some(prost_types::Duration { seconds: 1, nanos: 0 }));
    assert!(get.blocked_until.is_none());
    let month = reply.month.unwrap();
    let used = i64::try_from(before).unwrap();
    assert_eq!((month.calls_used, month.calls_limit, month.exhausted), (used, Some(100), false));
    assert!(left(month.reset_time) <= Duration::from_secs(31 * 86_400));
    let egress = reply.egress.unwrap();
    assert_eq!((egress.calls, egress.blocked_until), (10_000, None));
    assert!(egress.room > 1000, "{egress:?}");

    assert_eq!(quota(&gateway, &[]).await.operations.len(), dinggate::operation::ALL.len() - 3);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (before, 1));
}

/// What the quota shows after DingTalk has refused a call to `group.create` with this code.
async fn quota_after(code: &str) -> pb::GetQuotaResponse {
    let gateway = Gateway::start_with(|sources| sources.with("retry.max_attempts", 1)).await;
    let (code, message) = (format!("Forbidden.AccessDenied.{code}"), String::new());
    let fault = Fault::Error { status: 403, code, sub_code: None, message, applied: false };
    gateway.simulator.fail_next("group.create", 1, fault);
    gateway.groups.clone().create_group(new_group("T")).await.unwrap_err();
    quota(&gateway, &["group.create", "group.update"]).await
}

#[tokio::test]
async fn the_quota_shows_until_when_dingtalk_has_closed_something() {
    let minute = quota_after("QpmLimitForAppkeyAndApi").await;
    let [create, update] = &minute.operations[..] else { panic!("{minute:?}") };
    assert!(left(create.blocked_until) <= Duration::from_secs(15));
    assert_eq!((create.room, update.blocked_until), (0, None));
    assert!(update.room > 0 && !minute.month.unwrap().exhausted);
    assert!(quota_after("ApiCountLimitForOrg").await.month.unwrap().exhausted);
}

#[tokio::test]
async fn an_app_shows_its_token_its_last_error_and_its_open_breakers() {
    let gateway = Gateway::start_with(|sources| {
        let sources = sources.with("breaker.failures", 1).with("breaker.open", "1h");
        sources.with("breaker.open_max", "1h").with("retry.max_attempts", 1)
    })
    .await;
    let fresh = app(&gateway).await;
    let expected = pb::App {
        alias: "demo".to_owned(),
        region: pb::Region::Com.into(),
        generation: pb::Generation::New.into(),
        token_state: pb::TokenState::None.into(),
        ..Default::default()
    };
    assert_eq!(fresh, expected);
    assert_eq!(gateway.simulator.token_requests(), 0);

    gateway.simulator.fail_next("group.create", 1, Fault::DropAfter);
    gateway.groups.clone().create_group(new_group("T")).await.unwrap_err();
    let troubled = app(&gateway).await;
    assert_eq!(troubled.token_state(), pb::TokenState::Valid);
    assert!(left(troubled.token_expire_time) > Duration::from_secs(7000));
    assert_eq!(reason_of(&troubled.last_error), "OUTCOME_UNKNOWN");
    assert!(troubled.last_error_time.is_some());
    let [breaker] = &troubled.breakers[..] else { panic!("{troubled:?}") };
    assert_eq!((breaker.operation.as_str(), breaker.state()), ("group.create", pb::BreakerState::Open));
    assert!(left(breaker.probe_time) > Duration::from_secs(3000));
}

#[tokio::test]
async fn an_app_without_a_token_says_why() {
    let gateway = Gateway::start_with(|sources| sources.with("apps.demo.app_secret", "wrong-secret")).await;
    gateway.groups.clone().create_group(new_group("T")).await.unwrap_err();
    let app = app(&gateway).await;
    assert_eq!(app.token_state(), pb::TokenState::Unavailable);
    assert_eq!(
        (app.token_expire_time, reason_of(&app.last_error).as_str()),
        (None, "APP_CREDENTIALS_REJECTED")
    );
}

#[tokio::test]
async fn apps_are_listed_in_pages() {
    let second = |sources: dinggate::config::Sources| {
        let sources = sources.with("apps.other.app_key", "dingother").with("apps.other.app_secret", "s");
        sources.with("apps.other.region", "io").with("apps.other.generation", "legacy")
    };
    let gateway = Gateway::start_with(second).await;
    let page = |page_token| pb::ListAppsRequest { page_size: 1, page_token };
    let first = admin(&gateway).list_apps(page(String::new())).await.unwrap().into_inner();
    assert_eq!(first.apps[0].alias, "demo");
    let last = admin(&gateway).list_apps(page(first.next_page_token)).await.unwrap().into_inner();
    let other = &last.apps[0];
    assert_eq!((other.region(), other.generation()), (pb::Region::Io, pb::Generation::Legacy));
    assert_eq!((other.alias.as_str(), last.apps.len(), last.next_page_token.as_str()), ("other", 1, ""));
    let all = admin(&gateway).list_apps(pb::ListAppsRequest::default()).await.unwrap().into_inner();
    assert_eq!((all.apps.len(), all.next_page_token.as_str()), (2, ""));
    let status = admin(&gateway).get_app(pb::GetAppRequest::default()).await.unwrap_err();
    assert_eq!(fields(&status), ["app"], "two to choose from");
}

#[tokio::test]
async fn a_check_finds_the_permission_that_is_missing() {
    let gateway = Gateway::start().await;
    gateway.simulator.revoke_permission("dingdemo", "qyapi_chat_read");
    let reply = admin(&gateway).check_app(pb::CheckAppRequest::default()).await.unwrap();
    assert_eq!(calls(&reply), "4");
    let reply = reply.into_inner();
    assert_eq!(reply.token.as_ref().unwrap().code, 0);
    let found: Vec<_> =
        reply.permissions.iter().map(|check| (&check.permission[..], check.state())).collect();
    let (granted, missing) = (pb::PermissionState::Granted, pb::PermissionState::Missing);
    let expected = [
        ("qyapi_base", granted),
        ("qyapi_chat_base_read", granted),
        ("qyapi_chat_manage", granted),
        ("qyapi_chat_read", missing),
        ("qyapi_robot_sendmsg", granted),
    ];
    assert_eq!(found, expected, "{reply:?}");
    let lacking = &reply.permissions[3];
    assert_eq!(lacking.operation, "group.get_legacy");
    assert_eq!(reason_of(&lacking.status), "APP_PERMISSION_MISSING");
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (4, 1));
}

#[tokio::test]
async fn a_check_tries_what_it_is_asked_for_and_fetches_a_token_each_time() {
    let gateway = Gateway::start().await;
    let request =
        pb::CheckAppRequest { permissions: vec!["qyapi_chat_read".to_owned()], ..Default::default() };
    for _ in 0..2 {
        let reply = admin(&gateway).check_app(request.clone()).await.unwrap().into_inner();
        assert_eq!(reply.permissions.len(), 1);
    }
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (2, 2));

    gateway.simulator.fail_next("group.get_legacy", 9, Fault::DropBefore);
    let reply = admin(&gateway).check_app(request).await.unwrap().into_inner();
    assert_eq!(reply.permissions[0].state(), pb::PermissionState::Unknown);
    assert!(!reason_of(&reply.permissions[0].status).is_empty());
}

#[tokio::test]
async fn a_check_without_a_token_tries_nothing_else() {
    let gateway = Gateway::start_with(|sources| sources.with("apps.demo.app_secret", "wrong-secret")).await;
    let reply = admin(&gateway).check_app(pb::CheckAppRequest::default()).await.unwrap().into_inner();
    assert_eq!(reason_of(&reply.token), "APP_CREDENTIALS_REJECTED");
    assert!(reply.permissions.is_empty());
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 1));
}
