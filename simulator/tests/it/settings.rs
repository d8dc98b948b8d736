//! Changing a scenario group: title, avatar, owner and its seventeen settings.

use serde_json::{Map, Value, json};

use crate::support::Dingtalk;

const SETTINGS: [&str; 17] = [
    "add_friend_forbidden",
    "all_members_can_create_calendar",
    "all_members_can_create_mcs_conf",
    "chat_banned_type",
    "group_email_disabled",
    "group_live_switch",
    "management_type",
    "members_to_admin_chat",
    "mention_all_authority",
    "not_quit_when_emp_leave",
    "only_admin_can_add_mem",
    "only_admin_can_ding",
    "only_admin_can_set_msg_top",
    "plugin_customize_verify",
    "searchable",
    "show_history_type",
    "validation_type",
];

/// What the world holds, by wire name.
fn stored(dingtalk: &Dingtalk, id: &str) -> Map<String, Value> {
    let group = dingtalk.group(id);
    let camel = json!(group.settings);
    let mut stored = json!(group.scene_settings).as_object().unwrap().clone();
    stored.insert("add_friend_forbidden".into(), json!(u8::from(group.private_chat_prohibited)));
    let names = [
        ("searchable", "searchable"),
        ("validation_type", "validationType"),
        ("mention_all_authority", "mentionAllAuthority"),
        ("management_type", "managementType"),
        ("chat_banned_type", "chatBannedType"),
        ("show_history_type", "showHistoryType"),
    ];
    stored.extend(names.map(|(snake, name)| (snake.to_owned(), camel[name].clone())));
    stored
}

#[tokio::test]
async fn each_of_the_seventeen_settings_changes_alone() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&[]).await;
    assert_eq!(stored(&dingtalk, &id).len(), SETTINGS.len());
    for name in SETTINGS {
        for value in [0, 1] {
            let mut expected = stored(&dingtalk, &id);
            expected.insert(name.to_owned(), json!(value));
            let body = json!({"open_conversation_id": id, "management_options": {name: value}});
            assert_eq!(dingtalk.call("scene.update", body).await.json(), json!({"success": true}));
            assert_eq!(stored(&dingtalk, &id), expected, "{name}");
        }
    }
    let full = dingtalk.call("scene.get_legacy", json!({"open_conversation_id": id})).await.json();
    assert_eq!(full["result"]["management_options"]["searchable"], "1");
}

#[tokio::test]
async fn title_avatar_and_owner_change() {
    let dingtalk = Dingtalk::start().await;
    let id = dingtalk.create_scene(&["user001", "hidden001"]).await;
    let grant = json!({"openConversationId": id, "role": 2, "userIds": ["user001"]});
    assert_eq!(dingtalk.call("scene.admins.set", grant).await.status, 200);
    let body = json!({"open_conversation_id": id, "title": "New", "icon": "@m", "owner_user_id": "user001"});
    assert_eq!(dingtalk.call("scene.update", body).await.json(), json!({"success": true}));
    let group = dingtalk.group(&id);
    assert_eq!((&*group.name, &*group.icon, &*group.owner), ("New", "@m", "user001"));
    assert!(group.admins.is_empty(), "the owner is no admin");

    let cases = [
        (json!({"owner_user_id": "user002"}), "400 parameter.invalid"),
        (json!({"owner_user_id": "hidden001"}), "400 permession.checkFailed"),
        (json!({"owner_user_id": "nobody"}), "400 member.notFound"),
        (json!({"owner_union_id": "union-ext001"}), "400 parameter.invalid"),
        (json!({"title": "群".repeat(31)}), "400 parameter.invalid"),
        (json!({"management_options": {"searchable": "1"}}), "400 parameter.invalid"),
    ];
    for (change, code) in cases {
        let mut body = change.clone();
        body["open_conversation_id"] = json!(id);
        assert_eq!(dingtalk.call("scene.update", body).await.code(), code, "{change}");
    }
    assert_eq!(dingtalk.group(&id), group);
    let outside = json!({"open_conversation_id": id, "union_ids": ["union-ext001"]});
    assert_eq!(dingtalk.call("scene.members.add", outside).await.status, 200);
    let hand_over = json!({"open_conversation_id": id, "owner_union_id": "union-ext001"});
    assert_eq!(dingtalk.call("scene.update", hand_over).await.status, 200);
    let brief = dingtalk.call("scene.get_brief", json!({"openConversationId": id})).await.json();
    assert_eq!(brief["ownerUserId"], "");
}
