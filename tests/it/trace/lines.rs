//! The log lines that go with a trace, and what has none.

use dinggate::pb::admin::{GetAccessTokenRequest, token_service_client::TokenServiceClient};
use serde_json::{Value, json};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use super::{
    CREATE, OTHER_TRACE, TRACE, create, hex,
    process::{Process, Telemetry},
    refusal, traced,
};
use crate::support::new_group;

#[tokio::test]
async fn who_borrows_a_token_is_logged_and_the_token_is_not() {
    let gateway = Process::start(Telemetry::default()).await;
    let mut request = traced(GetAccessTokenRequest::default(), TRACE, "01");
    request.metadata_mut().insert("x-dinggate-caller", "reports".parse().unwrap());
    let lent = TokenServiceClient::new(gateway.channel.clone()).get_access_token(request).await.unwrap();
    let lent = lent.into_inner();
    let left = gateway.stop().await;

    assert!(!left.log.iter().any(|line| line.contains(&lent.access_token)));
    let audit: Vec<_> =
        left.lines().into_iter().filter(|line| line["message"] == "handed out an access token").collect();
    let [line] = &audit[..] else { panic!("{audit:?}") };
    let told = [&line["app"], &line["caller"], &line["fingerprint"]];
    assert_eq!(told, ["demo", "reports", lent.fingerprint.as_str()]);
}

#[tokio::test]
async fn every_rpc_has_one_access_line_and_its_lines_know_the_trace() {
    let gateway = Process::start(Telemetry { log_filter: "info,dinggate=debug", ..Default::default() }).await;
    gateway.groups().create_group(create()).await.unwrap();
    gateway.groups().create_group(traced(new_group(""), OTHER_TRACE, "01")).await.unwrap_err();
    let left = gateway.stop().await;

    let access = left.access_lines();
    let [created, refused] = &access[..] else { panic!("{access:?}") };
    for (line, trace_id, code, calls) in
        [(created, TRACE, "OK", 1), (refused, OTHER_TRACE, "INVALID_ARGUMENT", 0)]
    {
        assert_eq!((&line["level"], &line["method"]), (&json!("INFO"), &json!(CREATE)));
        assert_eq!((&line["trace_id"], &line["code"]), (&json!(trace_id), &json!(code)));
        assert_eq!(line["upstream_calls"], calls);
        assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 10_000.0), "{line}");
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
    let lines = left.lines();
    let fetched = lines.iter().find(|line| line["message"] == "fetched an access token").unwrap();
    assert_eq!((&fetched["level"], &fetched["trace_id"]), (&json!("DEBUG"), &json!(TRACE)));
    assert_eq!(fetched["span_id"], hex(&left.span("token").span_id));
}

#[tokio::test]
async fn a_warning_knows_its_trace_where_only_warnings_are_logged() {
    let gateway =
        Process::start(Telemetry { log_filter: "warn,dinggate::server=info", ..Default::default() }).await;
    gateway.simulator.fail_next("group.create", 1, refusal("made.up"));
    gateway.groups().create_group(create()).await.unwrap_err();
    let left = gateway.stop().await;
    let lines = left.lines();
    let warning = lines.iter().find(|line| line["level"] == "WARN").unwrap();
    assert_eq!((&warning["code"], &warning["trace_id"]), (&json!("made.up"), &json!(TRACE)));
}

#[tokio::test]
async fn the_text_format_says_the_same() {
    let gateway = Process::start(Telemetry { log_format: "text", ..Default::default() }).await;
    gateway.groups().create_group(create()).await.unwrap();
    let left = gateway.stop().await;
    let line = left.log.iter().find(|line| line.contains(" INFO rpc ")).unwrap();
    for part in [
        &format!(" method={CREATE} app=demo code=OK "),
        " duration_ms=",
        " upstream_calls=1 ",
        &format!(" trace_id={TRACE}"),
    ] {
        assert!(line.contains(part), "{part:?} in {line:?}");
    }
    let debug = left.log.iter().find(|line| line.contains("DEBUG fetched an access token")).unwrap();
    assert!(debug.contains(&format!(" trace_id={TRACE} span_id=")), "{debug}");
}

#[tokio::test]
async fn health_checks_and_reflection_leave_no_trace_and_no_line() {
    let gateway = Process::start(Telemetry { log_filter: "info", ..Default::default() }).await;
    let mut health = HealthClient::new(gateway.channel.clone());
    health.check(traced(HealthCheckRequest::default(), TRACE, "01")).await.unwrap();
    let list = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut reflection = ServerReflectionClient::new(gateway.channel.clone());
    let ask = traced(tokio_stream::once(list), TRACE, "01");
    reflection.server_reflection_info(ask).await.unwrap().into_inner().message().await.unwrap().unwrap();
    let left = gateway.stop().await;
    assert_eq!(left.spans, []);
    assert_eq!(left.access_lines(), Vec::<Value>::new());
}
