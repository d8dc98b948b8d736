//! `/_sim/*`, and seeds.

use dinggate_simulator::Seed;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Dingtalk;

async fn control(dingtalk: &Dingtalk, method: Method, path: &str, body: &str) -> (u16, Value) {
    let reply = dingtalk.send(method, &format!("/_sim/{path}"), &[], body).await;
    (reply.status, reply.json())
}

fn ok() -> (u16, Value) {
    (200, json!({"ok": true}))
}

#[tokio::test]
async fn faults_are_planned_listed_and_cleared() {
    let dingtalk = Dingtalk::start().await;
    let plan = r#"{"operation": "group.create", "times": 2, "fault": {"kind": "html", "status": 503}}"#;
    assert_eq!(control(&dingtalk, Method::POST, "faults", plan).await, ok());
    let reply = dingtalk.call("group.create", json!({})).await;
    assert_eq!(reply.status, 503);
    let left = json!([{"operation": "group.create", "times": 1,
        "fault": {"kind": "html", "status": 503, "applied": false}}]);
    assert_eq!(control(&dingtalk, Method::GET, "faults", "").await, (200, left));
    assert_eq!(control(&dingtalk, Method::DELETE, "faults", "").await, ok());
    assert_eq!(control(&dingtalk, Method::GET, "faults", "").await, (200, json!([])));
}

#[tokio::test]
async fn bad_input_says_where_it_is_bad() {
    let dingtalk = Dingtalk::start().await;
    let cases = [
        (
            "faults",
            r#"{"operation": "group.creat", "fault": {"kind": "hang"}}"#,
            "no operation \"group.creat\"",
        ),
        ("faults", r#"{"operation": "*", "fault": {"kind": "explode"}}"#, "unknown variant `explode`"),
        (
            "faults",
            r#"{"operation": "*", "fault": {"kind": "delay", "seconds": 1}}"#,
            "unknown field `seconds`",
        ),
        ("faults", r#"{"operation": "*", "time": 1, "fault": {"kind": "hang"}}"#, "unknown field `time`"),
        ("faults", r#"{"operation": "*", "fault": {"kind": "html", "status": 42}}"#, "fault.status: 42"),
        ("tokens/lifetime", r#"{"seconds": "long"}"#, "at seconds: invalid type"),
        ("seed", r#"{"organizations": [{"corp_id": "a", "appz": []}]}"#, "unknown field `appz`"),
    ];
    for (path, body, expected) in cases {
        let (status, reply) = control(&dingtalk, Method::POST, path, body).await;
        assert_eq!(status, 400, "{body}");
        assert!(reply["error"].as_str().unwrap().contains(expected), "{body}: {reply}");
    }
    assert_eq!(control(&dingtalk, Method::POST, "groups/chat0/disband", "").await.0, 404);
    assert_eq!(control(&dingtalk, Method::GET, "nothing", "").await.0, 404);
}

#[tokio::test]
async fn the_world_is_shown_changed_and_reset() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    let path = format!("groups/{chatid}/disband");
    assert_eq!(control(&dingtalk, Method::POST, &path, "").await, ok());
    let (_, state) = control(&dingtalk, Method::GET, "state", "").await;
    assert_eq!(state["groups"][0]["chatid"], json!(chatid));
    assert_eq!(state["groups"][0]["disbanded"], true);
    assert_eq!(state["apps"][0]["has_token"], true);
    assert_eq!(state["organizations"][0]["templates"], json!(["tpl-demo"]));
    let text = state.to_string();
    assert!(!text.contains("demo-secret") && !text.contains(&dingtalk.token), "{text}");

    let revoke = r#"{"revoke": ["qyapi_chat_manage"]}"#;
    assert_eq!(control(&dingtalk, Method::POST, "apps/dingdemo/permissions", revoke).await, ok());
    let denied = "403 Forbidden.AccessDenied.AccessTokenPermissionDenied";
    assert_eq!(dingtalk.call("group.create", json!({})).await.code(), denied);
    assert_eq!(control(&dingtalk, Method::POST, "tokens/revoke", "").await, ok());
    assert_eq!(dingtalk.call("group.create", json!({})).await.code(), "400 InvalidAuthentication");

    assert_eq!(control(&dingtalk, Method::POST, "reset", "").await, ok());
    assert!(dingtalk.simulator.groups().is_empty() && dingtalk.simulator.calls().is_empty());
}

#[tokio::test]
async fn calls_and_counters_tell_what_came() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.create_chat(&[]).await;
    dingtalk.call("group.get_legacy", json!({"chatid": "chat0"})).await;
    let (_, calls) = control(&dingtalk, Method::GET, "calls?operation=group.get_legacy", "").await;
    assert_eq!(calls.as_array().unwrap().len(), 1);
    assert_eq!((&calls[0]["status"], &calls[0]["code"]), (&json!(200), &json!("34001")));
    let (_, counters) = control(&dingtalk, Method::GET, "counters", "").await;
    assert_eq!(counters["operations"]["group.create"], json!({"received": 1, "faulted": 0, "throttled": 0}));
    assert_eq!(counters["token_requests"], 0);
    assert_eq!(control(&dingtalk, Method::DELETE, "calls", "").await, ok());
    assert_eq!(control(&dingtalk, Method::GET, "calls", "").await, (200, json!([])));
}

#[tokio::test]
async fn another_seed_makes_another_world() {
    let dingtalk = Dingtalk::start().await;
    let seed = json!({"token_lifetime_seconds": 60, "organizations": [{"corp_id": "c", "apps": [
        {"app_key": "a", "app_secret": "s"}]}]});
    assert_eq!(control(&dingtalk, Method::POST, "seed", &seed.to_string()).await, ok());
    let token = dingtalk.call("auth.access_token.get", json!({"appKey": "a", "appSecret": "s"})).await;
    assert_eq!(token.json()["expireIn"], 60);
    assert_eq!(control(&dingtalk, Method::POST, "seed", "").await, ok());
    let token = dingtalk.call("auth.access_token.get", json!({"appKey": "a", "appSecret": "s"})).await;
    assert_eq!(token.code(), "400 invalidClientIdOrSecret", "the demo seed again");
}

#[test]
fn a_bad_seed_says_where() {
    let error = |text: &str| Seed::from_json(text).unwrap_err().to_string();
    assert_eq!(
        error("{\"organizations\": [\n{\"corp_id\": \"a\", \"apps\": [{\"app_key\": 7}]}]}"),
        "seed: at organizations[0].apps[0].app_key: invalid type: integer `7`, expected a string at line 2 column 39"
    );
    let twice = json!({"organizations": [{"corp_id": "a", "apps": [], "users": [
        {"user_id": "u", "union_id": "x"}, {"user_id": "u", "union_id": "y"}]}]});
    let expected = "seed: at organizations[0].users: user_id \"u\" is given twice";
    assert_eq!(error(&twice.to_string()), expected);
}
