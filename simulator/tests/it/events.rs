//! Which changes of the world make which events, and what they carry.

use dinggate_simulator::GroupChange;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::support::Dingtalk;

const APP: &str = "dingdemo";

/// The events since the last time, without what all of them have: type and data.
fn made(dingtalk: &Dingtalk, seen: &mut usize) -> Vec<(String, Value)> {
    let events = dingtalk.simulator.events(APP);
    let new = events[*seen..].iter().map(|event| {
        let mut data: Value = serde_json::from_str(&event.data).unwrap();
        let data = data.as_object_mut().unwrap();
        assert_eq!(data.remove("timeStamp"), Some(json!(event.born_ms)));
        assert!(data.remove("openConversationId").is_some_and(|id| id.as_str().unwrap().starts_with("cid")));
        (event.kind.clone(), json!(data))
    });
    let new = new.collect();
    *seen = events.len();
    new
}

#[tokio::test]
async fn every_change_of_an_ordinary_group_makes_its_event() {
    let (dingtalk, mut seen) = (Dingtalk::start().await, 0);
    let chatid = dingtalk.create_chat(&["user001"]).await;
    assert!(made(&dingtalk, &mut seen).is_empty(), "there is none of a new group");
    let by = |operator: &str| json!({"chatId": chatid, "operator": operator, "operatorUnionId": format!("union-{operator}")});
    let with = |operator: &str, more: Value| {
        let mut data = by(operator);
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let event = |kind: &str, data: Value| (kind.to_owned(), data);

    let change = json!({"chatid": chatid, "name": "Renamed", "owner": "user001", "icon": "@media1",
        "add_useridlist": ["user002", "user001"], "add_extidlist": ["union-ext001"], "del_useridlist": ["manager4220"]});
    assert_eq!(dingtalk.call("group.update", change).await.status, 200);
    let people = json!({"userId": ["user002"], "unionId": ["union-user002", "union-ext001"], "eventType": "chat_add_member"});
    let gone = json!({"userId": ["manager4220"], "unionId": ["union-manager4220"]});
    let expected = [
        event("chat_update_title", with("manager4220", json!({"title": "Renamed"}))),
        // Neither the chatid nor the operator's userId are in DingTalk's.
        event("chat_update_owner", json!({"owner": "user001", "operatorUnionId": "union-manager4220"})),
        event("chat_add_member", with("manager4220", people)),
        event("chat_remove_member", with("manager4220", gone)),
    ];
    assert_eq!(made(&dingtalk, &mut seen), expected);

    let nothing =
        json!({"chatid": chatid, "name": "Renamed", "icon": "@media2", "add_useridlist": ["user002"]});
    assert_eq!(dingtalk.call("group.update", nothing).await.status, 200);
    let refused = json!({"chatid": chatid, "name": "Another", "add_useridlist": ["nobody"]});
    assert_eq!(dingtalk.call("group.update", refused).await.status, 400);
    assert!(made(&dingtalk, &mut seen).is_empty(), "nothing that apps are told has changed");

    let change = GroupChange { add: vec!["user003".into()], ..GroupChange::default() };
    dingtalk.simulator.change_group(&chatid, "user002", &change);
    dingtalk.simulator.quit(&chatid, "user003");
    dingtalk.simulator.leave_organization("dingcorpdemo", "user002");
    dingtalk.simulator.disband(&chatid);
    dingtalk.simulator.disband(&chatid);
    let person = |id: &str| json!({"userId": [id], "unionId": [format!("union-{id}")]});
    let mut added = person("user003");
    added["eventType"] = json!("chat_add_member");
    let mut left = person("user002");
    left["chatId"] = json!(chatid);
    let expected = [
        event("chat_add_member", with("user002", added)),
        event("chat_quit", by("user003")),
        event("chat_remove_member", left),
        event("chat_disband", by("user001")),
    ];
    assert_eq!(made(&dingtalk, &mut seen), expected);
}

#[tokio::test]
async fn every_change_of_a_scenario_group_makes_its_event_on_either_face() {
    let (dingtalk, mut seen) = (Dingtalk::start().await, 0);
    let scene = dingtalk.create_scene(&["user001"]).await;
    let call = async |operation: &str, mut params: Value| {
        params["open_conversation_id"] = json!(scene);
        let reply = dingtalk.call(operation, params).await.json();
        assert!(
            reply["code"].is_null() && [Value::Null, json!(0)].contains(&reply["errcode"]),
            "{operation}: {reply}"
        );
    };
    call("scene.update", json!({"title": "Renamed", "owner_user_id": "user001"})).await;
    call("scene.members.add", json!({"user_ids": ["user002"], "union_ids": ["union-ext001"]})).await;
    call("scene.members.remove", json!({"user_ids": ["user002"]})).await;
    call("scene.update_legacy", json!({"title": "Renamed again"})).await;
    call("scene.members.add_legacy", json!({"user_ids": "user003"})).await;
    call("scene.members.remove_legacy", json!({"user_ids": "user003"})).await;
    let template = json!({"openConversationId": scene, "ownerUserId": "user001", "templateId": "tpl-demo"});
    assert_eq!(dingtalk.call("template.close", template).await.status, 200);
    dingtalk.simulator.disband(&dingtalk.group(&scene).chatid);
    let events = made(&dingtalk, &mut seen);
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    let expected = [
        "chat_template_change",
        "chat_update_title",
        "chat_update_owner",
        "chat_add_member",
        "chat_remove_member",
        "chat_update_title",
        "chat_add_member",
        "chat_remove_member",
        "chat_template_change",
        "chat_disband",
    ];
    assert_eq!(kinds, expected);
    for (index, status) in [(0, "on"), (8, "off")] {
        let data = &events[index].1;
        assert_eq!(
            (&data["templateId"], &data["status"], &data["chatId"]),
            (&json!("tpl-demo"), &json!(status), &Value::Null)
        );
        assert!(data["changedTimeStamp"].is_u64());
    }
}

#[tokio::test]
async fn pushes_are_controlled_over_http_too() {
    let dingtalk = Dingtalk::start().await;
    let mut client = Client::connect(&dingtalk).await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    let control = async |method: Method, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = dingtalk.send(method, &format!("/_sim/{path}"), &[], body).await;
        (reply.status, reply.json())
    };
    let ok = || (200, json!({"ok": true}));
    let post = async |path: &str, body: Value| control(Method::POST, path, body).await;
    assert_eq!(post("pushes/rules", json!({"redelivery_ms": [100_000]})).await, ok());
    let (_, rules) = control(Method::GET, "pushes/rules", Value::Null).await;
    assert_eq!((&rules["redelivery_ms"], &rules["ticket_ms"]), (&json!([100_000]), &json!(90_000)));
    for (body, error) in [
        (json!({"duplicates": 2}), "duplicates"),
        (json!({"ping_ms": 0}), "ping_ms"),
        (json!({"x": 0}), "`x`"),
    ] {
        let (status, reply) = post("pushes/rules", body).await;
        assert!(status == 400 && reply["error"].as_str().unwrap().contains(error), "{reply}");
    }

    assert_eq!(post("pushes/hold", Value::Null).await, ok());
    let change = json!({"operator": "user001", "title": "a", "add": ["user002"]});
    assert_eq!(post(&format!("groups/{chatid}/change"), change).await, ok());
    assert_eq!(post(&format!("groups/{chatid}/quit"), json!({"user": "user002"})).await, ok());
    assert_eq!(post(&format!("groups/{chatid}/quit"), json!({"user": "user002"})).await.0, 404);
    assert_eq!(post("groups/chat0/change", json!({"operator": "user001"})).await.0, 404);
    assert_eq!(post("pushes/release", json!({"reversed": true})).await, ok());
    for kind in ["chat_quit", "chat_add_member", "chat_update_title"] {
        let (frame, _) = client.event().await;
        assert_eq!(frame["headers"]["eventType"], kind);
        client.acknowledge(&frame).await;
    }
    dingtalk.simulator.until_pushes(APP, |pushes| pushes.acked == 3).await;
    let (_, events) = control(Method::GET, "apps/dingdemo/events", Value::Null).await;
    assert_eq!((&events[2]["state"], &events[2]["attempts"]), (&json!("acked"), &json!(1)));
    let id = events[2]["id"].as_str().unwrap();
    assert_eq!(post(&format!("events/{id}/again"), Value::Null).await, ok());
    assert_eq!(client.event().await.0["headers"]["eventId"], id);
    assert_eq!(post("events/none/again", Value::Null).await.0, 404);

    let (status, pushed) = post("apps/dingdemo/events", json!({"type": "any", "data": "no JSON"})).await;
    let frame = client.frame().await.unwrap();
    assert_eq!(
        (status, &frame["headers"]["eventId"], &frame["data"]),
        (200, &pushed["id"], &json!("no JSON"))
    );
    assert_eq!(post("apps/nobody/events", json!({"type": "any", "data": {}})).await.0, 404);
    assert_eq!(post(&format!("groups/{chatid}/burst"), json!({"count": 3, "per_second": 1000})).await, ok());
    for number in 1..=3 {
        assert_eq!(client.event().await.1["title"], format!("a {number}"));
    }
    assert_eq!(post("apps/dingdemo/subscriptions", json!({"types": []})).await, ok());
    assert_eq!(post(&format!("groups/{chatid}/disband"), Value::Null).await, ok());
    let (_, counters) = control(Method::GET, "pushes", Value::Null).await;
    assert_eq!((&counters[APP]["made"], &counters[APP]["tickets"]), (&json!(7), &json!(1)));

    let (_, connections) = control(Method::GET, "apps/dingdemo/connections", Value::Null).await;
    assert_eq!(connections.as_array().unwrap().len(), 1);
    let one = || (200, json!({"connections": 1}));
    assert_eq!(post("apps/dingdemo/connections/send", json!({"text": "{}"})).await, one());
    assert_eq!(client.frame().await, Some(json!({})));
    assert_eq!(post("apps/dingdemo/connections/disconnect", json!({"reason": "why"})).await, one());
    assert_eq!(client.frame().await.unwrap()["data"], r#"{"reason":"why"}"#);
    assert_eq!(post("apps/dingdemo/connections/silence", json!({"silence": "only_pongs"})).await, one());
    assert_eq!(post("tickets/expire", Value::Null).await, ok());
    assert_eq!(post("apps/dingdemo/connections/cut", Value::Null).await, one());
    assert_eq!(client.frame().await, None);
}
