//! One trace through the gateway, at a real OTLP receiver, and the log lines that go with it.
//!
//! Telemetry is global to a process, so the gateway runs as the program it is. Spans are exported when it stops and
//! never before: what arrives at all proves that SIGTERM flushes. And whatever a test provokes, [`Process::stop`]
//! looks for secrets, members and texts in all of it.

mod lines;
pub mod process;

use std::{collections::BTreeSet, net::TcpListener};

use dinggate::{
    metrics::definitions::ALL,
    pb::group::{self as pb, member_service_client::MemberServiceClient},
};
use dinggate_simulator::Fault;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::json;
use tokio::{task::yield_now, time::timeout};

use self::process::{Left, Process, SOON, TITLE, Telemetry, attributes};
use crate::support::{new_group, reason, user};

const CREATE: &str = "dinggate.group.v1.GroupService/CreateGroup";
const GET: &str = "dinggate.group.v1.GroupService/GetGroup";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN: &str = "b7ad6b7169203331";

/// A request within the trace of its caller.
fn traced<M>(message: M, trace_id: &str, flags: &str) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    let traceparent = format!("00-{trace_id}-{CALLER_SPAN}-{flags}");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    request
}

fn create() -> tonic::Request<pb::CreateGroupRequest> {
    traced(new_group(TITLE), TRACE, "01")
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

/// An error answer that repeats what it was asked, as DingTalk's do.
fn refusal(code: &str) -> Fault {
    let message = format!("user001 不能加入「{TITLE}」");
    Fault::Error { status: 400, code: code.to_owned(), sub_code: None, message, applied: false }
}

#[tokio::test]
async fn a_call_is_one_trace_from_its_caller_to_dingtalk() {
    let gateway = Process::start(Telemetry::default()).await;
    let created = gateway.groups().create_group(create()).await.unwrap().into_inner();
    let read = pb::GetGroupRequest { group: created.group.unwrap().r#ref, ..Default::default() };
    gateway.groups().get_group(traced(read, OTHER_TRACE, "01")).await.unwrap();
    let port = gateway.simulator.addr().port();
    let left = gateway.stop().await;

    let fetch = "dingtalk auth.access_token.get";
    assert_eq!(left.names(TRACE), [CREATE, fetch, "dingtalk group.create", "token"]);
    assert_eq!(left.names(OTHER_TRACE), [GET, "dingtalk group.get_legacy"], "the token is there already");
    assert_eq!(left.spans.len(), 6, "and no other span");
    assert!(!left.spans.iter().any(failed));

    let [rpc, token, fetch, create] =
        [CREATE, "token", fetch, "dingtalk group.create"].map(|name| left.span(name));
    assert_eq!(hex(&rpc.parent_span_id), CALLER_SPAN);
    assert_eq!(token.parent_span_id, rpc.span_id);
    assert_eq!(fetch.parent_span_id, token.span_id);
    assert_eq!(create.parent_span_id, rpc.span_id);
    let kinds = [rpc, token, fetch, create].map(Span::kind);
    assert_eq!(kinds, [SpanKind::Server, SpanKind::Internal, SpanKind::Client, SpanKind::Client]);

    let expected = json!({
        "rpc.system.name": "grpc",
        "rpc.method": CREATE,
        "rpc.response.status_code": "OK",
        "dinggate.upstream_calls": 1,
    });
    assert_eq!(attributes(rpc), expected);
    assert_eq!(attributes(token), json!({}));
    let request_id = left.access_lines()[0]["dingtalk_request_id"].clone();
    assert!(request_id.is_string());
    let expected = json!({
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.template": "/v1.0/im/group/create",
        "dingtalk.operation": "group.create",
        "dingtalk.request_id": request_id,
        "dinggate.app": "demo",
        "dinggate.attempt": 1,
    });
    assert_eq!(attributes(create), expected);
    assert_eq!(left.resource["service.name"], "dinggate-under-test");
    assert_eq!(left.resource["service.version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn each_attempt_has_its_span() {
    let mut gateway = Process::start(Telemetry::default()).await;
    gateway.groups().create_group(new_group(TITLE)).await.unwrap();
    gateway.revoke_tokens().await;
    gateway.groups().create_group(create()).await.unwrap();
    let left = gateway.stop().await;

    let rpc = left.spans.iter().find(|span| span.name == CREATE && hex(&span.trace_id) == TRACE).unwrap();
    let attempts = left.spans_named("dingtalk group.create");
    let attempts: Vec<_> = attempts.into_iter().filter(|span| span.trace_id == rpc.trace_id).collect();
    let numbers: Vec<_> = attempts.iter().map(|span| attributes(span)["dinggate.attempt"].clone()).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(attempts.iter().all(|span| span.parent_span_id == rpc.span_id));
    assert!(failed(attempts[0]) && !failed(attempts[1]) && !failed(rpc));
    assert_eq!(attributes(attempts[0])["dingtalk.code"], "InvalidAuthentication");
    assert_eq!(attributes(rpc)["dinggate.upstream_calls"], 2);
    assert_eq!(left.spans_named("token").len(), 2, "waited for: when cold, and after the revocation");
}

#[tokio::test]
async fn each_chunk_has_its_span() {
    let gateway = Process::start(Telemetry::default()).await;
    let created = gateway.groups().create_group(new_group(TITLE)).await.unwrap().into_inner();
    let people = (10..60).map(|i| user(&format!("user{i:03}"))).collect();
    let group = created.group.unwrap().r#ref;
    let add = pb::AddMembersRequest { group, members: people, ..Default::default() };
    let mut members = MemberServiceClient::new(gateway.channel.clone());
    members.add_members(traced(add, TRACE, "01")).await.unwrap();
    let left = gateway.stop().await;
    let rpc = left.span("dinggate.group.v1.MemberService/AddMembers");
    let chunks = left.spans_named("dingtalk group.update");
    assert_eq!(chunks.len(), 2, "of 40 and of 10");
    assert!(chunks.iter().all(|chunk| chunk.parent_span_id == rpc.span_id));
}

#[tokio::test]
async fn who_waits_for_a_place_has_a_span_for_it() {
    let gateway = Process::start(Telemetry::default()).await;
    // The app may do 20 in a second, and half of them at once.
    let calls: Vec<_> = (0..15)
        .map(|_| {
            let mut groups = gateway.groups();
            tokio::spawn(async move { groups.create_group(create()).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let left = gateway.stop().await;
    let rpcs: BTreeSet<_> = left.spans_named(CREATE).iter().map(|span| span.span_id.clone()).collect();
    let waits = left.spans_named("queue");
    assert!(!waits.is_empty() && waits.len() < 15, "{}", waits.len());
    assert!(waits.iter().all(|wait| rpcs.contains(&wait.parent_span_id)));
}

#[tokio::test]
async fn an_attempt_begins_when_it_need_not_wait_for_others_any_more() {
    let gateway = Process::start(Telemetry { max_in_flight: 1, ..Default::default() }).await;
    gateway.groups().create_group(create()).await.unwrap();
    gateway.simulator.fail_next("group.create", 1, Fault::DelayAfter { ms: 1500 });
    let mut groups = gateway.groups();
    let slow = tokio::spawn(async move { groups.create_group(create()).await });
    while gateway.simulator.requests("group.create") < 2 {
        yield_now().await;
    }
    gateway.groups().create_group(create()).await.unwrap();
    slow.await.unwrap().unwrap();
    let left = gateway.stop().await;
    let mut attempts = left.spans_named("dingtalk group.create");
    attempts.sort_by_key(|attempt| attempt.start_time_unix_nano);
    assert_eq!(attempts.len(), 3);
    assert!(attempts[2].start_time_unix_nano >= attempts[1].end_time_unix_nano, "the wait is not DingTalk's");
    let wait = left.span("connection");
    assert_eq!(wait.parent_span_id, attempts[2].parent_span_id);
}

#[tokio::test]
async fn metrics_are_exported_under_the_names_that_prometheus_sees() {
    let gateway = Process::start(Telemetry::default()).await;
    gateway.groups().create_group(create()).await.unwrap();
    let left = gateway.stop().await;
    let exported: BTreeSet<_> = left.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let of_lines = left.scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let scraped: BTreeSet<_> = of_lines.collect();
    assert_eq!(exported, scraped);
    for definition in ALL {
        for metric in left.metrics.iter().filter(|metric| metric.name == definition.name) {
            assert_eq!((&*metric.unit, &*metric.description), (definition.unit, definition.help));
        }
    }
}

#[tokio::test]
async fn an_upstream_error_is_an_error_of_its_span() {
    let gateway = Process::start(Telemetry::default()).await;
    gateway.simulator.fail_next("group.create", 1, refusal("made.up"));
    let status = gateway.groups().create_group(create()).await.unwrap_err();
    assert_eq!(reason(&status), "UPSTREAM_UNMAPPED");
    let left = gateway.stop().await;

    let attempt = left.span("dingtalk group.create");
    assert!(failed(attempt));
    let attempt = attributes(attempt);
    assert_eq!((&attempt["error.type"], &attempt["dingtalk.code"]), (&json!("made.up"), &json!("made.up")));
    assert_eq!(attempt["http.response.status_code"], 400);
    let rpc = left.span(CREATE);
    assert!(failed(rpc));
    let rpc = attributes(rpc);
    assert_eq!(
        (&rpc["error.type"], &rpc["rpc.response.status_code"]),
        (&json!("INTERNAL"), &json!("INTERNAL"))
    );
}

#[tokio::test]
async fn a_fault_of_the_caller_is_no_error_of_the_server() {
    let gateway = Process::start(Telemetry::default()).await;
    gateway.groups().create_group(traced(new_group(""), TRACE, "01")).await.unwrap_err();
    let left = gateway.stop().await;
    let rpc = left.span(CREATE);
    assert!(!failed(rpc));
    assert_eq!(attributes(rpc)["rpc.response.status_code"], "INVALID_ARGUMENT");
    assert_eq!(attributes(rpc).get("error.type"), None);
}

#[tokio::test]
async fn nothing_is_exported_of_what_the_caller_does_not_sample() {
    let gateway = Process::start(Telemetry::default()).await;
    gateway.groups().create_group(traced(new_group(TITLE), TRACE, "00")).await.unwrap();
    let left = gateway.stop().await;
    assert_eq!(left.spans, []);
    assert_eq!(left.access_lines()[0]["trace_id"], TRACE, "the log knows the trace all the same");
    let lines = left.lines();
    let fetched = lines.iter().find(|line| line["message"] == "fetched an access token").unwrap();
    assert_eq!(fetched["trace_id"], TRACE, "also what is done in another task");
    assert_eq!(fetched.get("span_id"), None, "there is no such span");
}

#[tokio::test]
async fn a_call_without_a_trace_begins_one() {
    let gateway = Process::start(Telemetry::default()).await;
    let created = gateway.groups().create_group(new_group(TITLE)).await.unwrap();
    let told = created.metadata().get("x-dinggate-request-id").unwrap().to_str().unwrap().to_owned();
    let left = gateway.stop().await;
    let rpc = left.span(CREATE);
    assert_eq!((hex(&rpc.trace_id), hex(&rpc.parent_span_id)), (told.clone(), String::new()));
    assert_eq!(left.access_lines()[0]["trace_id"], told);
    assert_eq!(left.names(&told).len(), left.spans.len(), "and all spans are in it");
}

#[tokio::test]
async fn nothing_is_exported_of_what_nobody_samples() {
    let gateway = Process::start(Telemetry { sampler_arg: 0.0, ..Default::default() }).await;
    gateway.groups().create_group(new_group(TITLE)).await.unwrap();
    gateway.groups().create_group(create()).await.unwrap();
    let left = gateway.stop().await;
    assert_eq!(left.names(TRACE).len(), left.spans.len(), "only the trace whose caller samples");
    assert_eq!(left.names(TRACE), [CREATE, "dingtalk group.create"]);
}

#[tokio::test]
async fn no_failure_puts_a_secret_into_telemetry() {
    let mut gateway = Process::start(Telemetry::default()).await;
    let created = gateway.groups().create_group(create()).await.unwrap().into_inner();
    let read = pb::GetGroupRequest { group: created.group.unwrap().r#ref, ..Default::default() };
    let secrets = format!("user001 {TITLE} demo-secret");
    let garbage = Fault::Garbage {
        status: 200,
        content_type: "application/json".to_owned(),
        body: secrets.into_bytes(),
        applied: false,
    };
    let faults = [
        Fault::DropBefore,
        Fault::Truncate,
        Fault::Html { status: 502, applied: false },
        Fault::Throttle,
        garbage,
        refusal("made.up"),
    ];
    for fault in faults {
        // Once with the token in a header, once with the token in the query.
        gateway.simulator.fail_next("group.create", 2, fault.clone());
        gateway.groups().create_group(create()).await.expect_err(fault.kind());
        gateway.simulator.clear_faults();
        gateway.simulator.fail_next("group.get_legacy", 2, fault.clone());
        let outcome = gateway.groups().get_group(read.clone()).await;
        gateway.simulator.clear_faults();
        outcome.expect_err(fault.kind());
    }
    gateway.revoke_tokens().await;
    gateway.simulator.fail_next("auth.access_token.get", 1, refusal("made.up"));
    gateway.groups().get_group(read).await.unwrap_err();
    assert_eq!(gateway.simulator.faults(), [], "each has struck");
    // The last one, because nothing is sent after it.
    gateway.simulator.fail_next("group.create", 1, Fault::IpBan);
    gateway.groups().create_group(create()).await.expect_err("barred");
    let left = gateway.stop().await;
    assert!(left.spans.iter().filter(|span| failed(span)).count() > 15);
}

#[tokio::test]
async fn a_call_that_hangs_is_cut_off_and_the_exit_is_clean() {
    let gateway = Process::start(Telemetry::default()).await;
    gateway.simulator.fail_next("group.create", 1, Fault::Hang);
    let mut groups = gateway.groups();
    let hanging = tokio::spawn(async move { groups.create_group(create()).await });
    while gateway.simulator.requests("group.create") == 0 {
        yield_now().await;
    }
    let left = gateway.stop().await;
    timeout(SOON, hanging).await.expect("cut off").unwrap().expect_err("no answer");
    assert!(left.lines().iter().any(|line| line["level"] == "WARN"), "it is said");
    assert!(left.spans_named("token").len() == 1, "what had ended is exported");
}

/// What is lost is the traces, and nothing else.
async fn serves_and_ends_without(otlp_endpoint: String) -> Left {
    let telemetry =
        Telemetry { otlp_endpoint: Some(otlp_endpoint), log_filter: "info", ..Default::default() };
    let gateway = Process::start(telemetry).await;
    for _ in 0..3 {
        timeout(SOON, gateway.groups().create_group(create())).await.expect("in time").unwrap();
    }
    let left = gateway.stop().await;
    assert_eq!(left.access_lines().len(), 3);
    left
}

#[tokio::test]
async fn a_collector_that_is_down_harms_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let left = serves_and_ends_without(format!("http://{addr}")).await;
    let told = left.log.iter().any(|line| line.contains("BatchSpanProcessor.ExportError"));
    assert!(told, "{:?}", left.log);
}

#[tokio::test]
async fn a_collector_that_never_answers_harms_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let left = serves_and_ends_without(format!("http://{}", listener.local_addr().unwrap())).await;
    let told = left.log.iter().any(|line| line.contains("the last traces could not be exported"));
    assert!(told, "{:?}", left.log);
}
