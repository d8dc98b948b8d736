//! Messages of the group assistant and who has read them.

use dinggate_simulator::Seed;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Dingtalk, users};

fn text(id: &str, change: &Value) -> Value {
    let mut body = json!({
        "target_open_conversation_id": id, "robot_code": "robot-demo", "msg_template_id": "inner_app_template_text",
        "msg_param_map": {"content": "Hello"},
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

/// The id of a message sent.
async fn send(dingtalk: &Dingtalk, id: &str, change: Value) -> String {
    let reply = dingtalk.call("assistant.message.send_legacy", text(id, &change)).await;
    reply.json()["open_msg_id"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

#[tokio::test]
async fn a_message_is_sent_in_either_form_and_kept() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let reply = dingtalk.call("assistant.message.send_legacy", text(&id, &json!({}))).await.json();
    assert_eq!((&reply["errcode"], &reply["success"]), (&json!(0), &json!(true)));
    let change = json!({
        "msg_param_map": r#"{"title": "T", "markdown_content": "M"}"#,
        "msg_template_id": "inner_app_template_markdown", "at_users": "user001,manager4220",
        "at_mobiles": "13800000000", "is_at_all": "true", "receiver_user_ids": "user001",
        "receiver_union_ids": "union-ext001",
    });
    send(&dingtalk, &id, change).await;
    let photo = json!({
        "msg_template_id": "inner_app_template_photo", "msg_param_map": {},
        "msg_media_id_param_map": {"img_media_id": "@media1"},
    });
    send(&dingtalk, &id, photo).await;
    let messages = dingtalk.group(&id).messages;
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[1].params["markdown_content"], "M");
    assert_eq!(messages[1].mentioned, ["user001", "manager4220", "13800000000"]);
    assert!(messages[1].mentions_all);
    assert_eq!(messages[1].receivers, ["user001", "union-ext001"]);
    assert_eq!(messages[2].media["img_media_id"], "@media1");
}

#[tokio::test]
async fn a_message_that_breaks_a_rule_is_not_sent() {
    let mut seed = Seed::demo();
    let corp = &mut seed.organizations[0];
    let mut other = corp.templates[0].clone();
    other.template_id = "tpl-other".into();
    other.robots[0].robot_code = "robot-other".into();
    corp.templates.push(other);
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&[]).await;
    let ordinary = dingtalk.create(&[]).await["openConversationId"].clone();
    let cases = [
        (json!({"target_open_conversation_id": ""}), "660001"),
        (json!({"robot_code": ""}), "660002"),
        (json!({"msg_template_id": ""}), "660027"),
        (json!({"target_open_conversation_id": ordinary}), "660012"),
        (json!({"target_open_conversation_id": "cidAAAAAAAAAAAAAAAAAAAAAA=="}), "660015"),
        (json!({"target_open_conversation_id": "x"}), "660023"),
        (json!({"robot_code": "robot-none"}), "660014"),
        (json!({"robot_code": "robot-other"}), "660016"),
        (json!({"msg_template_id": "inner_app_template_song"}), "660024"),
        (json!({"msg_param_map": {}}), "660025"),
        (json!({"msg_param_map": "not JSON"}), "660025"),
        (json!({"msg_media_id_param_map": {"content": "@media1"}}), "660020"),
        (
            json!({"msg_template_id": "inner_app_template_photo", "msg_media_id_param_map": {"img_media_id": "x"}}),
            "660018",
        ),
        (json!({"receiver_user_ids": "user001,nobody"}), "660022"),
        (json!({"receiver_union_ids": "nobody"}), "660022"),
        (json!({"at_users": users(1..=51).join(",")}), "40035"),
        (json!({"at_user": "user001"}), "40035"),
    ];
    for (change, code) in cases {
        let reply = dingtalk.call("assistant.message.send_legacy", text(&id, &change)).await;
        assert_eq!(reply.code(), code, "{change}");
    }
    assert!(dingtalk.group(&id).messages.is_empty());
}

#[tokio::test]
async fn readers_come_in_pages() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001", "user002", "user003"]).await;
    let message = send(&dingtalk, &id, json!({})).await;
    let status = async |change: Value| {
        let mut body =
            json!({"openConversationId": id, "robotCode": "robot-demo", "processQueryKey": message});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        dingtalk.call("assistant.message.read_status", body).await
    };
    let nobody = json!({"sendStatus": "SUCCESS", "readUserIds": [], "readUsers": [], "hasMore": false, "nextToken": "0"});
    assert_eq!(status(json!({})).await.json(), nobody);
    dingtalk.simulator.mark_read(&message, &["user001", "user002"]);
    let read = json!({"message": message, "users": ["user002", "user003"]}).to_string();
    assert_eq!(dingtalk.send(Method::POST, "/_sim/messages/read", &[], read).await.status, 200);
    let first = status(json!({"maxResults": 2})).await.json();
    assert_eq!((&first["readUserIds"], &first["hasMore"]), (&json!(["user001", "user002"]), &json!(true)));
    assert_eq!(first["readUsers"][1], json!({"userId": "user002", "unionId": "union-user002"}));
    let rest = status(json!({"maxResults": 2, "nextToken": first["nextToken"]})).await.json();
    assert_eq!((&rest["readUserIds"], &rest["hasMore"]), (&json!(["user003"]), &json!(false)));
    let cases = [
        (json!({"processQueryKey": ""}), "400 invalidParameter.processQueryKey.missing"),
        (json!({"processQueryKey": "msg0"}), "400 invalid.processQueryKey"),
        (json!({"robotCode": ""}), "400 invalidParameter.robotCode.missing"),
        (json!({"robotCode": "robot-none"}), "400 resource.not.found"),
        (json!({"openConversationId": ""}), "400 openConversationId.notExisted"),
        (json!({"openConversationId": "", "token": "t"}), "400 invalidParameter.invalid"),
        (json!({"openConversationId": "x"}), "400 invalid.openConversationId"),
        (json!({"maxResults": 201}), "400 invalidParameter.pageSize.invalid"),
        (json!({"maxResults": 0}), "400 invalidParameter.pageSize.invalid"),
        (json!({"nextToken": "9"}), "400 invalidParameter.cursor.invalid"),
        (json!({"robotCode": 7}), "400 invalidParameter.robotCode.invalid"),
        (json!({"size": 7}), "400 invalidParameter.param.invalid"),
    ];
    for (change, code) in cases {
        assert_eq!(status(change.clone()).await.code(), code, "{change}");
    }
}

#[tokio::test]
async fn only_the_robot_that_spoke_tells_its_readers() {
    let mut seed = Seed::demo();
    let corp = &mut seed.organizations[0];
    let mut other = corp.templates[0].clone();
    other.template_id = "tpl-other".into();
    other.robots[0].robot_code = "robot-other".into();
    let (mut second, mut off) = (other.robots[0].clone(), other.robots[0].clone());
    second.robot_code = "robot-second".into();
    (off.robot_code, off.enabled) = ("robot-off".into(), false);
    corp.templates[0].robots.extend([second, off]);
    corp.templates.push(other);
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&[]).await;
    let message = send(&dingtalk, &id, json!({})).await;
    let cases = [
        ("robot-other", "400 invalidParameter.robotCode.notExsit"),
        ("robot-off", "400 bot.stopped"),
        ("robot-second", "400 invalidParameter.robotCode.invalid"),
    ];
    for (robot, code) in cases {
        let body = json!({"openConversationId": id, "robotCode": robot, "processQueryKey": message});
        assert_eq!(dingtalk.call("assistant.message.read_status", body).await.code(), code, "{robot}");
    }
}
