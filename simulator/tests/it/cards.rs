//! Pinned cards: ten to a conversation, each under an id of its own.

use std::time::Duration;

use dinggate_simulator::Seed;
use serde_json::{Value, json};

use crate::support::Dingtalk;

fn card(id: &str, track: &str) -> Value {
    json!({
        "conversationType": 1, "openConversationId": id, "groupTemplateId": "tpl-demo", "outTrackId": track,
        "cardTemplateId": "card-1", "cardData": {"cardParamMap": {"title": "Incident"}},
    })
}

fn closing(id: &str, track: &str) -> Value {
    json!({"conversationType": 1, "openConversationId": id, "groupTemplateId": "tpl-demo", "outTrackId": track})
}

fn changed(mut body: Value, change: &Value) -> Value {
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

async fn pin(dingtalk: &Dingtalk, body: Value) -> String {
    let reply = dingtalk.call("topbox.create", body).await;
    if reply.status == 200 { reply.text } else { reply.code() }
}

async fn unpin(dingtalk: &Dingtalk, body: Value) -> String {
    let reply = dingtalk.call("topbox.close", body).await;
    if reply.status == 200 { reply.text } else { reply.code() }
}

const DONE: &str = r#"{"success":true}"#;

#[tokio::test]
async fn a_card_is_pinned_once_and_taken_down_once() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let body = changed(
        card(&id, "t1"),
        &json!({
            "receiverUserIdList": ["user001"], "receiverUnionIdList": ["union-ext001"], "platforms": "ios|win",
            "userIdPrivateDataMap": {"user001": {"cardParamMap": {"title": "You"}}}, "callbackRouteKey": "k",
            "cardSettings": {"pullStrategy": true},
        }),
    );
    assert_eq!(pin(&dingtalk, body).await, DONE);
    let other = changed(card(&id, "t1"), &json!({"cardTemplateId": "card-2"}));
    assert_eq!(pin(&dingtalk, other).await, DONE, "and nothing changes");
    let pinned = dingtalk.group(&id).pinned_cards;
    assert_eq!(pinned.len(), 1);
    assert_eq!((&*pinned[0].card_template_id, &*pinned[0].params["title"]), ("card-1", "Incident"));
    assert_eq!(pinned[0].private_params["user001"]["title"], "You");
    assert_eq!(unpin(&dingtalk, closing(&id, "t1")).await, DONE);
    assert_eq!(unpin(&dingtalk, closing(&id, "t1")).await, "400 close.topbox.failed");
    assert!(dingtalk.group(&id).pinned_cards.is_empty());
}

#[tokio::test]
async fn the_eleventh_open_card_is_refused_and_an_expired_one_is_not_open() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&[]).await;
    let hour = 3_600_000 + i64::try_from(dingtalk.simulator.now().as_millis()).unwrap();
    let expiring = changed(card(&id, "t0"), &json!({"expiredTime": hour}));
    assert_eq!(pin(&dingtalk, expiring).await, DONE);
    for number in 1..=9 {
        assert_eq!(pin(&dingtalk, card(&id, &format!("t{number}"))).await, DONE);
    }
    assert_eq!(pin(&dingtalk, card(&id, "t10")).await, "400 open.topbox.failed");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3601)).await;
    tokio::time::resume();
    assert_eq!(pin(&dingtalk, card(&id, "t10")).await, DONE);
    assert_eq!(unpin(&dingtalk, closing(&id, "t0")).await, "400 close.topbox.failed");
    assert_eq!(dingtalk.group(&id).pinned_cards.len(), 10);
}

#[tokio::test]
async fn a_card_that_breaks_a_rule_is_not_pinned() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&[]).await;
    let other = dingtalk.create_scene(&[]).await;
    assert_eq!(pin(&dingtalk, card(&other, "taken")).await, DONE);
    let many: Vec<String> = (0..101).map(|_| "user001".to_owned()).collect();
    let cases = [
        (json!({"outTrackId": ""}), "400 param.empty"),
        (json!({"outTrackId": "t".repeat(65)}), "400 param.illegal"),
        (json!({"outTrackId": "taken"}), "400 cardInstance.wrong"),
        (json!({"cardTemplateId": ""}), "400 param.empty"),
        (json!({"conversationType": 0}), "400 conversationType.illegal"),
        (json!({"openConversationId": ""}), "400 openConversationId.empty"),
        (json!({"openConversationId": "x"}), "400 cidParse.wrong"),
        (json!({"openConversationId": "cidAAAAAAAAAAAAAAAAAAAAAA=="}), "400 chat.notExist"),
        (json!({"groupTemplateId": ""}), "400 coolAppCode.empty"),
        (json!({"groupTemplateId": "tpl-none"}), "400 group.groupTemplate.notInstalled"),
        (json!({"coolAppCode": "COOLAPP-1"}), "400 chat.coolApp.notInstalled"),
        (json!({"expiredTime": 1}), "400 param.illegal"),
        (json!({"platforms": "ios|amiga"}), "400 param.illegal"),
        (json!({"receiverUserIdList": many}), "400 param.illegal"),
        (json!({"receiverUserIdList": ["nobody"]}), "400 receiver.id.parseFailed"),
        (json!({"userIdPrivateDataMap": {"nobody": {}}}), "400 user.not.found"),
        (json!({"userIdPrivateDataMap": {"user001": {"cardParamMap": 7}}}), "400 param.illegal"),
        (json!({"cardData": {"cardParamMap": {"title": 7}}}), "400 param.illegal"),
        (json!({"cardData": {"cardParamMap": {"title": "敏感词"}}}), "400 card.content.checkFailed"),
    ];
    for (change, code) in cases {
        assert_eq!(pin(&dingtalk, changed(card(&id, "t1"), &change)).await, code, "{change}");
    }
    assert!(dingtalk.group(&id).pinned_cards.is_empty());
    let cases = [
        (json!({"outTrackId": ""}), "400 outTrackId.empty"),
        (json!({"outTrackId": "t".repeat(65)}), "400 param.illegal"),
        (json!({"conversationType": 3}), "400 conversationType.illegal"),
        (json!({"openConversationId": ""}), "400 openConversationId.empty"),
        (json!({"groupTemplateId": ""}), "400 coolAppCode.empty"),
        (json!({"coolAppCode": "COOLAPP-1"}), "400 chat.coolApp.notInstalled"),
        (json!({"conversationType": 2}), "400 robotCode.empty"),
        (
            json!({"conversationType": 2, "robotCode": "robot-none", "userId": "user001"}),
            "400 robot.not.found",
        ),
        (json!({"conversationType": 2, "robotCode": "robot-demo"}), "400 userIdOrUnionId.empty"),
        (json!({"conversationType": 2, "robotCode": "robot-demo", "userId": "nobody"}), "400 user.not.found"),
    ];
    for (change, code) in cases {
        assert_eq!(unpin(&dingtalk, changed(closing(&id, "t1"), &change)).await, code, "{change}");
    }
    dingtalk.simulator.disband(&dingtalk.group(&id).chatid);
    assert_eq!(pin(&dingtalk, card(&id, "t1")).await, "400 chat.notExist");
}

#[tokio::test]
async fn a_robot_that_is_off_has_no_cards() {
    let mut seed = Seed::demo();
    seed.organizations[0].templates[0].robots[0].enabled = false;
    let dingtalk = Dingtalk::start_with(seed).await;
    let body = json!({
        "conversationType": 2, "robotCode": "robot-demo", "userId": "user001", "outTrackId": "t1",
        "cardTemplateId": "card-1", "cardData": {},
    });
    assert_eq!(pin(&dingtalk, body).await, "400 robot.queryFalied");
}

#[tokio::test]
async fn a_card_in_a_chat_with_a_robot_needs_robot_and_person() {
    let dingtalk = Dingtalk::start().await;
    let body = json!({
        "conversationType": 2, "robotCode": "robot-demo", "unionId": "union-user001", "outTrackId": "t1",
        "cardTemplateId": "card-1", "cardData": {},
    });
    assert_eq!(pin(&dingtalk, body.clone()).await, DONE);
    let cases = [
        (json!({"robotCode": ""}), "400 robotCode.empty"),
        (json!({"robotCode": "robot-none"}), "400 robot.not.found"),
        (json!({"unionId": ""}), "400 userIdOrUnionId.empty"),
        (json!({"unionId": "nobody"}), "400 user.not.found"),
    ];
    for (change, code) in cases {
        assert_eq!(pin(&dingtalk, changed(body.clone(), &change)).await, code, "{change}");
    }
    // The misspelling is DingTalk's.
    let close = json!({
        "conversationType": 2, "robotCode": "robot-demo", "unoinId": "union-user001", "outTrackId": "t1",
    });
    assert_eq!(unpin(&dingtalk, close.clone()).await, DONE);
    assert_eq!(unpin(&dingtalk, close).await, "400 close.topbox.failed");
}
