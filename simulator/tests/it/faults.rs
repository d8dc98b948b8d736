//! Faults on the wire: what comes, and whether the request took effect.

use std::time::Duration;

use dinggate_simulator::{ANY, Chance, Fault};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{Dingtalk, Reply, TOKEN_HEADER};

async fn try_create(dingtalk: &Dingtalk) -> reqwest::Result<Reply> {
    let headers = [("content-type", "application/json"), (TOKEN_HEADER, dingtalk.token.as_str())];
    dingtalk.try_send(Method::POST, "/v1.0/im/group/create", &headers, create_body()).await
}

fn create_body() -> String {
    json!({"name": "x", "owner": "user001", "useridlist": ["user001"]}).to_string()
}

/// Everything the simulator sends for a create request before it closes the connection.
async fn create_raw(dingtalk: &Dingtalk) -> String {
    let mut stream = TcpStream::connect(dingtalk.simulator.addr()).await.unwrap();
    let (body, token) = (create_body(), &dingtalk.token);
    let head = format!(
        "POST /v1.0/im/group/create HTTP/1.1\r\nhost: x\r\n{TOKEN_HEADER}: {token}\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_dropped_connection_brings_no_byte_and_is_applied_or_not() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.fail_next("group.create", 1, Fault::DropBefore);
    assert_eq!(create_raw(&dingtalk).await, "");
    assert_eq!(dingtalk.simulator.groups().len(), 0);
    dingtalk.simulator.fail_next("group.create", 1, Fault::DropAfter);
    assert_eq!(create_raw(&dingtalk).await, "");
    assert_eq!(dingtalk.simulator.groups().len(), 1);
    let calls = dingtalk.simulator.calls();
    assert_eq!((calls[0].fault, calls[0].status), (Some("drop_before"), None));
    assert_eq!((calls[1].fault, calls[1].status), (Some("drop_after"), None));
}

#[tokio::test]
async fn a_truncated_answer_stops_in_the_middle_of_its_body() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.fail_next("group.create", 2, Fault::Truncate);
    let answer = create_raw(&dingtalk).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), promised.parse::<usize>().unwrap() / 2);
    assert!(body.starts_with(r#"{"chatid":"chat"#), "{body}");
    assert!(try_create(&dingtalk).await.is_err());
    assert_eq!(dingtalk.simulator.groups().len(), 2);
}

#[tokio::test]
async fn faults_strike_in_order_as_often_as_told_and_only_their_operation() {
    let dingtalk = Dingtalk::start().await;
    let busy = Fault::Error {
        status: 500,
        code: "system.error".into(),
        sub_code: None,
        message: "busy".into(),
        applied: false,
    };
    dingtalk.simulator.fail_next("group.create", 2, Fault::Throttle);
    dingtalk.simulator.fail_next("group.create", 1, busy);
    assert_eq!(dingtalk.call("group.get_legacy", json!({"chatid": "chat0"})).await.code(), "34001");
    let throttled = "403 Forbidden.AccessDenied.QpsLimitForAppkeyAndApi";
    for expected in [throttled, throttled, "500 system.error"] {
        assert_eq!(try_create(&dingtalk).await.unwrap().code(), expected);
    }
    assert_eq!(dingtalk.simulator.groups().len(), 0);
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 200);
    let counter = dingtalk.simulator.counters()["group.create"];
    assert_eq!((counter.received, counter.faulted), (4, 3));
}

#[tokio::test]
async fn errors_come_in_the_envelope_of_the_face_and_may_have_been_applied() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    let error = |code: &str, sub_code: Option<&str>| Fault::Error {
        status: 200,
        code: code.into(),
        sub_code: sub_code.map(str::to_owned),
        message: "m".into(),
        applied: true,
    };
    let prohibit = json!({"chatid": chatid, "is_prohibit": true});
    dingtalk.simulator.fail_next("group.private_chat.set_legacy", 1, error("400001", None));
    let reply = dingtalk.call("group.private_chat.set_legacy", prohibit.clone()).await;
    assert_eq!(reply.json()["errcode"], 400001);
    assert!(dingtalk.simulator.group(&chatid).unwrap().private_chat_prohibited);
    dingtalk.simulator.fail_next(ANY, 1, error("15", Some("isp.remote-connection-error")));
    let reply = dingtalk.call("group.private_chat.set_legacy", prohibit.clone()).await;
    assert_eq!(reply.json()["errmsg"], "ding talk error[subcode=isp.remote-connection-error,submsg=m]");
    dingtalk.simulator.fail_next(ANY, 1, Fault::Throttle);
    assert_eq!(dingtalk.call("group.private_chat.set_legacy", prohibit).await.code(), "88/90018");
}

#[tokio::test]
async fn answers_that_are_no_json_of_dingtalk() {
    let dingtalk = Dingtalk::start().await;
    let plan = |fault| dingtalk.simulator.fail_next("group.create", 1, fault);
    plan(Fault::Html { status: 502, applied: false });
    let html = try_create(&dingtalk).await.unwrap();
    assert_eq!((html.status, &html.headers["content-type"]), (502, &"text/html".parse().unwrap()));
    assert!(html.text.contains("<h1>502 Bad Gateway</h1>"), "{}", html.text);
    plan(Fault::Empty { status: 200, applied: false });
    let empty = try_create(&dingtalk).await.unwrap();
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
    plan(Fault::Garbage {
        status: 299,
        content_type: "image/png".into(),
        body: b"\0\x01".to_vec(),
        applied: false,
    });
    let garbage = try_create(&dingtalk).await.unwrap();
    assert_eq!((garbage.status, garbage.text.as_str()), (299, "\0\x01"));
    plan(Fault::IpBan);
    assert_eq!(try_create(&dingtalk).await.unwrap().json()["status"], 1111);
    assert_eq!(dingtalk.simulator.groups().len(), 0);
    plan(Fault::Html { status: 504, applied: true });
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 504);
    assert_eq!(dingtalk.simulator.groups().len(), 1);
}

#[tokio::test]
async fn an_oversized_answer_is_long_and_still_json() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.fail_next("group.create", 1, Fault::Oversize { bytes: 1_000_000, applied: true });
    let reply = try_create(&dingtalk).await.unwrap();
    assert_eq!(reply.text.len(), 1_000_000);
    assert_eq!(reply.json()["chatid"], json!(dingtalk.simulator.groups()[0].chatid));
}

#[tokio::test]
async fn delays_hold_the_answer_back() {
    let dingtalk = Dingtalk::start().await;
    for (fault, applied) in [(Fault::Delay { ms: 60 }, 1), (Fault::DelayAfter { ms: 60 }, 2)] {
        dingtalk.simulator.fail_next("group.create", 1, fault);
        let start = Instant::now();
        assert_eq!(try_create(&dingtalk).await.unwrap().status, 200);
        assert!(start.elapsed() >= Duration::from_millis(60));
        assert_eq!(dingtalk.simulator.groups().len(), applied);
    }
}

/// Sends a create request and gives up on it as soon as `enough`.
async fn give_up_when(dingtalk: &Dingtalk, enough: impl Fn() -> bool) {
    let seen = async {
        while !enough() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = try_create(dingtalk) => panic!("no answer may come: {answer:?}"),
        () = seen => {}
    }
}

#[tokio::test]
async fn a_client_that_gives_up_leaves_nothing_applied_unless_only_the_answer_is_late() {
    let dingtalk = Dingtalk::start().await;
    let simulator = &dingtalk.simulator;
    simulator.fail_next("group.create", 1, Fault::Hang);
    simulator.fail_next("group.create", 1, Fault::Delay { ms: 3_600_000 });
    simulator.fail_next("group.create", 1, Fault::DelayAfter { ms: 3_600_000 });
    give_up_when(&dingtalk, || simulator.requests("group.create") == 1).await;
    give_up_when(&dingtalk, || simulator.requests("group.create") == 2).await;
    assert_eq!(simulator.groups().len(), 0);
    give_up_when(&dingtalk, || simulator.groups().len() == 1).await;
    assert!(simulator.calls().iter().all(|call| call.status.is_none()));
}

#[tokio::test]
async fn faults_can_be_taken_back() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.fail_next(ANY, 9, Fault::DropBefore);
    dingtalk.simulator.clear_faults();
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_outage_lasts_until_it_is_ended() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.start_outage("group.create", Fault::Html { status: 503, applied: false });
    for _ in 0..3 {
        assert_eq!(try_create(&dingtalk).await.unwrap().status, 503);
    }
    assert_eq!(dingtalk.call("group.get_legacy", json!({"chatid": "chat0"})).await.code(), "34001");
    dingtalk.simulator.end_outages();
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 200);
    assert_eq!(dingtalk.simulator.faults_met("group.create", "html"), 3);
}

#[tokio::test]
async fn chance_strikes_its_share_and_the_titles_tell_what_was_applied() {
    let dingtalk = Dingtalk::start().await;
    let chance = |share, fault| Chance { operation: "group.create".into(), share, fault };
    dingtalk.simulator.set_chances(
        1,
        &[
            chance(0.3, Fault::Html { status: 502, applied: true }),
            chance(0.3, Fault::Html { status: 503, applied: false }),
        ],
    );
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(try_create(&dingtalk).await.unwrap().status);
    }
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert!(count(200) > 0 && count(502) > 0 && count(503) > 0, "{statuses:?}");
    assert_eq!(dingtalk.simulator.titles()["x"], count(200) + count(502));
    dingtalk.simulator.clear_faults();
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 200);
}

#[tokio::test]
async fn chances_and_outages_and_latency_are_set_over_http() {
    let dingtalk = Dingtalk::start().await;
    let control = async |method, path: &str, body: &str| {
        dingtalk.send(method, &format!("/_sim/{path}"), &[], body).await.json()
    };
    let ok = json!({"ok": true});
    let all = r#"{"chances": [{"operation": "*", "share": 1, "fault": {"kind": "throttle"}}]}"#;
    assert_eq!(control(Method::POST, "chances", all).await, ok);
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 403);
    assert_eq!(control(Method::GET, "chances", "").await[0]["share"], 1.0);
    let outage = r#"{"operation": "*", "fault": {"kind": "empty", "status": 504}}"#;
    assert_eq!(control(Method::POST, "outage", outage).await, ok);
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 504);
    assert_eq!(control(Method::DELETE, "outage", "").await, ok);
    assert_eq!(control(Method::POST, "chances", r#"{"chances": []}"#).await, ok);
    assert_eq!(control(Method::POST, "latency", r#"{"ms": 60}"#).await, ok);
    let start = Instant::now();
    assert_eq!(try_create(&dingtalk).await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
    assert_eq!(control(Method::GET, "titles", "").await, json!({"x": 1}));
    let counters = control(Method::GET, "counters", "").await;
    assert_eq!(counters["faults"]["group.create"], json!({"throttle": 1, "empty": 1}));
    let error = control(Method::POST, "chances", &all.replace(": 1,", ": 1.5,")).await;
    assert!(error["error"].as_str().unwrap().starts_with("share: "), "{error}");
}

#[tokio::test]
async fn tokens_that_are_revoked_on_the_way_are_refused() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.fail_next("group.create", 1, Fault::RevokeTokens);
    assert_eq!(try_create(&dingtalk).await.unwrap().code(), "400 InvalidAuthentication");
    assert_eq!(dingtalk.simulator.groups().len(), 0);
}
