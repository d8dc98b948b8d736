//! The legacy twins of the new calls, on the same world.

use dinggate_simulator::Seed;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Dingtalk, crowd, extras, users};

fn changed(mut body: Value, change: &Value) -> Value {
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_ordinary_group_lives_on_the_legacy_face() {
    let dingtalk = Dingtalk::start().await;
    let body = json!({
        "name": "Launch", "owner": "manager4220", "useridlist": ["manager4220", "user001"], "searchable": "1",
        "showHistoryType": 1, "icon": "@media1",
    });
    let created = dingtalk.call("group.create_legacy", body).await.json();
    assert_eq!((&created["errcode"], &created["conversationTag"]), (&json!(0), &json!(2)));
    let chatid = created["chatid"].as_str().unwrap();
    let rename = json!({"chatid": chatid, "name": "Launched", "owner": "user001"});
    let change = json!({"chatid": chatid, "isBan": "true", "add_useridlist": ["user002"], "del_useridlist": ["user001"]});
    assert_eq!(dingtalk.call("group.update_legacy", rename).await.code(), "0");
    assert_eq!(dingtalk.call("group.update_legacy", change).await.code(), "49006", "the owner stays");
    let change = json!({"chatid": chatid, "add_useridlist": ["user002"], "del_useridlist": ["manager4220"]});
    assert_eq!(dingtalk.call("group.update_legacy", change).await.code(), "0");
    let group = dingtalk.simulator.group(chatid).unwrap();
    assert_eq!((&*group.name, &*group.owner, &*group.icon), ("Launched", "user001", "@media1"));
    assert_eq!(group.members, ["user001", "user002"]);
    assert_eq!((group.settings.searchable, group.settings.show_history_type), (1, 1), "no setting was named");
    let mute = json!({"chatid": chatid, "isBan": true});
    assert_eq!(dingtalk.call("group.update_legacy", mute).await.code(), "0");
    let settings = dingtalk.simulator.group(chatid).unwrap().settings;
    assert_eq!((settings.chat_banned_type, settings.show_history_type), (1, 0), "one setting resets history");
}

#[tokio::test]
async fn an_ordinary_group_that_breaks_a_rule_has_codes_of_its_own() {
    let dingtalk = Dingtalk::start().await;
    let create = json!({"name": "x", "owner": "manager4220", "useridlist": ["manager4220"]});
    let cases = [
        (json!({"name": ""}), "400002"),
        (json!({"name": "群".repeat(21)}), "400002"),
        (json!({"owner": ""}), "49013"),
        (json!({"useridlist": []}), "49010"),
        (json!({"useridlist": ["user001"]}), "49006"),
        (json!({"useridlist": ["manager4220", "nobody"]}), "40031"),
        (json!({"useridlist": users(1..=41)}), "49011"),
        (json!({"extidlist": ["union-ext001"]}), "49009"),
        (json!({"conversationTag": 1}), "49008"),
    ];
    for (change, code) in cases {
        let reply = dingtalk.call("group.create_legacy", changed(create.clone(), &change)).await;
        assert_eq!(reply.code(), code, "{change}");
    }
    let standard =
        changed(create, &json!({"conversationTag": 0, "extidlist": ["union-ext001", "union-ext002"]}));
    let created = dingtalk.call("group.create_legacy", standard).await.json();
    let chatid = created["chatid"].as_str().unwrap();
    let cases = [
        (json!({"chatid": ""}), "49000"),
        (json!({"chatid": "chat0"}), "40016"),
        (json!({"name": "群".repeat(21)}), "49015"),
        (json!({"add_useridlist": ["nobody"]}), "40031"),
        (json!({"add_useridlist": users(1..=41)}), "49011"),
        (json!({"add_useridlist": ["user001"], "del_useridlist": ["user001"]}), "49004"),
        (json!({"add_extidlist": ["union-ext001"], "del_extidlist": ["union-ext001"]}), "49023"),
    ];
    for (change, code) in cases {
        let reply = dingtalk.call("group.update_legacy", changed(json!({"chatid": chatid}), &change)).await;
        assert_eq!(reply.code(), code, "{change}");
    }
    let internal = dingtalk.create_chat(&[]).await;
    let contact = json!({"chatid": internal, "add_extidlist": ["union-ext001"]});
    assert_eq!(dingtalk.call("group.update_legacy", contact).await.code(), "49009");
}

fn opening() -> Value {
    json!({"title": "Incident", "template_id": "tpl-demo", "owner_user_id": "manager4220"})
}

#[tokio::test]
async fn a_group_of_too_many_is_not_created_and_a_form_is_no_json() {
    let mut seed = Seed::demo();
    seed.rules.limits.members_per_group = 1;
    let dingtalk = Dingtalk::start_with(seed).await;
    let body = json!({"name": "x", "owner": "user001", "useridlist": ["user001", "user002"]});
    assert_eq!(dingtalk.call("group.create_legacy", body).await.code(), "49005");
    for path in ["/chat/create", "/chat/update"] {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let path = format!("{path}?access_token={}", dingtalk.token);
        assert_eq!(dingtalk.send(Method::POST, &path, &form, "name=x").await.code(), "43009");
    }
}

#[tokio::test]
async fn a_scenario_group_lives_on_the_legacy_face() {
    let dingtalk = Dingtalk::start_with(crowd(101)).await;
    let body = changed(
        opening(),
        &json!({
            "user_ids": "user001,user002", "subadmin_ids": "user002", "uuid": "u-1", "group_live_switch": "0",
            "searchable": 1, "add_friend_forbidden": 1,
        }),
    );
    let created = dingtalk.call("scene.create_legacy", body.clone()).await.json();
    assert_eq!((&created["errcode"], &created["success"]), (&json!(0), &json!(true)));
    let again = dingtalk.call("scene.create_legacy", body).await.json();
    assert_eq!(again["result"], created["result"], "the uuid is known");
    let id = created["result"]["open_conversation_id"].as_str().unwrap();
    let group = dingtalk.group(id);
    assert_eq!((group.scene_settings["group_live_switch"], group.settings.searchable), (0, 1));
    assert!(group.private_chat_prohibited);
    assert_eq!(group.admins, ["user002"]);

    let on = |change: Value| changed(json!({"open_conversation_id": id}), &change);
    let update = on(json!({"title": "Over", "owner_user_id": "user001", "plugin_customize_verify": "1"}));
    assert_eq!(dingtalk.call("scene.update_legacy", update).await.code(), "0");
    let add = on(json!({"user_ids": extras(1..=100).join(","), "contact_staff_ids": "union-ext001"}));
    assert_eq!(dingtalk.call("scene.members.add_legacy", add).await.code(), "0");
    let remove = on(json!({"user_ids": extras(1..=99).join(",")}));
    assert_eq!(dingtalk.call("scene.members.remove_legacy", remove).await.code(), "0");
    let group = dingtalk.group(id);
    assert_eq!((&*group.name, group.scene_settings["plugin_customize_verify"]), ("Over", 1));
    let list = on(json!({"cursor": "0", "size": 10}));
    let page = dingtalk.call("scene.members.list_legacy", list).await.json()["result"].clone();
    assert_eq!(page["member_user_ids"], json!(["manager4220", "user001", "user002", "extra100"]));
    assert_eq!((&page["union_ids"], &page["has_more"]), (&json!(["union-ext001"]), &json!(false)));
    assert!(page["staff_id_nick_map"].as_str().unwrap().starts_with(r#"{"manager4220":"Manager""#), "{page}");
}

#[tokio::test]
async fn a_scenario_group_that_breaks_a_rule_has_codes_of_its_own() {
    let dingtalk = Dingtalk::start_with(crowd(1000)).await;
    let cases = [
        (json!({"title": ""}), "40035"),
        (json!({"not_quit_when_emp_leave": 1}), "40035"),
        (json!({"user_ids": extras(1..=1000).join(",")}), "40035"),
        (json!({"user_ids": extras(1..=999).join(","), "subadmin_ids": "extra1000"}), "665033"),
        (json!({"template_id": "tpl-none"}), "665036"),
        (json!({"owner_user_id": "nobody"}), "660041"),
        (json!({"owner_user_id": "hidden001"}), "660036"),
    ];
    for (change, code) in cases {
        let reply = dingtalk.call("scene.create_legacy", changed(opening(), &change)).await;
        assert_eq!(reply.code(), code, "{change}");
    }
    let id = dingtalk.create_scene(&[]).await;
    let none = "cidAAAAAAAAAAAAAAAAAAAAAA==";
    let cases = [
        ("scene.update_legacy", json!({"open_conversation_id": none}), "400020"),
        ("scene.update_legacy", json!({"open_conversation_id": "x"}), "40035"),
        ("scene.update_legacy", json!({"owner_user_id": "nobody"}), "660041"),
        ("scene.members.add_legacy", json!({}), "40035"),
        ("scene.members.add_legacy", json!({"user_ids": "nobody"}), "660041"),
        ("scene.members.add_legacy", json!({"user_ids": extras(1..=101).join(",")}), "40035"),
        ("scene.members.add_legacy", json!({"open_conversation_id": none, "user_ids": "user001"}), "400020"),
        ("scene.members.remove_legacy", json!({"user_ids": "manager4220"}), "40035"),
        (
            "scene.members.remove_legacy",
            json!({"open_conversation_id": none, "user_ids": "user001"}),
            "400020",
        ),
    ];
    for (operation, change, code) in cases {
        let reply = dingtalk.call(operation, changed(json!({"open_conversation_id": id}), &change)).await;
        assert_eq!(reply.code(), code, "{operation} {change}");
    }
}
