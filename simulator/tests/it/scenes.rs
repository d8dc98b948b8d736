//! Scenario groups: creation, members, reading, on the new face.

use dinggate_simulator::Seed;
use serde_json::{Value, json};

use crate::support::{Dingtalk, crowd, extras, users};

fn opening() -> Value {
    json!({"title": "Incident", "template_id": "tpl-demo", "owner_user_id": "manager4220"})
}

fn with(change: &Value) -> Value {
    let mut body = opening();
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_scenario_group_is_created_and_read_on_both_faces() {
    let dingtalk = Dingtalk::start().await;
    let body = with(&json!({
        "icon": "@media1", "user_ids": ["user001", "user002"], "subadmin_ids": ["user002", "user003"],
        "management_options": {"searchable": 1, "add_friend_forbidden": 1, "group_live_switch": 0}, "uuid": "u-1",
    }));
    let created = dingtalk.call("scene.create", body).await.json();
    let id = created["open_conversation_id"].as_str().unwrap();
    let group = dingtalk.simulator.group(created["chat_id"].as_str().unwrap()).unwrap();
    assert_eq!(group.open_conversation_id, id);
    assert_eq!(
        group.members,
        ["manager4220", "user001", "user002", "user003"],
        "owner and admins are members"
    );
    assert_eq!(group.admins, ["user002", "user003"]);
    assert!(group.private_chat_prohibited);
    assert_eq!(group.scene_settings["group_live_switch"], 0);
    assert_eq!(group.scene_settings["all_members_can_create_mcs_conf"], 1, "the default");

    let brief = dingtalk.call("scene.get_brief", json!({"openConversationId": id})).await.json();
    let expected = json!({
        "success": true, "openConversationId": id, "title": "Incident", "icon": "@media1",
        "ownerUserId": "manager4220", "templateId": "tpl-demo", "status": 1, "groupUrl": "",
    });
    assert_eq!(brief, expected);

    let full = dingtalk.call("scene.get_legacy", json!({"open_conversation_id": id})).await.json();
    let expected = json!({
        "open_conversation_id": id, "title": "Incident", "icon": "@media1", "owner_staff_id": "manager4220",
        "sub_admin_staff_ids": ["user002", "user003"], "template_id": "tpl-demo", "member_amount": 4,
        "management_options": {"searchable": "1", "validation_type": "0", "mention_all_authority": "0",
            "management_type": "0", "chat_banned_type": "0", "show_history_type": "0"},
    });
    assert_eq!((&full["errcode"], &full["success"], &full["result"]), (&json!(0), &json!(true), &expected));

    let detail = dingtalk.call("scene.get", json!({"open_conversation_id": id})).await.json();
    assert_eq!(detail["sub_admin_staff_ids"], json!(["user002", "user003"]));
    assert_eq!(detail["management_options"]["only_admin_can_add_mem"], "0");
    let ordinary = dingtalk.call("group.get_legacy", json!({"chatid": group.chatid})).await.json();
    assert_eq!(ordinary["chat_info"]["name"], "Incident", "one world for all faces");
}

#[tokio::test]
async fn a_scenario_group_that_breaks_a_rule_is_not_created() {
    let dingtalk = Dingtalk::start_with(crowd(1000)).await;
    let cases = [
        (json!({"title": "群".repeat(31)}), "400 parameter.invalid"),
        (json!({"management_options": {"searchable": 2}}), "400 parameter.invalid"),
        (json!({"management_options": {"plugin_customize_verify": 1}}), "400 parameter.invalid"),
        (json!({"user_ids": extras(1..=1000)}), "400 parameter.invalid"),
        (json!({"user_ids": extras(1..=999), "subadmin_ids": ["extra1000"]}), "400 member.exceed"),
        (json!({"template_id": "tpl-none"}), "400 groupTemplate.notFound"),
        (json!({"user_ids": ["nobody"]}), "400 member.notFound"),
        (json!({"subadmin_ids": ["nobody"]}), "400 member.notFound"),
        (json!({"owner_user_id": "nobody"}), "400 member.notFound"),
        (json!({"owner_user_id": "hidden001"}), "400 permession.checkFailed"),
    ];
    for (change, code) in cases {
        assert_eq!(dingtalk.call("scene.create", with(&change)).await.code(), code, "{change}");
    }
    assert!(dingtalk.simulator.groups().is_empty());
    let full = with(&json!({"title": "😀".repeat(30), "user_ids": extras(1..=999)}));
    assert_eq!(dingtalk.call("scene.create", full).await.status, 200);
    assert_eq!(dingtalk.simulator.groups()[0].members.len(), 1000);
}

#[tokio::test]
async fn a_template_is_used_only_as_far_as_the_organization_may() {
    let mut seed = Seed::demo();
    let template = seed.organizations[0].templates[0].clone();
    for (id, change) in [("tpl-offline", 0), ("tpl-gray", 1), ("tpl-app", 2), ("tpl-foreign", 3)] {
        let mut template = template.clone();
        template.template_id = id.into();
        template.robots.clear();
        template.online = change != 0;
        template.in_gray_list = change != 1;
        template.app_installed = change != 2;
        if change == 3 {
            template.app_key = "dingother".into();
        }
        seed.organizations[0].templates.push(template);
    }
    let mut other = seed.organizations[0].clone();
    other.corp_id = "dingcorpother".into();
    other.apps[0].app_key = "dingother".into();
    other.templates.truncate(1);
    other.templates[0].template_id = "tpl-other".into();
    seed.organizations.push(other);
    let dingtalk = Dingtalk::start_with(seed).await;
    let cases = [
        ("tpl-offline", "400 groupTemplate.notFound", "665036"),
        ("tpl-gray", "400 groupTemplate.permessionDenied.orgNotInGrayList", "660047"),
        ("tpl-app", "400 groupTemplate.permessionDenied.appNotInstalled", "660045"),
        ("tpl-other", "400 groupTemplate.permessionDenied.orgNotConsistent", "660046"),
        ("tpl-foreign", "400 permession.checkFailed", "660036"),
    ];
    for (id, new, legacy) in cases {
        let body = with(&json!({"template_id": id}));
        assert_eq!(dingtalk.call("scene.create", body.clone()).await.code(), new, "{id}");
        assert_eq!(dingtalk.call("scene.create_legacy", body).await.code(), legacy, "{id}");
    }
}

#[tokio::test]
async fn a_uuid_creates_one_group_until_it_is_forgotten() {
    let mut seed = Seed::demo();
    let body = with(&json!({"uuid": "u-1"}));
    let dingtalk = Dingtalk::start_with(seed.clone()).await;
    let first = dingtalk.call("scene.create", body.clone()).await.json();
    assert_eq!(dingtalk.call("scene.create", body.clone()).await.json(), first);
    assert_ne!(dingtalk.call("scene.create", with(&json!({"uuid": "u-2"}))).await.json(), first);
    assert_ne!(dingtalk.call("scene.create", opening()).await.json(), first);

    seed.rules.uuid_window_seconds = 0;
    let forgetful = Dingtalk::start_with(seed.clone()).await;
    let first = forgetful.call("scene.create", body.clone()).await.json();
    assert_ne!(forgetful.call("scene.create", body.clone()).await.json(), first);

    seed.rules.uuid_window_seconds = 60;
    seed.rules.uuid_repeat_is_error = true;
    let strict = Dingtalk::start_with(seed).await;
    assert_eq!(strict.call("scene.create", body.clone()).await.status, 200);
    assert_eq!(strict.call("scene.create", body).await.code(), "400 uuid.repeat");
    assert_eq!(strict.simulator.groups().len(), 1);
}

#[tokio::test]
async fn members_come_and_go_in_calls_of_a_hundred() {
    let dingtalk = Dingtalk::start_with(crowd(200)).await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let add = async |people: Value| {
        let mut body = people;
        body["open_conversation_id"] = json!(id);
        dingtalk.call("scene.members.add", body).await
    };
    assert_eq!(add(json!({"user_ids": extras(1..=100)})).await.json(), json!({"success": true}));
    assert_eq!(add(json!({"user_ids": extras(1..=101)})).await.code(), "400 parameter.invalid");
    assert_eq!(add(json!({"user_ids": ["extra101", "nobody"]})).await.code(), "400 member.notFound");
    assert_eq!(add(json!({"user_ids": []})).await.code(), "400 parameter.invalid");
    assert_eq!(add(json!({})).await.code(), "400 parameter.invalid");
    let both = json!({"user_ids": ["user001"], "union_ids": ["union-ext001"]});
    assert_eq!(add(both).await.json(), json!({"success": true}), "a member already: nothing happens");
    let group = dingtalk.group(&id);
    assert_eq!((group.members.len(), group.external_members.len()), (102, 1));

    let remove = async |people: Value| {
        let mut body = people;
        body["open_conversation_id"] = json!(id);
        dingtalk.call("scene.members.remove", body).await
    };
    assert_eq!(remove(json!({"user_ids": ["manager4220"]})).await.code(), "400 parameter.invalid");
    let everybody = json!({"user_ids": extras(1..=100), "union_ids": ["union-ext001"]});
    assert_eq!(remove(everybody).await.json(), json!({"success": true}));
    assert_eq!(remove(json!({"user_ids": ["user050", "nobody"]})).await.json(), json!({"success": true}));
    assert_eq!(dingtalk.group(&id).members, ["manager4220", "user001"]);
}

#[tokio::test]
async fn members_can_be_taken_strictly() {
    let mut seed = Seed::demo();
    seed.rules.strict_members = true;
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let present = json!({"open_conversation_id": id, "user_ids": ["user002", "user001"]});
    assert_eq!(dingtalk.call("scene.members.add", present).await.code(), "400 parameter.invalid");
    let absent = json!({"open_conversation_id": id, "user_ids": ["user001", "user002"]});
    assert_eq!(dingtalk.call("scene.members.remove", absent).await.code(), "400 parameter.invalid");
    assert_eq!(dingtalk.group(&id).members, ["manager4220", "user001"], "all or nothing");
    let chatid = dingtalk.group(&id).chatid;
    let ordinary = json!({"chatid": chatid, "add_useridlist": ["user001"]});
    assert_eq!(dingtalk.call("group.update", ordinary).await.code(), "400 parameter.invalid");
}

#[tokio::test]
async fn limits_are_rules_of_the_world() {
    let mut seed = Seed::demo();
    seed.rules.limits.scene_users_per_call = 2;
    seed.rules.limits.members_per_group = 4;
    seed.rules.limits.group_users_per_call = 50;
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&[]).await;
    let add = async |users: &[&str]| {
        let body = json!({"open_conversation_id": id, "user_ids": users});
        dingtalk.call("scene.members.add", body).await
    };
    assert_eq!(add(&["user001", "user002", "user003"]).await.code(), "400 parameter.invalid");
    assert_eq!(add(&["user001", "user002"]).await.status, 200);
    assert_eq!(add(&["user003", "user004"]).await.code(), "400 member.exceed");
    let many = json!({"name": "x", "owner": "user001", "useridlist": users(1..=41)});
    assert_eq!(dingtalk.call("group.create", many).await.code(), "400 member.exceed");
}

#[tokio::test]
async fn members_are_listed_whole_or_in_pages() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let outside = json!({"open_conversation_id": id, "union_ids": ["union-ext001"]});
    assert_eq!(dingtalk.call("scene.members.add", outside).await.status, 200);
    let list = json!({"openConversationId": id, "maxResults": 1});
    let page = dingtalk.call("scene.members.list", list.clone()).await.json();
    let expected = json!({
        "success": true, "memberUserIds": ["manager4220", "user001"], "unionIdList": ["union-ext001"],
        "staffIdNickMap": {"manager4220": "Manager", "user001": "User 001"},
        "unionIdNickMap": {"union-ext001": "External 001"}, "hasMore": false, "nextToken": "3",
    });
    assert_eq!(page, expected, "up to 1000 come whole, and a token comes with the last page too");

    let mut seed = Seed::demo();
    seed.rules.limits.members_page = 0;
    seed.rules.list_robots = true;
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let body = json!({"openConversationId": id, "maxResults": 2, "nextToken": token});
        let page = dingtalk.call("scene.members.list", body).await.json();
        found.push(page["memberUserIds"].clone());
        token = page["nextToken"].as_str().unwrap().to_owned();
        if page["hasMore"] == false {
            break;
        }
    }
    assert_eq!(found, [json!(["manager4220", "user001"]), json!(["robotuser-demo"])]);
    let body = json!({"openConversationId": id, "maxResults": 2, "nextToken": "x"});
    assert_eq!(dingtalk.call("scene.members.list", body).await.code(), "400 paramIllegal");
    let body = json!({"openConversationId": id, "coolAppCode": "", "cursor": "0", "size": 2});
    assert_eq!(dingtalk.call("scene.members.list_cursor", body).await.code(), "400 parameter.invalid");
}

#[tokio::test]
async fn a_group_is_told_from_one_without_template_and_from_none() {
    let dingtalk = Dingtalk::start().await;
    let ordinary = dingtalk.create(&[]).await["openConversationId"].clone();
    let none = json!("cidAAAAAAAAAAAAAAAAAAAAAA==");
    let cases = [
        (&ordinary, "400 groupPermissionDenied", "400 permession.checkFailed", "400020"),
        (&none, "400 groupPermissionDenied", "400 parameter.invalid", "400020"),
        (&json!("cid0"), "400 cidEncryptError", "400 parameter.invalid", "40035"),
        (&json!(""), "400 paramBlank", "400 parameter.invalid", "40035"),
    ];
    for (id, brief, add, full) in cases {
        let body = json!({"openConversationId": id});
        assert_eq!(dingtalk.call("scene.get_brief", body).await.code(), brief, "{id}");
        let body = json!({"open_conversation_id": id, "user_ids": ["user001"]});
        assert_eq!(dingtalk.call("scene.members.add", body).await.code(), add, "{id}");
        let body = json!({"open_conversation_id": id});
        assert_eq!(dingtalk.call("scene.get_legacy", body).await.code(), full, "{id}");
    }
    let id = dingtalk.create_scene(&[]).await;
    let cases = [
        ("scene.get_brief", json!({"coolAppCode": "COOLAPP-1"}), "400 coolAppUnexist"),
        ("scene.get_brief", json!({"coolAppCode": 1}), "400 paramIllegal"),
        ("scene.members.list", json!({"maxResults": 1, "coolAppCode": "COOLAPP-1"}), "400 coolAppUnexist"),
        ("scene.members.list", json!({}), "400 paramBlank"),
    ];
    for (operation, mut body, code) in cases {
        body["openConversationId"] = json!(id);
        assert_eq!(dingtalk.call(operation, body.clone()).await.code(), code, "{operation} {body}");
    }
}
