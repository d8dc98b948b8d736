//! What the limits refuse, on the wire and in the counters. Zero lets nothing through, whatever the clock says.

use std::collections::BTreeMap;

use dinggate_simulator::{BanPage, Fault, Limit, Quotas, Seed};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{self, Dingtalk};

const CREATE: &str = "group.create";
const GET: &str = "group.get_legacy";

fn new_group() -> Value {
    json!({"name": "x", "owner": "user001", "useridlist": ["user001"]})
}

fn per_minute(calls: u32) -> Quotas {
    Quotas { app_per_minute: Some(calls), ..Quotas::default() }
}

#[tokio::test]
async fn each_limit_has_its_code_in_both_generations_and_changes_nothing() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    let none = Quotas::default();
    let cases = [
        (Quotas { app_per_second: Some(0), ..none.clone() }, "QpsLimitForAppkeyAndApi", "90018"),
        (per_minute(0), "QpmLimitForAppkeyAndApi", "90018"),
        (Quotas { platform_per_second: Some(0), ..none.clone() }, "QpsLimitForApi", "90002"),
        (Quotas { organization_per_month: Some(0), ..none.clone() }, "ApiCountLimitForOrg", "90020"),
    ];
    for (quotas, code, sub_code) in cases {
        dingtalk.simulator.set_quotas(quotas);
        let expected = format!("403 Forbidden.AccessDenied.{code}");
        assert_eq!(dingtalk.call(CREATE, new_group()).await.code(), expected);
        let reply = dingtalk.call(GET, json!({"chatid": chatid})).await;
        assert_eq!((reply.status, reply.code()), (200, format!("88/{sub_code}")));
    }
    assert_eq!(dingtalk.simulator.groups().len(), 1);
    assert_eq!((dingtalk.simulator.throttled(), dingtalk.simulator.throttled_of(CREATE)), (8, 4));
    assert_eq!(dingtalk.simulator.accepted("dingdemo", CREATE), 1);
    dingtalk.simulator.set_quotas(none);
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 200);
}

#[tokio::test]
async fn the_legacy_face_names_the_operation_the_window_and_its_end() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.set_quotas(Quotas { app_per_second: Some(0), ..Quotas::default() });
    let cases = [
        (GET, json!({"chatid": "chat0"}), "apiPath(/chat/get), "),
        (
            "scene.get_legacy",
            json!({"open_conversation_id": "cid0"}),
            "apiPath(dingtalk.oapi.im.chat.scenegroup.get), ",
        ),
    ];
    for (operation, params, path) in cases {
        let reply = dingtalk.call(operation, params).await.json();
        let text = reply["sub_msg"].as_str().unwrap();
        assert_eq!(reply["errmsg"], json!(format!("ding talk error[subcode=90018,submsg={text}]")));
        let (_, rest) = text.split_once(path).unwrap_or_else(|| panic!("{text}"));
        let (from, rest) = rest.strip_prefix("从 ").unwrap().split_once(" 到 ").unwrap();
        let (to, rest) = rest.split_once(" 请求总次数超过 0 次, 限制将在 ").unwrap();
        let until = rest.strip_suffix(" 结束.").unwrap();
        assert!(from == to && to < until, "{text}");
        assert_eq!(until.len(), "yyyy-MM-dd HH:mm:ss".len());
    }
}

#[tokio::test]
async fn an_app_is_limited_operation_by_operation() {
    let mut dingtalk = Dingtalk::start_with(support::two_apps()).await;
    dingtalk.simulator.set_quotas(per_minute(2));
    for expected in [200, 200, 403, 403] {
        assert_eq!(dingtalk.call(CREATE, new_group()).await.status, expected);
    }
    assert_eq!(dingtalk.call(GET, json!({"chatid": "chat0"})).await.code(), "34001");
    dingtalk.log_in("dingsecond").await;
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 200);
    assert_eq!(dingtalk.simulator.groups().len(), 3);
    assert_eq!(dingtalk.simulator.accepted("dingdemo", CREATE), 2);
    assert_eq!(dingtalk.simulator.accepted("dingsecond", CREATE), 1);
    assert_eq!(dingtalk.simulator.throttled_by(Limit::AppPerMinute), 2);
    let limits: Vec<_> = dingtalk.simulator.calls().into_iter().map(|call| call.limit).collect();
    assert_eq!(limits.iter().flatten().count(), 2);
}

#[tokio::test]
async fn one_operation_may_have_a_limit_of_its_own() {
    let dingtalk = Dingtalk::start().await;
    let own = BTreeMap::from([(CREATE.to_owned(), 0)]);
    dingtalk.simulator.set_quotas(Quotas { app_per_second_of: own, ..Quotas::default() });
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 403);
    assert_eq!(dingtalk.call(GET, json!({"chatid": "chat0"})).await.code(), "34001");
}

#[tokio::test]
async fn the_month_counts_calls_that_got_through_and_no_others() {
    let mut dingtalk = Dingtalk::start().await;
    let spent = |dingtalk: &Dingtalk| dingtalk.simulator.metered("dingcorpdemo");
    dingtalk.create_chat(&[]).await;
    dingtalk.call(GET, json!({"chatid": "chat0"})).await;
    assert_eq!(spent(&dingtalk), 2, "an error of the call itself counts");
    dingtalk.log_in("dingdemo").await;
    dingtalk.simulator.set_quotas(per_minute(0));
    dingtalk.call(CREATE, new_group()).await;
    dingtalk.simulator.set_quotas(Quotas { organization_per_month: Some(3), ..Quotas::default() });
    dingtalk.simulator.fail_next(CREATE, 1, Fault::Throttle);
    dingtalk.call(CREATE, new_group()).await;
    assert_eq!(spent(&dingtalk), 2, "tokens and refusals are free");
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 200);
    assert_eq!(dingtalk.call(GET, json!({"chatid": "chat0"})).await.code(), "88/90020");
    assert_eq!(spent(&dingtalk), 3);
}

#[tokio::test]
async fn an_address_that_sends_too_much_is_banned_from_everything() {
    let dingtalk = Dingtalk::start().await;
    let quotas = Quotas { address_per_20_seconds: Some(2), ..Quotas::default() };
    dingtalk.simulator.set_quotas(quotas.clone());
    for _ in 0..2 {
        assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 200);
    }
    let key = json!({"appKey": "dingdemo", "appSecret": "demo-secret"});
    for _ in 0..2 {
        let reply = dingtalk.post("/v1.0/oauth2/accessToken", &key).await.json();
        assert_eq!((&reply["status"], &reply["punish"]), (&json!(1111), &json!("deny")));
    }
    dingtalk.simulator.set_quotas(Quotas { ban_page: BanPage::Html, ..quotas });
    let page = dingtalk.call(CREATE, new_group()).await;
    assert_eq!((page.status, page.headers["content-type"].to_str().unwrap()), (200, "text/html"));
    assert!(page.text.starts_with("<!DOCTYPE html>"), "{}", page.text);
    assert_eq!(dingtalk.simulator.throttled_by(Limit::Address), 3);
    assert_eq!(dingtalk.simulator.groups().len(), 2);
}

#[tokio::test]
async fn a_refused_call_leaves_the_planned_fault_to_the_next() {
    let dingtalk = Dingtalk::start().await;
    dingtalk.simulator.fail_next(CREATE, 1, Fault::Html { status: 503, applied: false });
    dingtalk.simulator.set_quotas(per_minute(0));
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 403);
    dingtalk.simulator.set_quotas(Quotas::default());
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 503);
}

#[tokio::test]
async fn limits_are_set_by_the_seed_and_over_http() {
    let mut seed = serde_json::to_value(Seed::demo()).unwrap();
    seed["quotas"] = json!({"app_per_minute": 1});
    let dingtalk = Dingtalk::start_with(Seed::from_json(&seed.to_string()).unwrap()).await;
    let statuses = [dingtalk.call(CREATE, new_group()).await, dingtalk.call(CREATE, new_group()).await];
    assert_eq!(statuses.map(|reply| reply.status), [200, 403]);
    let control = async |method, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        dingtalk.send(method, &format!("/_sim/{path}"), &[], body).await.json()
    };
    let counters = control(Method::GET, "counters", Value::Null).await;
    assert_eq!(counters["throttled"], json!({"app_per_minute": 1}));
    assert_eq!(
        counters["apps"]["dingdemo"][CREATE],
        json!({"accepted": 1, "refused": {"app_per_minute": 1}})
    );
    assert_eq!(counters["metered"], json!({"dingcorpdemo": 1}));
    assert_eq!(control(Method::POST, "quotas", json!({"app_per_minute": 2})).await, json!({"ok": true}));
    assert_eq!(control(Method::GET, "quotas", Value::Null).await["app_per_minute"], 2);
    assert_eq!(dingtalk.call(CREATE, new_group()).await.status, 200);
    let error = control(Method::POST, "quotas", json!({"app_per_second_of": {"group.creat": 1}})).await;
    assert!(error["error"].as_str().unwrap().contains("no operation \"group.creat\""), "{error}");

    assert_eq!(control(Method::POST, "reset", Value::Null).await, json!({"ok": true}));
    assert_eq!(dingtalk.simulator.quotas(), per_minute(1), "as the seed says");
    assert!(dingtalk.simulator.metered("dingcorpdemo") == 0 && dingtalk.simulator.throttled() == 0);
    seed["quotas"] = json!({"app_per_second_of": {"nothing": 1}});
    let error = Seed::from_json(&seed.to_string()).unwrap_err().to_string();
    assert_eq!(error, "seed: at quotas.app_per_second_of: no operation \"nothing\" in the reference");
}
