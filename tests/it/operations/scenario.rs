//! Scenario groups.

use dinggate::operation::{
    role::Role,
    scene::{
        AddMembers, AddMembersLegacy, CreateGroup, CreateGroupLegacy, DeleteGroup, GetGroup, GetGroupBrief,
        GetMuteStatus, GetTemplateRobot, ListMembers, ManagementOptions, MuteMembers, RemoveMembers,
        RemoveMembersLegacy, SetAdmins, SetMemberNickname, UpdateGroup, UpdateGroupLegacy,
    },
};
use serde_json::json;

use super::{icon, open_id, pinned, sent, unions, users};

/// All seventeen.
fn options() -> ManagementOptions {
    ManagementOptions {
        mention_all_authority: Some(1),
        management_type: Some(1),
        show_history_type: Some(1),
        validation_type: Some(1),
        searchable: Some(1),
        chat_banned_type: Some(1),
        add_friend_forbidden: Some(1),
        only_admin_can_add_mem: Some(1),
        only_admin_can_ding: Some(1),
        only_admin_can_set_msg_top: Some(1),
        all_members_can_create_mcs_conf: Some(1),
        group_live_switch: Some(1),
        all_members_can_create_calendar: Some(1),
        group_email_disabled: Some(1),
        members_to_admin_chat: Some(1),
        not_quit_when_emp_leave: Some(1),
        plugin_customize_verify: Some(1),
    }
}

/// Those that the older update takes.
fn legacy_options() -> ManagementOptions {
    ManagementOptions { only_admin_can_add_mem: None, not_quit_when_emp_leave: None, ..options() }
}

pub async fn pin_all() -> Vec<&'static str> {
    let (open_conversation_id, icon) = (&open_id(), &icon());
    let (user_ids, union_ids) = (&users(&["user001", "user002"]), &unions(&["union-ext001"]));
    let user_id = &user_ids[0];
    let create = CreateGroup {
        title: "事故 42",
        template_id: "tpl-1",
        owner_user_id: &users(&["manager4220"])[0],
        admin_ids: &user_ids[..1],
        user_ids,
        icon: Some(icon),
        uuid: "req-1",
        management_options: Some(ManagementOptions { plugin_customize_verify: None, ..options() }),
    };
    let update = UpdateGroup {
        open_conversation_id,
        title: Some("新名"),
        icon: Some(icon),
        owner_user_id: Some(user_id),
        owner_union_id: Some(&union_ids[0]),
        management_options: Some(options()),
    };
    let mute = MuteMembers {
        open_conversation_id,
        mute_status: 1,
        mute_duration: 3_600_000,
        user_id_list: &user_ids[..1],
        union_ids,
    };
    let admins = SetAdmins { open_conversation_id, role: Role::Admin, user_ids: &user_ids[..1], union_ids };
    vec![
        pinned(create).await,
        pinned(update).await,
        pinned(GetGroup { open_conversation_id }).await,
        pinned(GetGroupBrief { open_conversation_id }).await,
        pinned(DeleteGroup { open_conversation_id }).await,
        pinned(ListMembers { open_conversation_id, max_results: 1000, next_token: Some("page-2") }).await,
        pinned(AddMembers { open_conversation_id, user_ids, union_ids }).await,
        pinned(RemoveMembers { open_conversation_id, user_ids, union_ids }).await,
        pinned(SetMemberNickname { open_conversation_id, user_id, group_nick: "值班" }).await,
        pinned(admins).await,
        pinned(mute).await,
        pinned(GetMuteStatus { open_conversation_id, user_id }).await,
        pinned(GetTemplateRobot { open_conversation_id, robot_code: "robot+1" }).await,
    ]
}

pub async fn pin_all_legacy() -> Vec<&'static str> {
    let (open_conversation_id, icon) = (&open_id(), &icon());
    let user_ids = &users(&["user001", "user002"]);
    let create = CreateGroupLegacy {
        title: "事故 42",
        template_id: "tpl-1",
        owner_user_id: &users(&["manager4220"])[0],
        admin_ids: user_ids,
        user_ids,
        icon: Some(icon),
        uuid: "req-1",
        management_options: ManagementOptions { plugin_customize_verify: None, ..legacy_options() },
    };
    let update = UpdateGroupLegacy {
        open_conversation_id,
        title: Some("新名"),
        icon: Some(icon),
        owner_user_id: Some(&user_ids[0]),
        management_options: legacy_options(),
    };
    vec![
        pinned(create).await,
        pinned(update).await,
        pinned(AddMembersLegacy { open_conversation_id, user_ids }).await,
        pinned(RemoveMembersLegacy { open_conversation_id, user_ids }).await,
    ]
}

#[tokio::test]
async fn what_is_not_stated_is_not_sent() {
    let (open_conversation_id, owner) = (&open_id(), &users(&["user001"])[0]);
    let create = CreateGroupLegacy {
        title: "t",
        template_id: "tpl-1",
        owner_user_id: owner,
        admin_ids: &[],
        user_ids: &[],
        icon: None,
        uuid: "u",
        management_options: ManagementOptions::default(),
    };
    assert_eq!(
        sent(create).await.body.unwrap(),
        json!({ "title": "t", "template_id": "tpl-1", "owner_user_id": "user001", "uuid": "u" })
    );
    let add = AddMembers { open_conversation_id, user_ids: &[], union_ids: &unions(&["union-ext001"]) };
    assert_eq!(
        sent(add).await.body.unwrap(),
        json!({ "open_conversation_id": "cidA/b+c==", "union_ids": ["union-ext001"] })
    );
    let mute = MuteMembers {
        open_conversation_id,
        mute_status: 0,
        mute_duration: 0,
        user_id_list: &[],
        union_ids: &unions(&["union-ext001"]),
    };
    assert_eq!(
        sent(mute).await.body.unwrap(),
        json!({ "openConversationId": "cidA/b+c==", "muteStatus": 0, "muteDuration": 0, "userIdList": [],
            "unionIds": ["union-ext001"] })
    );
}
