//! Admins, nicknames and mutes, in scenario groups and in ordinary ones.

use std::time::Duration;

use dinggate_simulator::Seed;
use serde_json::{Value, json};

use crate::support::{Dingtalk, users};

async fn call(dingtalk: &Dingtalk, operation: &str, id: &str, params: &Value) -> String {
    let mut body = params.clone();
    body["openConversationId"] = json!(id);
    let reply = dingtalk.call(operation, body).await;
    if reply.status == 200 { reply.text } else { reply.code() }
}

const DONE: &str = r#"{"success":true}"#;

#[tokio::test]
async fn admins_of_a_scenario_group_are_granted_and_revoked() {
    let mut seed = Seed::demo();
    seed.rules.limits.admins_per_group = 13;
    let dingtalk = Dingtalk::start_with(seed).await;
    let names = users(1..=15);
    let id = dingtalk.create_scene(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let set = async |params| call(&dingtalk, "scene.admins.set", &id, &params).await;
    assert_eq!(set(json!({"role": 2, "userIds": users(1..=12)})).await, DONE);
    assert_eq!(set(json!({"role": 2, "userIds": ["user001", "user013"]})).await, DONE, "one is new");
    assert_eq!(set(json!({"role": 3, "userIds": ["user001", "user015"]})).await, DONE);
    assert_eq!(dingtalk.group(&id).admins, users(2..=13));
    let cases = [
        (json!({"role": 2, "userIds": users(1..=13)}), "400 invalidUserIds"),
        (json!({"role": 2, "userIds": []}), "400 invalidUserIds"),
        (json!({"role": 1, "userIds": ["user001"]}), "400 invalidParams"),
        (json!({"role": 2, "userIds": ["user001", "user014"]}), "400 subAdminNumberExcessive"),
        (json!({"role": 2, "userIds": ["manager4220"]}), "400 invalidUserId"),
        (json!({"role": 2, "userIds": ["user020"]}), "400 userNotInGroup"),
        (json!({"role": 2, "unionIds": ["union-ext001"]}), "400 userNotInGroup"),
        (json!({"role": 2, "userIds": ["nobody"]}), "400 userNotExists"),
    ];
    for (params, code) in cases {
        assert_eq!(set(params.clone()).await, code, "{params}");
    }
    let none = "cidAAAAAAAAAAAAAAAAAAAAAA==";
    let one = json!({"role": 2, "userIds": ["user001"]});
    assert_eq!(call(&dingtalk, "scene.admins.set", none, &one).await, "400 invalidOpenConversationId");
    assert_eq!(call(&dingtalk, "scene.admins.set", "x", &one).await, "400 openConversationIdDecriptFailed");
    let gone = json!({"open_conversation_id": id, "user_ids": ["user002"]});
    assert_eq!(dingtalk.call("scene.members.remove", gone).await.status, 200);
    assert_eq!(dingtalk.group(&id).admins, users(3..=13), "who leaves is no admin any more");
    dingtalk.simulator.disband(&dingtalk.group(&id).chatid);
    assert_eq!(set(one).await, "400 groupDisbang");
}

#[tokio::test]
async fn admins_of_an_ordinary_group_are_the_same_on_both_faces() {
    let mut seed = Seed::demo();
    seed.rules.limits.admins_per_group = 2;
    let dingtalk = Dingtalk::start_with(seed).await;
    let created = dingtalk.create(&["user001", "user002", "user003"]).await;
    let (chatid, id) = (created["chatid"].as_str().unwrap(), created["openConversationId"].as_str().unwrap());
    let set = async |params| call(&dingtalk, "group.admins.set", id, &params).await;
    assert_eq!(set(json!({"role": 2, "userIds": ["user001"]})).await, r#"{"success":"true"}"#);
    let legacy = async |userids: &str, role: Value| {
        let body = json!({"chatid": chatid, "userids": userids, "role": role});
        dingtalk.call("group.admins.set_legacy", body).await.code()
    };
    assert_eq!(legacy("user002,user001", json!("2")).await, "0");
    assert_eq!(dingtalk.group(id).admins, ["user001", "user002"]);
    let cases = [
        (json!({"role": 2, "userIds": ["user003"]}), "400 subadmin.exceed"),
        (json!({"role": 2, "userIds": ["nobody"]}), "400 staff.not.found"),
        (json!({"role": 2, "userIds": ["manager4220"]}), "400 invalid.staffid"),
        (json!({"role": 2, "userIds": users(1..=13)}), "400 invalid.staffid"),
        (json!({"role": 4, "userIds": ["user003"]}), "400 invalidParamter.role"),
    ];
    for (params, code) in cases {
        assert_eq!(set(params.clone()).await, code, "{params}");
    }
    assert_eq!(legacy("user003", json!(2)).await, "49026");
    assert_eq!(legacy("nobody", json!(2)).await, "40031");
    assert_eq!(legacy("user003", json!(5)).await, "400002");
    assert_eq!(legacy("user001,user002", json!(3)).await, "0");
    assert!(dingtalk.group(id).admins.is_empty());
    let unknown = json!({"chatid": "chat0", "userids": "user001", "role": 2});
    assert_eq!(dingtalk.call("group.admins.set_legacy", unknown).await.code(), "40016");
    let one = json!({"role": 2, "userIds": ["user001"]});
    let bad = "400 invalidParameter.openConversationId.invalid";
    assert_eq!(call(&dingtalk, "group.admins.set", "cid0", &one).await, bad);
    dingtalk.simulator.disband(chatid);
    assert_eq!(set(one).await, "400 group.diaband");
}

#[tokio::test]
async fn nicknames_are_for_members_and_decent() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let set = async |user: &str, nick: &str| {
        let params = json!({"userId": user, "groupNick": nick});
        call(&dingtalk, "scene.member.set_nick", &id, &params).await
    };
    assert_eq!(set("user001", &"群".repeat(30)).await, DONE);
    assert_eq!(set("user001", &"群".repeat(31)).await, "400 paramIllegal");
    assert_eq!(set("user001", "").await, "400 paramBlank");
    assert_eq!(set("user002", "x").await, "400 userNotInGroup");
    assert_eq!(set("nobody", "x").await, "400 invalidUserId");
    assert_eq!(set("user001", "敏感词!").await, "400 groupNickForbid");
    let list = json!({"openConversationId": id, "maxResults": 10});
    let names = dingtalk.call("scene.members.list", list).await.json()["staffIdNickMap"].clone();
    assert_eq!(names["user001"], "群".repeat(30));

    let chatid = dingtalk.create_chat(&["user001"]).await;
    let set = async |chatid: &str, user: &str, nick: &str| {
        let body = json!({"chatid": chatid, "userid": user, "group_nick": nick});
        dingtalk.call("group.member.set_nick_legacy", body).await.code()
    };
    assert_eq!(set(&chatid, "user001", "Duty").await, "0");
    assert_eq!(dingtalk.simulator.group(&chatid).unwrap().nicknames["user001"], "Duty");
    assert_eq!(set(&chatid, "user002", "x").await, "60124");
    assert_eq!(set(&chatid, "nobody", "x").await, "40003");
    assert_eq!(set(&chatid, "user001", "敏感词").await, "41049");
    assert_eq!(set(&chatid, "user001", "").await, "400002");
    assert_eq!(set("chat0", "user001", "x").await, "34001");
}

async fn muted(dingtalk: &Dingtalk, id: &str, user: &str) -> Value {
    let query = json!({"openConversationId": id, "userId": user});
    dingtalk.call("scene.mute.query", query).await.json()
}

#[tokio::test]
async fn a_mute_runs_out() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001", "user002"]).await;
    let mute = json!({"userIdList": ["user001", "user002"], "muteStatus": 1, "muteDuration": 60_000});
    assert_eq!(call(&dingtalk, "scene.members.mute.set", &id, &mute).await, "");
    let state = muted(&dingtalk, &id, "user001").await;
    let user = &state["userMuteResult"];
    assert_eq!((&state["groupMuteMode"], &user["userMuteMode"]), (&json!(false), &json!(true)));
    let (start, end) = (user["muteStartTime"].as_i64().unwrap(), user["muteEndTime"].as_i64().unwrap());
    assert_eq!(end - start, 60_000);
    let free = json!({"userMuteMode": false});
    assert_eq!(muted(&dingtalk, &id, "manager4220").await["userMuteResult"], free);

    let unmute = json!({"userIdList": ["user002"], "muteStatus": 0, "muteDuration": 0});
    assert_eq!(call(&dingtalk, "scene.members.mute.set", &id, &unmute).await, "");
    assert_eq!(muted(&dingtalk, &id, "user002").await["userMuteResult"], free);
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(60_001)).await;
    tokio::time::resume();
    assert_eq!(muted(&dingtalk, &id, "user001").await["userMuteResult"], free);

    let everybody = json!({"open_conversation_id": id, "management_options": {"chat_banned_type": 1}});
    assert_eq!(dingtalk.call("scene.update", everybody).await.status, 200);
    assert_eq!(
        muted(&dingtalk, &id, "user001").await,
        json!({"groupMuteMode": true, "userMuteResult": free})
    );
}

#[tokio::test]
async fn a_mute_that_breaks_a_rule_mutes_nobody() {
    let mut seed = Seed::demo();
    seed.rules.limits.mutes_per_call = 3;
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&["user001", "user002", "user003", "user004"]).await;
    let grant = json!({"openConversationId": id, "role": 2, "userIds": ["user002"]});
    assert_eq!(dingtalk.call("scene.admins.set", grant).await.status, 200);
    let cases = [
        (json!({"userIdList": ["user001", "manager4220"]}), "400 cannot.ban.owner"),
        (json!({"userIdList": ["user001", "user002"]}), "400 cannot.ban.owner"),
        (json!({"userIdList": ["user001", "nobody"]}), "400 cannot.find.user"),
        (json!({"userIdList": ["user001", "user020"]}), "400 cannot.find.user"),
        (json!({"userIdList": users(1..=4)}), "400 invalidParameter.userIdList"),
        (json!({"userIdList": []}), "400 invalidGroupParams"),
        (json!({"userIdList": "user001"}), "400 invalidParameter.userIdList"),
        (json!({"userIdList": ["user001"], "muteStatus": 2}), "400 invalidParameter.muteStatusError"),
        (json!({"userIdList": ["user001"], "muteDuration": -1}), "400 invalidGroupParams"),
    ];
    for (change, code) in cases {
        let mut params = json!({"muteStatus": 1, "muteDuration": 60_000});
        params.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(call(&dingtalk, "scene.members.mute.set", &id, &params).await, code, "{change}");
    }
    assert!(dingtalk.group(&id).mutes.is_empty());
    let one = json!({"userIdList": ["user001"], "muteStatus": 1, "muteDuration": 1});
    for (id, code) in [
        ("cid0", "400 invalidParameter.openConversationIdDecError"),
        ("cidAAAAAAAAAAAAAAAAAAAAAA==", "400 invalidGroupParams"),
    ] {
        assert_eq!(call(&dingtalk, "scene.members.mute.set", id, &one).await, code);
    }
    let cases = [
        ("x", "400 invalidParam.openConversationIdDecryptFailed"),
        ("", "400 invalidParam.openConversationIdEmpry"),
    ];
    for (id, code) in cases {
        let query = json!({"openConversationId": id, "userId": "user001"});
        assert_eq!(dingtalk.call("scene.mute.query", query).await.code(), code);
    }
}

#[tokio::test]
async fn people_from_outside_are_admins_and_mute_too() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&[]).await;
    let add = json!({"open_conversation_id": id, "union_ids": ["union-ext001", "union-ext002"]});
    assert_eq!(dingtalk.call("scene.members.add", add).await.status, 200);
    let grant = json!({"role": 2, "unionIds": ["union-ext001"]});
    assert_eq!(call(&dingtalk, "scene.admins.set", &id, &grant).await, DONE);
    assert_eq!(dingtalk.group(&id).external_admins, ["union-ext001"]);
    let mute =
        |person: &str| json!({"userIdList": [], "unionIds": [person], "muteStatus": 1, "muteDuration": 1000});
    let set = "scene.members.mute.set";
    assert_eq!(call(&dingtalk, set, &id, &mute("union-ext001")).await, "400 cannot.ban.owner");
    assert_eq!(call(&dingtalk, set, &id, &mute("union-ext002")).await, "");
    assert_eq!(dingtalk.group(&id).mutes[0].member, "union-ext002");
}
