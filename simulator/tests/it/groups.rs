//! Ordinary groups: the rules of the world, as both faces tell them.

use dinggate_simulator::{OwnerKind, Seed};
use serde_json::{Value, json};

use crate::support::{Dingtalk, crowd, encode, extras, users};

async fn update(dingtalk: &Dingtalk, chatid: &str, mut change: Value) -> String {
    change["chatid"] = json!(chatid);
    let reply = dingtalk.call("group.update", change).await;
    if reply.status == 200 { reply.text } else { reply.code() }
}

const DONE: &str = r#"{"success":true}"#;

#[tokio::test]
async fn a_group_is_created_changed_read_and_shared() {
    let dingtalk = Dingtalk::start().await;
    let body = json!({
        "name": "Launch", "owner": "manager4220", "ownerType": "emp", "icon": "@media1",
        "useridlist": ["manager4220", "user001"], "extidlist": ["union-ext001"],
        "managementOptions": {"searchable": 1, "showHistoryType": 1}, "conversationTag": 2,
    });
    let created = dingtalk.call("group.create", body).await.json();
    let chatid = created["chatid"].as_str().unwrap();
    assert!(chatid.starts_with("chat") && chatid.len() == 36, "{chatid}");
    assert_eq!(created["conversationTag"], 2);

    let get = async || dingtalk.call("group.get_legacy", json!({"chatid": chatid})).await.json();
    let info = json!({
        "searchable": 1, "validationType": 0, "mentionAllAuthority": 0, "managementType": 0, "chatBannedType": 0,
        "showHistoryType": 1, "chatid": chatid, "name": "Launch", "owner": "manager4220", "icon": "@media1",
        "useridlist": ["manager4220", "user001"], "extidlist": ["union-ext001"], "conversationTag": 2, "status": 1,
    });
    assert_eq!(get().await, json!({"errcode": 0, "errmsg": "ok", "chat_info": info}));

    let change = json!({
        "name": "Launched", "owner": "user001", "icon": "@media2", "add_useridlist": ["user002"],
        "del_useridlist": ["manager4220"], "del_extidlist": ["union-ext001"], "add_extidlist": ["union-ext002"],
    });
    assert_eq!(update(&dingtalk, chatid, change).await, DONE);
    let info = get().await["chat_info"].clone();
    assert_eq!(
        (&info["name"], &info["owner"], &info["icon"]),
        (&json!("Launched"), &json!("user001"), &json!("@media2"))
    );
    assert_eq!(info["useridlist"], json!(["user001", "user002"]));
    assert_eq!(info["extidlist"], json!(["union-ext002"]));

    let prohibit = json!({"chatid": chatid, "is_prohibit": true});
    let reply = dingtalk.call("group.private_chat.set_legacy", prohibit).await.json();
    assert_eq!((&reply["errcode"], &reply["success"]), (&json!(0), &json!(true)));
    assert!(dingtalk.simulator.group(chatid).unwrap().private_chat_prohibited);

    let converted = dingtalk.call_at("group.chatid.to_open_conversation_id", chatid, json!({})).await.json();
    assert_eq!(converted, json!({"openConversationId": created["openConversationId"]}));
    for id in [json!({"chatid": chatid}), converted] {
        let mut body = id.clone();
        body["userid"] = json!("user001");
        let reply = dingtalk.call("group.qrcode.get_legacy", body).await.json();
        assert!(reply["result"].as_str().unwrap().starts_with("https://qr.dingtalk.com/"), "{reply}");
    }
}

#[tokio::test]
async fn open_conversation_ids_need_encoding() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create(&[]).await["openConversationId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("cid") && id.ends_with("==") && id.contains("+/"), "{id}");
    assert!(encode(&id).contains("%2B%2F"));
}

#[tokio::test]
async fn a_group_that_breaks_a_rule_is_not_created() {
    let mut seed = Seed::demo();
    seed.organizations[0].apps[0].standard_groups = false;
    let dingtalk = Dingtalk::start_with(seed).await;
    let many = users(1..=41);
    let cases = [
        (json!({"name": ""}), "400 parameter.invalid"),
        (json!({"name": "群".repeat(21)}), "400 parameter.invalid"),
        (json!({"useridlist": []}), "400 parameter.invalid"),
        (json!({"useridlist": ["user001"]}), "400 parameter.invalid"),
        (json!({"useridlist": many, "owner": "user001"}), "400 parameter.invalid"),
        (json!({"useridlist": ["manager4220", "nobody"]}), "400 member.notFound"),
        (json!({"extidlist": ["nobody"]}), "400 member.notFound"),
        (json!({"owner": "nobody"}), "400 member.notFound"),
        (json!({"owner": "hidden001", "useridlist": ["hidden001"]}), "400 permession.checkFailed"),
        (json!({"ownerType": "ext"}), "400 member.notFound"),
        (json!({"ownerType": "boss"}), "400 parameter.invalid"),
        (json!({"conversationTag": 0}), "400 permession.checkFailed"),
        (json!({"conversationTag": 1}), "400 parameter.invalid"),
    ];
    for (change, code) in cases {
        let mut body = json!({"name": "x", "owner": "manager4220", "useridlist": ["manager4220"]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(dingtalk.call("group.create", body).await.code(), code, "{change}");
    }
    assert!(dingtalk.simulator.groups().is_empty());
}

#[tokio::test]
async fn what_is_just_allowed_is_allowed() {
    let dingtalk = Dingtalk::start().await;
    let body = json!({"name": "😀".repeat(20), "owner": "user001", "useridlist": users(1..=40)});
    assert_eq!(dingtalk.call("group.create", body).await.status, 200);
    let body = json!({"name": "x", "owner": "user001", "useridlist": ["user001", "hidden001"], "conversationTag": 0});
    assert_eq!(dingtalk.call("group.create", body).await.json()["conversationTag"], 0);
    let body = json!({
        "name": "x", "owner": "union-ext001", "ownerType": "ext", "useridlist": ["user001"],
        "extidlist": ["union-ext001"],
    });
    assert_eq!(dingtalk.call("group.create", body).await.status, 200);
    let groups = dingtalk.simulator.groups();
    assert_eq!(groups.iter().map(|group| group.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(groups[2].owner_kind, OwnerKind::External);
}

#[tokio::test]
async fn a_refused_change_leaves_the_group_as_it_was() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&["user001", "hidden001"]).await;
    let before = dingtalk.simulator.group(&chatid).unwrap();
    let cases = [
        (json!({"owner": "user002"}), "400 parameter.invalid"),
        (json!({"owner": "user002", "add_useridlist": ["user002"]}), "400 parameter.invalid"),
        (json!({"owner": "hidden001"}), "400 permession.checkFailed"),
        (json!({"owner": "nobody"}), "400 member.notFound"),
        (json!({"del_useridlist": ["manager4220"]}), "400 parameter.invalid"),
        (json!({"add_useridlist": ["user002"], "del_useridlist": ["user002"]}), "400 parameter.invalid"),
        (json!({"add_useridlist": ["nobody"]}), "400 member.notFound"),
        (json!({"add_useridlist": users(1..=41)}), "400 parameter.invalid"),
        (json!({"add_extidlist": ["nobody"]}), "400 member.notFound"),
    ];
    for (change, code) in cases {
        let mut named = change.clone();
        named["name"] = json!("renamed");
        assert_eq!(update(&dingtalk, &chatid, named).await, code, "{change}");
    }
    assert_eq!(dingtalk.simulator.group(&chatid).unwrap(), before);
}

#[tokio::test]
async fn adding_a_member_and_removing_a_stranger_change_nothing() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&["user001"]).await;
    let before = dingtalk.simulator.group(&chatid).unwrap();
    let change = json!({"add_useridlist": ["user001"], "del_useridlist": ["user050", "nobody"]});
    assert_eq!(update(&dingtalk, &chatid, change).await, DONE);
    assert_eq!(dingtalk.simulator.group(&chatid).unwrap(), before);
}

#[tokio::test]
async fn a_group_holds_a_thousand_members() {
    let dingtalk = Dingtalk::start_with(crowd(1000)).await;
    let chatid = dingtalk.create_chat(&[]).await;
    let extra = extras(1..=1000);
    for forty in extra[..960].chunks(40) {
        assert_eq!(update(&dingtalk, &chatid, json!({"add_useridlist": forty})).await, DONE);
    }
    let forty = json!({"add_useridlist": extra[960..]});
    assert_eq!(update(&dingtalk, &chatid, forty).await, "400 member.exceed");
    assert_eq!(update(&dingtalk, &chatid, json!({"add_useridlist": extra[961..]})).await, DONE);
    assert_eq!(dingtalk.simulator.group(&chatid).unwrap().members.len(), 1000);
}

#[tokio::test]
async fn settings_that_are_not_named_stay_except_history() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    let all = json!({"managementOptions": {"searchable": 1, "validationType": 1, "showHistoryType": 1}});
    assert_eq!(update(&dingtalk, &chatid, all).await, DONE);
    assert_eq!(update(&dingtalk, &chatid, json!({"name": "other"})).await, DONE);
    assert_eq!(dingtalk.simulator.group(&chatid).unwrap().settings.show_history_type, 1);
    let one = json!({"managementOptions": {"searchable": 0}});
    assert_eq!(update(&dingtalk, &chatid, one).await, DONE);
    let settings = dingtalk.simulator.group(&chatid).unwrap().settings;
    assert_eq!((settings.searchable, settings.validation_type, settings.show_history_type), (0, 1, 0));
}

#[tokio::test]
async fn the_reset_of_history_can_be_switched_off() {
    let mut seed = Seed::demo();
    seed.rules.reset_absent_settings = false;
    let dingtalk = Dingtalk::start_with(seed).await;
    let chatid = dingtalk.create_chat(&[]).await;
    let history = json!({"managementOptions": {"showHistoryType": 1}});
    assert_eq!(update(&dingtalk, &chatid, history).await, DONE);
    assert_eq!(update(&dingtalk, &chatid, json!({"managementOptions": {"searchable": 1}})).await, DONE);
    assert_eq!(dingtalk.simulator.group(&chatid).unwrap().settings.show_history_type, 1);
}

#[tokio::test]
async fn a_disbanded_group_can_be_read_and_not_changed() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    dingtalk.simulator.disband(&chatid);
    let get = dingtalk.call("group.get_legacy", json!({"chatid": chatid})).await.json();
    assert_eq!((&get["errcode"], &get["chat_info"]["status"]), (&json!(0), &json!(2)));
    assert_eq!(update(&dingtalk, &chatid, json!({"name": "x"})).await, "400 group.disbanded");
    let link = json!({"chatid": chatid, "userid": "manager4220"});
    assert_eq!(dingtalk.call("group.qrcode.get_legacy", link).await.code(), "34001");
    let converted = dingtalk.call_at("group.chatid.to_open_conversation_id", &chatid, json!({})).await;
    assert_eq!(converted.status, 200);
}

#[tokio::test]
async fn an_unknown_group_has_a_code_of_its_own_in_every_operation() {
    let dingtalk = Dingtalk::start().await;
    let id = "chat0";
    assert_eq!(update(&dingtalk, id, json!({"name": "x"})).await, "400 not.found");
    let convert = dingtalk.call_at("group.chatid.to_open_conversation_id", id, json!({})).await;
    assert_eq!(convert.code(), "400 invalideChatId");
    assert_eq!(dingtalk.call("group.get_legacy", json!({"chatid": id})).await.code(), "34001");
    let prohibit = json!({"chatid": id, "is_prohibit": false});
    assert_eq!(dingtalk.call("group.private_chat.set_legacy", prohibit).await.code(), "34001");
    let link = json!({"openConversationId": "cid0==", "userid": "user001"});
    assert_eq!(dingtalk.call("group.qrcode.get_legacy", link).await.code(), "34001");
}

#[tokio::test]
async fn a_join_link_is_for_members() {
    let dingtalk = Dingtalk::start().await;
    let chatid = dingtalk.create_chat(&[]).await;
    let link = async |user: &str| {
        let body = json!({"chatid": chatid, "userid": user});
        dingtalk.call("group.qrcode.get_legacy", body).await.code()
    };
    assert_eq!(link("user001").await, "60124");
    assert_eq!(link("nobody").await, "40003");
}

#[tokio::test]
async fn groups_of_another_organization_do_not_exist() {
    let mut seed = Seed::demo();
    let mut other = seed.organizations[0].clone();
    other.corp_id = "dingcorpother".into();
    other.apps[0].app_key = "dingother".into();
    seed.organizations.push(other);
    let mut dingtalk = Dingtalk::start_with(seed).await;
    let created = dingtalk.create(&[]).await;
    dingtalk.log_in("dingother").await;
    let chatid = created["chatid"].as_str().unwrap();
    assert_eq!(update(&dingtalk, chatid, json!({"name": "x"})).await, "400 not.found");
    assert_eq!(dingtalk.call("group.get_legacy", json!({"chatid": chatid})).await.code(), "34001");
    let link = json!({"openConversationId": created["openConversationId"], "userid": "manager4220"});
    assert_eq!(dingtalk.call("group.qrcode.get_legacy", link).await.code(), "34001");
}
