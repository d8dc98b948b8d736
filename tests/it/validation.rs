//! Bad input: a documented reason for each, all faults at once, and nothing that reaches DingTalk.

use dinggate::pb::group as pb;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::support::{Gateway, fields, new_group, reason, user};

/// Sends the request, which must be refused without any upstream call; returns the fields that are named.
async fn refused(gateway: &Gateway, request: pb::CreateGroupRequest) -> Vec<String> {
    let status = gateway.groups.clone().create_group(request).await.expect_err("refused");
    invalid(gateway, &status)
}

fn invalid(gateway: &Gateway, status: &Status) -> Vec<String> {
    assert_eq!(
        (status.code(), reason(status).as_str()),
        (Code::InvalidArgument, "FIELD_INVALID"),
        "{status:?}"
    );
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
    fields(status)
}

#[tokio::test]
async fn a_name_has_1_to_20_characters_whatever_their_bytes() {
    let gateway = Gateway::start().await;
    for title in ["", "123456789012345678901", "群名称群名称群名称群名称群名称群名称群名称", &"🚀".repeat(21)]
    {
        assert_eq!(refused(&gateway, new_group(title)).await, ["title"], "{title}");
    }
    for title in ["x", "12345678901234567890", "群名称群名称群名称群名称群名称群名称群名", &"🚀".repeat(20)]
    {
        let group = gateway.create(new_group(title)).await;
        assert_eq!(gateway.simulator.group(&group.r#ref.unwrap().chat_id).expect("created").name, title);
    }
}

#[tokio::test]
async fn a_group_is_created_with_at_most_1000_people() {
    let gateway = Gateway::start().await;
    let people = |count: usize| (1..=count).map(|i| user(&format!("person{i:04}"))).collect::<Vec<_>>();
    let with = |count| pb::CreateGroupRequest { members: people(count), ..new_group("Many") };
    assert_eq!(refused(&gateway, with(1001)).await, ["members"]);
    assert_eq!(refused(&gateway, with(1000)).await, ["members"], "the owner is the 1001st");
}

#[tokio::test]
async fn every_fault_of_a_request_is_told_at_once() {
    let gateway = Gateway::start().await;
    let request = pb::CreateGroupRequest {
        app: "nobody".to_owned(),
        title: "a title of thirty-one characters".to_owned(),
        owner: None,
        members: vec![user("user001"), user("user001"), user("has space"), pb::MemberRef { id: None }],
        icon_media_id: "\n".to_owned(),
        settings: Some(pb::GroupSettings {
            send_ding: pb::Audience::Managers.into(),
            private_chat: pb::Toggle::Enabled.into(),
            mute_all: 77,
            ..Default::default()
        }),
        request_id: "not-a-uuid".to_owned(),
        ..new_group("")
    };
    let mut named = refused(&gateway, request).await;
    named.sort();
    assert_eq!(
        named,
        [
            "app",
            "icon_media_id",
            "members[1]",
            "members[2].user_id",
            "members[3].id",
            "owner",
            "request_id",
            "settings.mute_all",
            "settings.private_chat",
            "settings.send_ding",
            "title",
        ]
    );
}

#[tokio::test]
async fn nothing_at_all_is_told_as_what_is_missing() {
    let gateway = Gateway::start().await;
    assert_eq!(refused(&gateway, pb::CreateGroupRequest::default()).await, ["title", "owner", "kind"]);
    let status = gateway.groups.clone().get_group(pb::GetGroupRequest::default()).await.unwrap_err();
    assert_eq!(invalid(&gateway, &status), ["group"]);
    let status = gateway.groups.clone().update_group(pb::UpdateGroupRequest::default()).await.unwrap_err();
    assert_eq!(invalid(&gateway, &status), ["group", "update_mask"]);
    let status = gateway.groups.clone().resolve_group(pb::ResolveGroupRequest::default()).await.unwrap_err();
    assert_eq!(invalid(&gateway, &status), ["group"]);
}

#[tokio::test]
async fn a_mebibyte_of_members_is_refused_in_a_small_answer() {
    let gateway = Gateway::start().await;
    let members: Vec<_> = (0..70_000).map(|i| user(&format!("user {i:06}"))).collect();
    let request = pb::CreateGroupRequest { members, ..new_group("Huge") };
    assert!(prost::Message::encoded_len(&request) > 1 << 20);
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert!(invalid(&gateway, &status).contains(&"members".to_owned()));
    assert!(status.details().len() < 8 << 10, "{} bytes of details", status.details().len());
}

#[tokio::test]
async fn an_app_is_named_where_there_are_several() {
    let second = |sources: dinggate::config::Sources| {
        sources.with("apps.other.app_key", "dingother").with("apps.other.app_secret", "other")
    };
    let gateway = Gateway::start_with(second).await;
    assert_eq!(refused(&gateway, new_group("Whose?")).await, ["app"]);
    assert_eq!(
        refused(&gateway, pb::CreateGroupRequest { app: "demos".to_owned(), ..new_group("T") }).await,
        ["app"]
    );
    gateway.create(pb::CreateGroupRequest { app: "demo".to_owned(), ..new_group("Mine") }).await;
}

fn ask(group: pb::GroupRef) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: Some(group), ..Default::default() }
}

#[tokio::test]
async fn a_handle_must_name_a_group_without_white_space() {
    let gateway = Gateway::start().await;
    let spaced = pb::GroupRef {
        open_conversation_id: "cid a==".to_owned(),
        chat_id: "chat\u{3000}".to_owned(),
        kind: 0,
    };
    let status = gateway.groups.clone().get_group(ask(spaced)).await.unwrap_err();
    assert_eq!(invalid(&gateway, &status), ["group.open_conversation_id", "group.chat_id"]);
    let status = gateway.groups.clone().get_group(ask(pb::GroupRef::default())).await.unwrap_err();
    assert_eq!(invalid(&gateway, &status), ["group"]);
    let unknown_kind = pb::GroupRef { chat_id: "chat1".to_owned(), kind: 9, ..Default::default() };
    let status = gateway.groups.clone().get_group(ask(unknown_kind)).await.unwrap_err();
    assert_eq!(invalid(&gateway, &status), ["group.kind"]);
}

#[tokio::test]
async fn two_ids_of_different_groups_are_a_contradiction() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.group().await.r#ref.unwrap(), gateway.group().await.r#ref.unwrap());
    let before = gateway.simulator.total_requests();
    let mixed = pb::GroupRef { open_conversation_id: other.open_conversation_id, ..one.clone() };
    let status = gateway.groups.clone().get_group(ask(mixed)).await.unwrap_err();
    assert_eq!(
        (reason(&status).as_str(), fields(&status)),
        ("FIELD_INVALID", vec!["group.chat_id".to_owned()])
    );
    let wrong_kind = pb::GroupRef { kind: pb::GroupKind::Standard.into(), ..one };
    let status = gateway.groups.clone().get_group(ask(wrong_kind)).await.unwrap_err();
    assert_eq!((reason(&status).as_str(), fields(&status)), ("FIELD_INVALID", vec!["group.kind".to_owned()]));
    assert_eq!(gateway.simulator.total_requests(), before);
}

#[tokio::test]
async fn an_update_mask_names_known_paths_with_values() {
    let gateway = Gateway::start().await;
    let handle = pb::GroupRef {
        chat_id: "chat1".to_owned(),
        kind: pb::GroupKind::Internal.into(),
        ..Default::default()
    };
    let group = pb::Group {
        r#ref: Some(handle),
        title: "x".repeat(21),
        settings: Some(pb::GroupSettings { send_ding: pb::Audience::Managers.into(), ..Default::default() }),
        ..Default::default()
    };
    let paths = [
        "title",
        "owner",
        "icon_media_id",
        "settings.send_ding",
        "settings.manage",
        "nonsense",
        "ref",
        "title",
    ];
    let request = pb::UpdateGroupRequest {
        group: Some(group),
        update_mask: Some(FieldMask { paths: paths.map(ToOwned::to_owned).to_vec() }),
        ..Default::default()
    };
    let status = gateway.groups.clone().update_group(request).await.unwrap_err();
    let mut named = invalid(&gateway, &status);
    named.sort();
    assert_eq!(
        named,
        [
            "group.icon_media_id",
            "group.owner",
            "group.settings.manage",
            "group.settings.send_ding",
            "group.title",
            "update_mask.paths[5]",
            "update_mask.paths[6]",
            "update_mask.paths[7]",
        ]
    );
}

#[tokio::test]
async fn a_join_link_needs_an_inviter_with_a_user_id() {
    let gateway = Gateway::start().await;
    let group = Some(pb::GroupRef { chat_id: "chat1".to_owned(), ..Default::default() });
    for inviter in [None, Some(crate::support::union("union-ext001"))] {
        let request = pb::GetJoinLinkRequest { group: group.clone(), inviter, ..Default::default() };
        let status = gateway.groups.clone().get_join_link(request).await.unwrap_err();
        assert_eq!(invalid(&gateway, &status), ["inviter"]);
    }
}
