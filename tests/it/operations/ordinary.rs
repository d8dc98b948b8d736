//! Internal and standard groups.

use dinggate::operation::{
    group::{
        CreateGroup, CreateGroupLegacy, GetGroup, GetJoinLink, ManagementOptions, OwnerType, ResolveGroup,
        SetAdmins, SetAdminsLegacy, SetMemberNickname, SetPrivateChat, TAG_INTERNAL, UpdateGroup,
        UpdateGroupLegacy,
    },
    id::ChatId,
    role::Role,
};
use serde_json::json;

use super::{icon, open_id, pinned, sent, unions, users};

fn options() -> ManagementOptions {
    ManagementOptions {
        mention_all_authority: Some(1),
        management_type: Some(1),
        show_history_type: Some(1),
        validation_type: Some(1),
        searchable: Some(1),
        chat_banned_type: Some(1),
    }
}

pub async fn pin_all() -> Vec<&'static str> {
    let (chatid, odd_chatid) = (&ChatId("chat0001".to_owned()), &ChatId("chat+/=1".to_owned()));
    let (open_id, icon, two) = (&open_id(), &icon(), &users(&["user001", "user002"]));
    let create = CreateGroup {
        name: "测试群",
        owner: "manager4220",
        owner_type: OwnerType::Emp,
        user_ids: &users(&["manager4220", "user001"]),
        union_ids: &unions(&["union-ext001"]),
        icon: Some(icon),
        conversation_tag: TAG_INTERNAL,
        management_options: Some(options()),
    };
    let create_legacy = CreateGroupLegacy {
        name: create.name,
        owner: create.owner,
        owner_type: create.owner_type,
        user_ids: create.user_ids,
        union_ids: create.union_ids,
        icon: create.icon,
        conversation_tag: create.conversation_tag,
        management_options: options(),
    };
    let update = UpdateGroup {
        chatid,
        name: Some("新名"),
        owner: Some("union-ext001"),
        owner_type: Some(OwnerType::Ext),
        icon: Some(icon),
        management_options: Some(options()),
        add_user_ids: &users(&["user001"]),
        add_union_ids: &unions(&["union-ext002"]),
        del_user_ids: &users(&["user003"]),
        del_union_ids: &unions(&["union-ext003"]),
    };
    let update_legacy = UpdateGroupLegacy {
        chatid,
        name: update.name,
        owner: update.owner,
        owner_type: update.owner_type,
        icon: update.icon,
        management_options: options(),
        add_user_ids: update.add_user_ids,
        add_union_ids: update.add_union_ids,
        del_user_ids: update.del_user_ids,
        del_union_ids: update.del_union_ids,
    };
    let link = GetJoinLink {
        chatid: Some(chatid),
        open_conversation_id: Some(open_id),
        userid: &users(&["user001"])[0],
    };
    let nickname = SetMemberNickname { chatid, userid: &two[0], group_nick: "值班" };
    vec![
        pinned(create).await,
        pinned(create_legacy).await,
        pinned(update).await,
        pinned(update_legacy).await,
        pinned(GetGroup { chatid: odd_chatid }).await,
        pinned(SetPrivateChat { chatid, is_prohibit: true }).await,
        pinned(link).await,
        pinned(ResolveGroup { chat_id: odd_chatid }).await,
        pinned(nickname).await,
        pinned(SetAdmins { open_conversation_id: open_id, role: Role::Admin, user_ids: two }).await,
        pinned(SetAdminsLegacy { chatid, role: Role::Member, user_ids: two }).await,
    ]
}

#[tokio::test]
async fn what_is_not_stated_is_not_sent() {
    let chatid = &ChatId("chat0001".to_owned());
    let one = ManagementOptions { searchable: Some(0), ..Default::default() };
    let request =
        UpdateGroup { name: Some("n"), management_options: Some(one.clone()), ..UpdateGroup::of(chatid) };
    assert_eq!(
        sent(request).await.body.unwrap(),
        json!({ "chatid": "chat0001", "name": "n", "managementOptions": { "searchable": 0 } })
    );
    let request =
        UpdateGroupLegacy { name: Some("n"), management_options: one, ..UpdateGroupLegacy::of(chatid) };
    assert_eq!(
        sent(request).await.body.unwrap(),
        json!({ "chatid": "chat0001", "name": "n", "searchable": 0 })
    );
}
