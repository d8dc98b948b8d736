//! What a template brings and takes away, the end of a group, and people who leave.

use dinggate_simulator::Seed;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Dingtalk;

async fn brief(dingtalk: &Dingtalk, id: &str) -> (String, Value) {
    let reply = dingtalk.call("scene.get_brief", json!({"openConversationId": id})).await;
    (reply.code(), reply.json())
}

async fn template(dingtalk: &Dingtalk, operation: &str, id: &str, template: &str, owner: &str) -> String {
    let body = json!({"open_conversation_id": id, "template_id": template, "owner_user_id": owner});
    dingtalk.call(operation, body).await.code()
}

#[tokio::test]
async fn a_scenario_group_is_disbanded_for_good() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001"]).await;
    let disband = json!({"openConversationId": id});
    for _ in 0..2 {
        let reply = dingtalk.call("scene.disband", disband.clone()).await;
        assert_eq!(reply.json(), json!({"success": true}));
    }
    assert_eq!(brief(&dingtalk, &id).await.1["status"], 2);
    let add = json!({"open_conversation_id": id, "user_ids": ["user002"]});
    assert_eq!(dingtalk.call("scene.members.add", add).await.code(), "400 permession.checkFailed");
    let list = json!({"openConversationId": id, "maxResults": 1});
    assert_eq!(dingtalk.call("scene.members.list", list).await.code(), "400 groupPermissionDenied");
    let ordinary = dingtalk.create(&[]).await["openConversationId"].clone();
    let cases = [
        (ordinary, "400 permession.checkFailed"),
        (json!("cidAAAAAAAAAAAAAAAAAAAAAA=="), "400 paramIllegal"),
        (json!("x"), "400 paramIllegal"),
        (json!(""), "400 paramIllegal"),
    ];
    for (id, code) in cases {
        let body = json!({"openConversationId": id});
        assert_eq!(dingtalk.call("scene.disband", body).await.code(), code, "{id}");
    }
}

#[tokio::test]
async fn a_template_makes_and_unmakes_a_scenario_group() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create(&[]).await["openConversationId"].as_str().unwrap().to_owned();
    assert_eq!(brief(&dingtalk, &id).await.0, "400 groupPermissionDenied");
    let base = dingtalk.call("group.base_info.query", json!({"openConversationId": id})).await.json();
    assert_eq!((&base["result"]["title"], &base["result"]["memberCount"]), (&json!("Demo"), &json!(1)));
    let (apply, close) = ("template.apply_legacy", "template.close_legacy");
    assert_eq!(template(&dingtalk, apply, &id, "tpl-demo", "manager4220").await, "0");
    assert_eq!(brief(&dingtalk, &id).await.1["templateId"], "tpl-demo");
    assert_eq!(template(&dingtalk, close, &id, "tpl-demo", "manager4220").await, "0");
    assert_eq!(brief(&dingtalk, &id).await.0, "400 groupPermissionDenied");
    assert!(dingtalk.group(&id).scene_settings.is_empty());
    let cases = [
        (apply, &*id, "tpl-none", "manager4220", "665036"),
        (apply, "x", "tpl-demo", "manager4220", "660023"),
        (apply, "cidAAAAAAAAAAAAAAAAAAAAAA==", "tpl-demo", "manager4220", "500"),
        (apply, &*id, "tpl-demo", "user001", "500"),
        (close, &*id, "tpl-demo", "manager4220", "500"),
        (close, "x", "tpl-demo", "manager4220", "660023"),
        (close, &*id, "tpl-none", "manager4220", "665036"),
    ];
    for (operation, id, name, owner, code) in cases {
        assert_eq!(template(&dingtalk, operation, id, name, owner).await, code, "{operation} {id} {name}");
    }
    let body = json!({"openConversationId": id, "templateId": "tpl-demo", "ownerUserId": "manager4220"});
    for operation in ["template.apply", "template.close"] {
        assert_eq!(dingtalk.call(operation, body.clone()).await.json(), json!({"success": true}));
    }
}

#[tokio::test]
async fn the_robot_of_a_template_is_in_its_groups() {
    let mut seed = Seed::demo();
    let corp = &mut seed.organizations[0];
    let mut other = corp.templates[0].clone();
    other.template_id = "tpl-other".into();
    other.robots[0].robot_code = "robot-other".into();
    let mut off = other.robots[0].clone();
    (off.robot_code, off.enabled) = ("robot-off".into(), false);
    corp.templates[0].robots.push(off);
    corp.templates.push(other);
    let dingtalk = Dingtalk::start_with(seed).await;
    let id = dingtalk.create_scene(&[]).await;
    let ask = async |id: &str, robot: &str| {
        let query = json!({"openConversationId": id, "robotCode": robot});
        dingtalk.call("scene.template_robot.get", query).await
    };
    let found = ask(&id, "robot-demo").await.json();
    assert_eq!(found, json!({"success": true, "result": {"userId": "robotuser-demo"}}));
    let body = json!({"open_conversation_id": id, "robot_code": "robot-demo"});
    let legacy = dingtalk.call("scene.template_robot.get_legacy", body).await.json();
    assert_eq!((&legacy["robot"]["userid"], &legacy["succ"]), (&json!("robotuser-demo"), &json!(true)));
    let ordinary = dingtalk.create(&[]).await["openConversationId"].as_str().unwrap().to_owned();
    let cases = [
        (&*id, "robot-none", "400 robotNotFound"),
        (&*id, "robot-other", "400 robotNotFound"),
        (&*id, "robot-off", "400 robotDisabled"),
        (&*id, "", "400 invalidParam.robotCodeEmpry"),
        ("", "robot-demo", "400 invalidParam.openConversationIdEmpry"),
        ("x", "robot-demo", "400 invalidParam"),
        ("cidAAAAAAAAAAAAAAAAAAAAAA==", "robot-demo", "400 not.found"),
        (&*ordinary, "robot-demo", "400 unavailable"),
    ];
    for (id, robot, code) in cases {
        assert_eq!(ask(id, robot).await.code(), code, "{id} {robot}");
    }
}

#[tokio::test]
async fn who_leaves_the_organization_leaves_its_groups_unless_the_group_keeps_or_needs_them() {
    let dingtalk = Dingtalk::start().await;
    let plain = dingtalk.create_scene(&["user001"]).await;
    let keeping = dingtalk.create_scene(&["user001"]).await;
    let keep = json!({"open_conversation_id": keeping, "management_options": {"not_quit_when_emp_leave": 1}});
    assert_eq!(dingtalk.call("scene.update", keep).await.status, 200);
    dingtalk.simulator.leave_organization("dingcorpdemo", "user001");
    assert_eq!(dingtalk.group(&plain).members, ["manager4220"]);
    assert_eq!(dingtalk.group(&keeping).members, ["manager4220", "user001"]);

    let add = json!({"open_conversation_id": plain, "user_ids": ["user002"]});
    assert_eq!(dingtalk.call("scene.members.add", add.clone()).await.status, 200);
    let leave = "/_sim/organizations/dingcorpdemo/users/manager4220/leave";
    assert_eq!(dingtalk.send(Method::POST, leave, &[], "").await.status, 200);
    assert_eq!(dingtalk.send(Method::POST, leave, &[], "").await.status, 404);
    assert_eq!(dingtalk.call("scene.members.add", add.clone()).await.code(), "400 permession.checkFailed");
    let hand_over = json!({"open_conversation_id": plain, "owner_user_id": "user002"});
    assert_eq!(dingtalk.call("scene.update", hand_over).await.status, 200);
    assert_eq!(dingtalk.call("scene.members.add", add).await.status, 200);
}
