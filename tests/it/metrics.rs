//! What `/metrics` says after some calls.

use std::collections::{BTreeMap, BTreeSet};

use dinggate::{
    event::{Cause, Change, Gap},
    metrics::definitions::{ALL, Definition, Kind},
    pb::group as pb,
};
use dinggate_simulator::Fault;
use prost::bytes::Bytes;
use tokio::task::yield_now;
use tonic::{Code, Request};

use crate::{
    contract,
    events::event,
    support::{Gateway, new_group, reason},
};

/// Nothing makes this here: the port speaks no TLS.
const ABSENT: [&str; 1] = ["dinggate_tls_certificate_expiry_timestamp_seconds"];

/// The numbers of a scrape by their series, as Prometheus writes it.
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub async fn of(gateway: &Gateway) -> Self {
        let answer = reqwest::get(format!("http://{}/metrics", gateway.http_addr)).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
        let text = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let numbers = lines.map(|line| line.rsplit_once(' ').unwrap());
        Self(numbers.map(|(series, number)| (series.to_owned(), number.parse().unwrap())).collect())
    }

    /// The number of a series; none where it is not there.
    pub fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The sum of all series that begin so.
    fn sum(&self, prefix: &str) -> f64 {
        self.0.iter().filter(|(series, _)| series.starts_with(prefix)).map(|(_, number)| number).sum()
    }

    /// The values of a label.
    fn values(&self, label: &str) -> BTreeSet<&str> {
        let label = format!("{label}=\"");
        self.0.keys().filter_map(|series| series.split_once(&label)?.1.split('"').next()).collect()
    }
}

/// The definition that a series belongs to, and the names of the labels it has.
fn shape(series: &str) -> (&'static Definition, Vec<&str>) {
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let of = |definition: &&&Definition| {
        let part = name.strip_prefix(definition.name);
        part.is_some_and(|part| match definition.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"].contains(&part),
            _ => part.is_empty(),
        })
    };
    let definition = ALL.iter().find(of).unwrap_or_else(|| panic!("{series} is not defined"));
    let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0));
    (definition, labels.filter(|label| *label != "le").collect())
}

#[tokio::test]
async fn a_call_is_counted_on_its_way_out_and_back() {
    let gateway = Gateway::start_with(|sources| {
        sources.with("apps.demo.limits", toml::Table::from_iter([("per_month".to_owned(), 500.into())]))
    })
    .await;
    let before = Scrape::of(&gateway).await;
    assert_eq!(before.get(r#"dinggate_month_calls{app="demo"}"#), None, "nothing is known yet");
    assert_eq!(before.get(r#"dinggate_token_expiry_seconds{app="demo"}"#), None, "none was needed yet");

    let group = gateway.group().await;
    let read = pb::GetGroupRequest { group: group.r#ref, ..Default::default() };
    for _ in 0..3 {
        gateway.groups.clone().get_group(read.clone()).await.unwrap();
    }
    let scrape = Scrape::of(&gateway).await;
    let rpc = |method: &str| {
        let service = r#"rpc_service="dinggate.group.v1.GroupService""#;
        let labels = format!(r#"caller="unknown",rpc_grpc_status_code="OK",rpc_method="{method}",{service}"#);
        scrape.get(&format!("rpc_server_duration_seconds_count{{{labels}}}"))
    };
    assert_eq!((rpc("CreateGroup"), rpc("GetGroup")), (Some(1.0), Some(3.0)));
    let calls = |operation: &str, generation: &str| {
        let labels = format!(r#"app="demo",generation="{generation}",operation="{operation}""#);
        scrape.get(&format!("dinggate_upstream_calls_total{{{labels}}}"))
    };
    assert_eq!((calls("group.create", "new"), calls("group.get_legacy", "legacy")), (Some(1.0), Some(1.0)));
    let attempts = |operation: &str| {
        let labels = format!(r#"app="demo",operation="{operation}",outcome="ok""#);
        scrape.get(&format!("dingtalk_client_duration_seconds_count{{{labels}}}"))
    };
    assert_eq!((attempts("group.create"), attempts("auth.access_token.get")), (Some(1.0), Some(1.0)));
    for (series, number) in [
        (r#"dinggate_cache_requests_total{result="miss"}"#, 1.0),
        (r#"dinggate_cache_requests_total{result="hit"}"#, 2.0),
        (r#"dinggate_token_refreshes_total{app="demo",result="ok"}"#, 1.0),
        (r#"dinggate_month_calls{app="demo"}"#, 2.0),
        (r#"dinggate_month_calls_limit{app="demo"}"#, 500.0),
        (r#"dinggate_queue_length{app="demo"}"#, 0.0),
        (r#"dinggate_queue_wait_seconds_count{app="demo"}"#, 2.0),
        ("dinggate_store_up", 1.0),
        ("dinggate_watchers", 0.0),
        ("dinggate_connections", 1.0),
        (concat!("dinggate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(scrape.get(series), Some(number), "{series}");
    }
    let expiry = scrape.get(r#"dinggate_token_expiry_seconds{app="demo"}"#).unwrap();
    assert!((7000.0..=7200.0).contains(&expiry), "{expiry}");
    assert_eq!(gateway.simulator.requests("group.create"), 1);
    assert_eq!(gateway.simulator.requests("auth.access_token.get"), 1, "scrapes ask DingTalk for nothing");
}

/// A gateway for which everything has gone wrong once.
async fn troubled() -> Gateway {
    let gateway = Gateway::start_with(|sources| {
        sources
            .with("retry.max_attempts", 1)
            .with("breaker.failures", 1)
            .with("server.max_concurrent_requests", 1)
            .with("apps.demo.limits", toml::Table::from_iter([("per_month".to_owned(), 500.into())]))
    })
    .await;
    let refusal = |code: &str| {
        let (code, message) = (code.to_owned(), "no".to_owned());
        Fault::Error { status: 400, code, sub_code: None, message, applied: false }
    };
    for (fault, expected) in [
        (refusal("made.up"), "UPSTREAM_UNMAPPED"),
        (Fault::Throttle, "APP_RATE_LIMITED"),
        (Fault::DropAfter, "OUTCOME_UNKNOWN"),
    ] {
        gateway.simulator.fail_next("group.create", 1, fault);
        let status = gateway.groups.clone().create_group(new_group("A group")).await.unwrap_err();
        assert_eq!(reason(&status), expected);
    }
    let read = pb::GetGroupRequest {
        group: Some(pb::GroupRef { chat_id: "chatnowhere".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    gateway.simulator.fail_next("group.get_legacy", 1, Fault::Hang);
    let mut patient = gateway.groups.clone();
    let hanging = tokio::spawn({
        let read = read.clone();
        async move { patient.get_group(read).await }
    });
    while gateway.simulator.requests("group.get_legacy") == 0 {
        yield_now().await;
    }
    let status = gateway.groups.clone().get_group(read).await.unwrap_err();
    assert_eq!(reason(&status), "SERVER_OVERLOADED");
    hanging.abort();
    gateway.feed.accept("demo", None, vec![event("e1", 1, Change::GroupDisbanded)]).await.unwrap();
    gateway.feed.gap("demo", None, Gap { from: 1, to: 2, cause: Cause::Reconnected }).await.unwrap();
    gateway
}

#[tokio::test]
async fn trouble_is_counted_by_what_it_is() {
    let gateway = troubled().await;
    let scrape = Scrape::of(&gateway).await;
    let attempts = |outcome: &str| {
        let labels = format!(r#"app="demo",operation="group.create",outcome="{outcome}""#);
        scrape.get(&format!("dingtalk_client_duration_seconds_count{{{labels}}}"))
    };
    assert_eq!(
        ["unmapped", "throttled", "lost", "ok"].map(attempts),
        [Some(1.0), Some(1.0), Some(1.0), None]
    );
    for (series, number) in [
        (r#"dinggate_unmapped_errors_total{code="made.up",operation="group.create"}"#, 1.0),
        (r#"dinggate_outcome_unknown_total{app="demo"}"#, 1.0),
        (r#"dinggate_throttled_total{app="demo",operation="group.create",source="dingtalk"}"#, 1.0),
        (r#"dinggate_breaker_open{app="demo",operation="group.create"}"#, 1.0),
        (r#"dinggate_rejected_total{reason="overload"}"#, 1.0),
        (r#"dinggate_events_total{app="demo",type="group_disbanded"}"#, 1.0),
        (r#"dinggate_event_gaps_total{app="demo",cause="reconnected"}"#, 1.0),
    ] {
        assert_eq!(scrape.get(series), Some(number), "{series}");
    }
}

#[tokio::test]
async fn every_series_is_documented_and_everything_documented_is_there() {
    let gateway = troubled().await;
    let scrape = Scrape::of(&gateway).await;
    let mut seen = BTreeSet::new();
    for series in scrape.0.keys() {
        let (definition, labels) = shape(series);
        let defined: BTreeSet<_> = definition.labels.iter().copied().collect();
        assert_eq!(BTreeSet::from_iter(labels), defined, "{series}");
        seen.insert(definition.name);
    }
    let missing: Vec<_> =
        ALL.iter().map(|definition| definition.name).filter(|name| !seen.contains(name)).collect();
    assert_eq!(missing, ABSENT);
}

#[tokio::test]
async fn names_that_callers_make_up_do_not_become_labels() {
    let gateway = Gateway::start_with(|sources| sources.with("limits.shares.orders", 3)).await;
    for caller in ["orders", "made-up-1", "made-up-2"] {
        let mut request = Request::new(new_group("A group"));
        request.metadata_mut().insert("x-dinggate-caller", caller.parse().unwrap());
        gateway.groups.clone().create_group(request).await.unwrap();
    }
    for path in ["/made.up.Service/One", "/made.up.Service/Two", "/dinggate.group.v1.GroupService/Three"] {
        let status = contract::call(&gateway.channel, path, Request::new(Bytes::new())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }
    let scrape = Scrape::of(&gateway).await;
    assert_eq!(scrape.values("caller"), BTreeSet::from(["orders", "other", "unknown"]));
    assert_eq!(scrape.values("rpc_method"), BTreeSet::from(["CreateGroup", "other"]));
    let others = r#"rpc_server_duration_seconds_count{caller="unknown",rpc_grpc_status_code="UNIMPLEMENTED",rpc_method="other""#;
    assert_eq!(scrape.sum(others), 3.0);
}
