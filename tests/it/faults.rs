//! Bad weather between the gateway and DingTalk: what callers are told, and what is never sent twice.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use dinggate::pb::group as pb;
use dinggate_simulator::Fault;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::{
    task::yield_now,
    time::{Instant, timeout},
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    metrics::Scrape,
    support::{Gateway, metadata, new_group, reason},
};

fn read(group: &pb::Group) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: group.r#ref.clone(), ..Default::default() }
}

/// Every way in which the answer of an applied create can fail to arrive.
fn lost_answers() -> Vec<(&'static str, Fault)> {
    let error = |status, code: &str| Fault::Error {
        status,
        code: code.to_owned(),
        sub_code: None,
        message: "系统繁忙".to_owned(),
        applied: true,
    };
    let garbage = |body: &str| Fault::Garbage {
        status: 200,
        content_type: "application/json".to_owned(),
        body: body.as_bytes().to_vec(),
        applied: true,
    };
    vec![
        ("dropped", Fault::DropAfter),
        ("truncated", Fault::Truncate),
        ("empty", Fault::Empty { status: 200, applied: true }),
        ("oversize", Fault::Oversize { bytes: 5 << 20, applied: true }),
        ("not JSON", garbage("ok")),
        ("another object", garbage("{\"chatid\":\"chat1\"}")),
        ("system error", error(500, "system.error")),
        ("undocumented 500", error(500, "made.up")),
        ("gateway timeout", Fault::Html { status: 504, applied: true }),
        ("bad gateway", Fault::Html { status: 502, applied: true }),
    ]
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_unknown_and_never_sent_twice() {
    for (name, fault) in lost_answers() {
        let gateway = Gateway::start().await;
        gateway.simulator.fail_next("group.create", 1, fault);
        let status = gateway.groups.clone().create_group(new_group("Lost")).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unknown, "OUTCOME_UNKNOWN"),
            "{name}: {status:?}"
        );
        assert_eq!(metadata(&status, "operation"), "group.create");
        assert!(status.get_details_retry_info().is_none(), "{name}");
        assert_eq!(gateway.simulator.requests("group.create"), 1, "{name}");
        assert_eq!(gateway.simulator.groups().len(), 1, "{name}: it was applied");
    }
}

#[tokio::test]
async fn a_create_that_outlives_its_deadline_is_unknown() {
    let gateway = Gateway::start().await;
    gateway.group().await;
    gateway.simulator.fail_next("group.create", 1, Fault::DelayAfter { ms: 3000 });
    let mut request = tonic::Request::new(new_group("Late"));
    request.set_timeout(Duration::from_millis(500));
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert_eq!(gateway.simulator.groups().len(), 2);
}

#[tokio::test]
async fn more_than_may_be_under_way_waits_and_what_waits_too_long_was_not_sent() {
    let gateway = Gateway::start_with(|sources| sources.with("dingtalk.max_in_flight", 1)).await;
    let begin = Instant::now();
    gateway.group().await;
    gateway.simulator.fail_next("group.create", 1, Fault::DelayAfter { ms: 1500 });
    let create = |title: &str, timeout: Option<Duration>| {
        let mut request = tonic::Request::new(new_group(title));
        timeout.inspect(|timeout| request.set_timeout(*timeout));
        let mut groups = gateway.groups.clone();
        tokio::spawn(async move { groups.create_group(request).await })
    };
    let slow = create("Slow", None);
    while gateway.simulator.requests("group.create") < 2 {
        yield_now().await;
    }
    let (patient, hasty) =
        (create("Patient", None), create("Hasty", Some(Duration::from_millis(400))).await.unwrap());
    assert_eq!(hasty.unwrap_err().code(), Code::DeadlineExceeded, "nothing was done");
    assert_eq!(gateway.simulator.requests("group.create"), 2, "nothing beside the slow one was sent");
    let waiting = "dingtalk_client_waiting_requests";
    // The hasty one's client leaves a moment before the gateway gives up for it.
    let patient_alone = async {
        while Scrape::of(&gateway).await.get(waiting) != Some(1.0) {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(1), patient_alone).await.expect("the patient one waits");
    let scrape = Scrape::of(&gateway).await;
    let spent = r#"dinggate_upstream_calls_total{app="demo",generation="new",operation="group.create"}"#;
    assert_eq!(scrape.get(spent), Some(2.0), "who waits has spent nothing");
    slow.await.unwrap().unwrap();
    patient.await.unwrap().unwrap();
    let titles = gateway.simulator.groups().len();
    assert_eq!((gateway.simulator.requests("group.create"), titles), (3, 3));
    let scrape = Scrape::of(&gateway).await;
    assert_eq!((scrape.get(waiting), scrape.get(spent)), (Some(0.0), Some(3.0)));
    let took = r#"dingtalk_client_duration_seconds_sum{app="demo",operation="group.create",outcome="ok"}"#;
    let (took, all) = (scrape.get(took).unwrap(), begin.elapsed().as_secs_f64());
    assert!(took < all, "one after the other, so a wait in {took} would be too much for {all}");
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_for_its_request_id_and_nothing_is_sent() {
    let gateway = Gateway::start().await;
    gateway.simulator.fail_next("group.create", 1, Fault::DropAfter);
    let request = pb::CreateGroupRequest {
        request_id: "6f1c2f9e-3b5a-4d0e-9c1d-2a7b8e4f0a11".to_owned(),
        ..new_group("Once")
    };
    for _ in 0..3 {
        let status = gateway.groups.clone().create_group(request.clone()).await.unwrap_err();
        assert_eq!(reason(&status), "OUTCOME_UNKNOWN");
    }
    assert_eq!(gateway.simulator.requests("group.create"), 1);
}

#[tokio::test]
async fn a_request_id_gets_the_same_group_and_no_second_one() {
    let gateway = Gateway::start().await;
    let request = pb::CreateGroupRequest {
        request_id: "0b0e7a52-9a53-4b63-8f5c-0d3d0f5a2a10".to_owned(),
        ..new_group("Once")
    };
    let first = gateway.create(request.clone()).await;
    assert_eq!(gateway.create(request.clone()).await, first);
    assert_eq!(gateway.simulator.requests("group.create"), 1);
    let other = pb::CreateGroupRequest { title: "Another".to_owned(), ..request };
    let status = gateway.groups.clone().create_group(other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    assert_eq!(crate::support::fields(&status), ["request_id"]);
}

#[tokio::test]
async fn a_create_that_was_certainly_refused_may_be_tried_again() {
    let gateway = Gateway::start().await;
    gateway.simulator.fail_next("group.create", 1, Fault::Throttle);
    let mut request = tonic::Request::new(new_group("T"));
    // Too short for the pause that a throttle asks for.
    request.set_timeout(Duration::from_millis(900));
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "APP_RATE_LIMITED"));
    assert!(status.get_details_retry_info().is_some() && status.get_details_quota_failure().is_some());
    gateway.group().await;
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_invites_another_try() {
    let gateway =
        Gateway::start_with(|sources| sources.with("retry.max_attempts", 1).with("cache.enabled", false))
            .await;
    let group = gateway.group().await;
    for (name, fault) in lost_answers() {
        gateway.simulator.fail_next("group.get_legacy", 1, fault);
        let status = gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
        let expected = if name == "undocumented 500" { Code::Internal } else { Code::Unavailable };
        assert_eq!(status.code(), expected, "{name}: {status:?}");
        assert!(!reason(&status).is_empty(), "{name}");
        gateway.groups.clone().get_group(read(&group)).await.expect("the next one is fine");
    }
}

#[tokio::test]
async fn a_barred_address_is_said_to_be_barred() {
    for fault in [
        Fault::IpBan,
        Fault::Html { status: 200, applied: false },
        Fault::Html { status: 403, applied: false },
    ] {
        let gateway = Gateway::start().await;
        let group = gateway.group().await;
        gateway.simulator.fail_next("group.get_legacy", 1, fault);
        let calls = gateway.simulator.requests("group.get_legacy");
        // The second one is refused without a call: a barred address is left alone.
        for _ in 0..2 {
            let status = gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "EGRESS_IP_BLOCKED"));
            let wait = status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap();
            assert!(wait > Duration::from_secs(290) && wait <= Duration::from_secs(300), "{wait:?}");
        }
        assert_eq!(gateway.simulator.requests("group.get_legacy"), calls + 1);
    }
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_sent() {
    let gateway = Gateway::start_with(|sources| {
        // Port 1 of loopback: nothing listens there.
        sources.with("apps.demo.api_url", "http://127.0.0.1:1").with("apps.demo.token_endpoint", "gettoken")
    })
    .await;
    let status = gateway.groups.clone().create_group(new_group("T")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "UPSTREAM_UNREACHABLE"));
    // So even what acts again is tried again.
    assert_eq!(status.metadata().get("x-dinggate-upstream-calls").unwrap(), "4");
}

#[tokio::test]
async fn a_read_is_dropped_with_its_caller_and_a_write_is_seen_through() {
    let gateway = Gateway::start().await;
    gateway.group().await;
    gateway.simulator.fail_next("group.create", 1, Fault::Delay { ms: 300 });
    let mut groups = gateway.groups.clone();
    let hasty = tokio::spawn(async move { groups.create_group(new_group("Seen through")).await });
    while gateway.simulator.requests("group.create") < 2 {
        tokio::task::yield_now().await;
    }
    hasty.abort();
    assert!(hasty.await.is_err_and(|error| error.is_cancelled()));
    // A delay applies nothing when its client hangs up first, so this shows that the gateway did not.
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while gateway.simulator.groups().len() < 2 {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("the write was carried out");
}

/// Whatever DingTalk answers, the caller gets an answer with a reason, in time, and the gateway lives on.
#[test]
fn no_answer_breaks_the_gateway() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // A 401 among the answers looks like a refused token; its pause is not what this is about, nor are retries.
    let start = || {
        let gateway = runtime.block_on(Gateway::start_with(|sources| {
            let sources = sources.with("retry.max_attempts", 1).with("breaker.failures", 1_000_000);
            sources.with("token.backoff_min", "1ms").with("token.backoff_max", "1ms")
        }));
        let group = runtime.block_on(gateway.group());
        (gateway, group)
    };
    let (current, barred) = (RefCell::new(start()), Cell::new(false));
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "[{\"errcode\":0-9a-z,\\[\\]} <>]{0,80}".prop_map(String::into_bytes),
        Just(br#"{"errcode":0,"chat_info":{"name":1}}"#.to_vec()),
        Just(br#"{"code":{"a":1},"requestid":[]}"#.to_vec()),
        Just(b"\xef\xbb\xbf{\"errcode\":\"88\",\"sub_code\":90018}".to_vec()),
    ];
    let types = prop_oneof![
        Just("application/json"),
        Just("text/html"),
        Just(""),
        Just("\u{7f}x/y"),
        Just("image/png")
    ];
    let statuses = prop_oneof![
        Just(200u16),
        Just(204),
        Just(302),
        Just(400),
        Just(401),
        Just(403),
        Just(429),
        500u16..=599
    ];
    let create = any::<bool>();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() });
    runner
        .run(&(statuses, types, body, create), |(status, content_type, body, create)| {
            let operation = if create { "group.create" } else { "group.get_legacy" };
            let fault =
                Fault::Garbage { status, content_type: content_type.to_owned(), body, applied: false };
            if barred.take() {
                // It would send nothing for minutes, and every answer after this one would be its own.
                current.replace(start());
            }
            let (gateway, group) = &*current.borrow();
            gateway.simulator.fail_next(operation, 1, fault);
            let outcome = runtime.block_on(async {
                if create {
                    gateway.groups.clone().create_group(new_group("Garbage")).await.map(drop)
                } else {
                    gateway.groups.clone().get_group(read(group)).await.map(drop)
                }
            });
            gateway.simulator.clear_faults();
            if let Err(status) = outcome {
                barred
                    .set(reason(&status) == "EGRESS_IP_BLOCKED" || status.code() == Code::ResourceExhausted);
                prop_assert!(!reason(&status).is_empty(), "{:?}", status);
                let told = format!("{status:?}");
                prop_assert!(!told.contains("demo-secret"));
            }
            Ok(())
        })
        .unwrap();
    let (gateway, group) = if barred.take() { start() } else { current.into_inner() };
    let lives_on = async {
        while gateway.groups.clone().get_group(read(&group)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(10), lives_on).await })
        .expect("it lives on");
}
