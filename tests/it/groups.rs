//! Creating, reading and changing internal and standard groups, and what that costs at DingTalk.

use dinggate::pb::group as pb;
use prost_types::FieldMask;
use serde_json::json;
use tonic::Code;

use crate::support::{Gateway, fields, metadata, new_group, reason, union, user};

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

/// A request to change a group: its handle, the new values, the mask.
fn update(group: &pb::Group, values: pb::Group, paths: &[&str]) -> pb::UpdateGroupRequest {
    let group = pb::Group { r#ref: group.r#ref.clone(), ..values };
    pb::UpdateGroupRequest { group: Some(group), update_mask: mask(paths), ..Default::default() }
}

fn read(group: &pb::Group) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: group.r#ref.clone(), ..Default::default() }
}

/// The six settings that internal and standard groups have, none at DingTalk's default.
fn all_settings() -> pb::GroupSettings {
    pb::GroupSettings {
        mention_all: pb::Audience::Managers.into(),
        manage: pb::Audience::Managers.into(),
        history_for_new_members: pb::Toggle::Enabled.into(),
        join_approval: pb::Toggle::Enabled.into(),
        searchable: pb::Toggle::Enabled.into(),
        mute_all: pb::Toggle::Enabled.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_group_is_created_with_everything_that_was_asked_for() {
    let gateway = Gateway::start().await;
    let request = pb::CreateGroupRequest {
        icon_media_id: "@icon".to_owned(),
        settings: Some(all_settings()),
        members: vec![user("user001"), union("union-ext001")],
        ..new_group("Order 42")
    };
    let reply = gateway.groups.clone().create_group(request).await.unwrap().into_inner();
    assert!(reply.complete);
    let outcomes: Vec<_> = reply.member_results.iter().map(|result| result.outcome()).collect();
    assert_eq!(outcomes, [pb::MemberOutcome::Applied; 2]);
    let handle = reply.group.as_ref().unwrap().r#ref.clone().unwrap();
    assert!(handle.open_conversation_id.starts_with("cid") && handle.chat_id.starts_with("chat"));
    assert_eq!(handle.kind(), pb::GroupKind::Internal);

    let call = &gateway.simulator.calls()[1];
    assert_eq!(call.operation, "group.create");
    assert_eq!(
        call.body.clone(),
        json!({
            "name": "Order 42", "owner": "manager4220", "ownerType": "emp",
            "useridlist": ["manager4220", "user001"], "extidlist": ["union-ext001"],
            "icon": "@icon", "conversationTag": 2,
            "managementOptions": {
                "mentionAllAuthority": 1, "managementType": 1, "showHistoryType": 1,
                "validationType": 1, "searchable": 1, "chatBannedType": 1
            }
        })
    );

    let group = gateway.groups.clone().get_group(read(&reply.group.unwrap())).await.unwrap().into_inner();
    assert!(group.read_time.is_some() && !group.from_cache);
    let group = group.group.unwrap();
    assert_eq!(group.r#ref.as_ref(), Some(&handle));
    assert_eq!((group.title.as_str(), group.icon_media_id.as_str()), ("Order 42", "@icon"));
    assert_eq!(group.owner, Some(user("manager4220")));
    assert_eq!(group.settings, Some(all_settings()));
    assert_eq!(group.member_count, Some(3));
    assert_eq!(group.state(), pb::GroupState::Active);
    assert_eq!(gateway.simulator.total_requests(), 2, "one create and one read");
}

#[tokio::test]
async fn a_standard_group_is_another_kind() {
    let gateway = Gateway::start().await;
    let kind = Some(pb::create_group_request::Kind::Standard(pb::StandardGroup {}));
    let group = gateway.create(pb::CreateGroupRequest { kind, ..new_group("Standard") }).await;
    assert_eq!(group.r#ref.as_ref().unwrap().kind(), pb::GroupKind::Standard);
    let only_chat_id = pb::GroupRef { chat_id: group.r#ref.unwrap().chat_id, ..Default::default() };
    let request = pb::GetGroupRequest { group: Some(only_chat_id), ..Default::default() };
    let read = gateway.groups.clone().get_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!(read.r#ref.unwrap().kind(), pb::GroupKind::Standard);
}

#[tokio::test]
async fn an_external_owner_is_named_by_union_id() {
    let gateway = Gateway::start().await;
    let request = pb::CreateGroupRequest { owner: Some(union("union-ext002")), ..new_group("External") };
    let group = gateway.create(request).await;
    let read = gateway.groups.clone().get_group(read(&group)).await.unwrap().into_inner().group.unwrap();
    assert_eq!(read.owner, Some(union("union-ext002")));
    assert_eq!(gateway.simulator.calls()[1].body["ownerType"], "ext");
}

#[tokio::test]
async fn title_owner_and_icon_change_in_one_call() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await;
    let values = pb::Group {
        title: "New name".to_owned(),
        owner: Some(user("user001")),
        icon_media_id: "@new".to_owned(),
        ..Default::default()
    };
    let before = gateway.simulator.total_requests();
    let request = update(&group, values, &["title", "owner", "icon_media_id"]);
    let written = gateway.groups.clone().update_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    assert_eq!((written.title.as_str(), written.owner), ("New name", Some(user("user001"))));
    let read = gateway.groups.clone().get_group(read(&group)).await.unwrap().into_inner().group.unwrap();
    assert_eq!((read.title.as_str(), read.icon_media_id.as_str()), ("New name", "@new"));
    assert_eq!(read.owner, Some(user("user001")));
}

#[tokio::test]
async fn changing_one_setting_keeps_the_others_at_the_cost_of_one_read() {
    let gateway = Gateway::start().await;
    let group =
        gateway.create(pb::CreateGroupRequest { settings: Some(all_settings()), ..new_group("S") }).await;
    let change = pb::GroupSettings { searchable: pb::Toggle::Disabled.into(), ..Default::default() };
    let values = pb::Group { settings: Some(change), ..Default::default() };
    let before = gateway.simulator.total_requests();
    let request = update(&group, values, &["settings.searchable"]);
    let written = gateway.groups.clone().update_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!(written.settings, Some(change), "only what was written");
    assert_eq!(gateway.simulator.total_requests() - before, 2, "one read, one write");
    let read = gateway.groups.clone().get_group(read(&group)).await.unwrap().into_inner().group.unwrap();
    let expected = pb::GroupSettings { searchable: pb::Toggle::Disabled.into(), ..all_settings() };
    assert_eq!(read.settings, Some(expected));
}

#[tokio::test]
async fn all_six_settings_need_no_read() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await;
    let values = pb::Group { settings: Some(all_settings()), ..Default::default() };
    let before = gateway.simulator.total_requests();
    gateway.groups.clone().update_group(update(&group, values, &["settings"])).await.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    let read = gateway.groups.clone().get_group(read(&group)).await.unwrap().into_inner().group.unwrap();
    assert_eq!(read.settings, Some(all_settings()));
}

#[tokio::test]
async fn private_chat_is_a_call_of_its_own_with_inverted_polarity() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await;
    let chat_id = group.r#ref.as_ref().unwrap().chat_id.clone();
    for (choice, prohibited) in [(pb::Toggle::Disabled, true), (pb::Toggle::Enabled, false)] {
        let settings = pb::GroupSettings { private_chat: choice.into(), ..Default::default() };
        let values = pb::Group { settings: Some(settings), ..Default::default() };
        let request = update(&group, values, &["settings.private_chat"]);
        gateway.groups.clone().update_group(request).await.unwrap();
        let call = gateway.simulator.calls().pop().unwrap();
        assert_eq!(call.operation, "group.private_chat.set_legacy");
        assert_eq!(call.body, json!({ "chatid": chat_id, "is_prohibit": prohibited }));
    }
}

#[tokio::test]
async fn private_chat_with_another_path_is_refused_before_any_call() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await;
    let settings = pb::GroupSettings { private_chat: pb::Toggle::Enabled.into(), ..Default::default() };
    let values = pb::Group { title: "T".to_owned(), settings: Some(settings), ..Default::default() };
    let before = gateway.simulator.total_requests();
    let request = update(&group, values, &["title", "settings.private_chat"]);
    let status = gateway.groups.clone().update_group(request).await.unwrap_err();
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["update_mask".to_owned()]));
    assert_eq!(gateway.simulator.total_requests(), before);
}

#[tokio::test]
async fn a_plan_writes_nothing() {
    let gateway = Gateway::start().await;
    let request = pb::CreateGroupRequest { validate_only: true, ..new_group("Planned") };
    let plan = gateway.groups.clone().create_group(request).await.unwrap().into_inner();
    assert_eq!(plan.planned_calls, [pb::PlannedCall { operation: "group.create".to_owned(), count: 1 }]);
    assert!(plan.group.is_none() && !plan.complete);
    assert_eq!(gateway.simulator.total_requests(), 0);

    let group = gateway.group().await;
    let settings = pb::GroupSettings { searchable: pb::Toggle::Enabled.into(), ..Default::default() };
    let values = pb::Group { settings: Some(settings), ..Default::default() };
    let request =
        pb::UpdateGroupRequest { validate_only: true, ..update(&group, values, &["settings.searchable"]) };
    let before = gateway.simulator.total_requests();
    let plan = gateway.groups.clone().update_group(request).await.unwrap().into_inner();
    let calls: Vec<_> = plan.planned_calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(calls, ["group.get_legacy", "group.update"]);
    assert_eq!(gateway.simulator.total_requests(), before);
}

#[tokio::test]
async fn a_chat_id_is_resolved_once() {
    let gateway = Gateway::start().await;
    let handle = gateway.group().await.r#ref.unwrap();
    let stranger =
        Gateway::start_before(gateway.simulator.clone(), crate::support::sources(&gateway.simulator.url()))
            .await;
    let given = pb::GroupRef { chat_id: handle.chat_id.clone(), ..Default::default() };
    let request = pb::ResolveGroupRequest { group: Some(given), ..Default::default() };
    for _ in 0..3 {
        let resolved = stranger.groups.clone().resolve_group(request.clone()).await.unwrap().into_inner();
        assert_eq!(resolved.group, Some(handle.clone()), "with its other id and its kind");
    }
    assert_eq!(gateway.simulator.requests("group.chatid.to_open_conversation_id"), 1);
    assert_eq!(gateway.simulator.requests("scene.get_brief"), 1, "not a scenario group");
    assert_eq!(gateway.simulator.requests("group.get_legacy"), 1, "but an internal one");

    // And the other way round it is known from then on, which DingTalk could not have told.
    let given = pb::GroupRef { open_conversation_id: handle.open_conversation_id, ..Default::default() };
    let request = pb::GetGroupRequest { group: Some(given), ..Default::default() };
    let group = stranger.groups.clone().get_group(request).await.unwrap().into_inner().group.unwrap();
    assert_eq!(group.r#ref.unwrap().chat_id, handle.chat_id);
}

#[tokio::test]
async fn an_open_conversation_id_alone_does_not_lead_to_an_internal_group() {
    let gateway = Gateway::start().await;
    let given = pb::GroupRef {
        open_conversation_id: "cidUnknown==".to_owned(),
        kind: pb::GroupKind::Internal.into(),
        ..Default::default()
    };
    let request = pb::ResolveGroupRequest { group: Some(given.clone()), ..Default::default() };
    let resolved = gateway.groups.clone().resolve_group(request).await.unwrap().into_inner();
    assert_eq!(resolved.group, Some(given.clone()), "there is no more to know");
    let request = pb::GetGroupRequest { group: Some(given), ..Default::default() };
    let status = gateway.groups.clone().get_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "CHAT_ID_UNKNOWN"));
    assert_eq!(gateway.simulator.total_requests(), 0);
}

#[tokio::test]
async fn a_join_link_is_asked_for_by_the_id_there_is() {
    let gateway = Gateway::start().await;
    let handle = gateway.group().await.r#ref.unwrap();
    let inviter = Some(user("user001"));
    let request = pb::GetJoinLinkRequest {
        group: Some(handle.clone()),
        inviter: inviter.clone(),
        ..Default::default()
    };
    let url = gateway.groups.clone().get_join_link(request).await.unwrap().into_inner().url;
    assert!(url.starts_with("https://"), "{url}");
    let body = gateway.simulator.calls().pop().unwrap().body;
    assert_eq!(body, json!({ "chatid": handle.chat_id, "userid": "user001" }));

    let stranger =
        Gateway::start_before(gateway.simulator.clone(), crate::support::sources(&gateway.simulator.url()))
            .await;
    let given =
        pb::GroupRef { open_conversation_id: handle.open_conversation_id.clone(), ..Default::default() };
    let request = pb::GetJoinLinkRequest { group: Some(given), inviter, ..Default::default() };
    stranger.groups.clone().get_join_link(request).await.unwrap();
    let body = gateway.simulator.calls().pop().unwrap().body;
    assert_eq!(body, json!({ "openConversationId": handle.open_conversation_id, "userid": "user001" }));
}

#[tokio::test]
async fn a_disbanded_group_can_be_read_and_not_changed() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await;
    gateway.simulator.disband(&group.r#ref.as_ref().unwrap().chat_id);
    let read = gateway.groups.clone().get_group(read(&group)).await.unwrap().into_inner().group.unwrap();
    assert_eq!(read.state(), pb::GroupState::Disbanded);

    let title = pb::Group { title: "T".to_owned(), ..Default::default() };
    let settings = pb::GroupSettings { searchable: pb::Toggle::Enabled.into(), ..Default::default() };
    let settings = pb::Group { settings: Some(settings), ..Default::default() };
    for (values, path) in [(title, "title"), (settings, "settings.searchable")] {
        let status = gateway.groups.clone().update_group(update(&group, values, &[path])).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "GROUP_DISBANDED"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_dingtalk_refuses_is_told_with_its_code_and_request_id() {
    let gateway = Gateway::start().await;
    let given = pb::GroupRef { chat_id: "chatnowhere".to_owned(), ..Default::default() };
    let request = pb::GetGroupRequest { group: Some(given), ..Default::default() };
    let status = gateway.groups.clone().get_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "GROUP_NOT_FOUND"));
    assert_eq!(metadata(&status, "app"), "demo");
    assert_eq!(metadata(&status, "operation"), "group.get_legacy");
    assert_eq!(metadata(&status, "upstream_code"), "34001");

    let request = pb::CreateGroupRequest { owner: Some(user("hidden001")), ..new_group("Hidden") };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "OWNER_OUT_OF_SCOPE"));
    assert!(!metadata(&status, "upstream_request_id").is_empty());

    let request = pb::CreateGroupRequest { members: vec![user("nobody")], ..new_group("Nobody") };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MEMBER_NOT_FOUND"));

    gateway.simulator.revoke_permission("dingdemo", "qyapi_chat_manage");
    let status = gateway.groups.clone().create_group(new_group("Denied")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "APP_PERMISSION_MISSING")
    );
    assert_eq!(metadata(&status, "permission"), "qyapi_chat_manage");
}

#[tokio::test]
async fn trailing_metadata_tells_what_a_call_cost() {
    let gateway = Gateway::start().await;
    let reply = gateway.groups.clone().create_group(new_group("Cost")).await.unwrap();
    let calls = |metadata: &tonic::metadata::MetadataMap| {
        metadata.get("x-dinggate-upstream-calls").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(calls(reply.metadata()).as_deref(), Some("1"));
    assert!(reply.metadata().contains_key("x-dinggate-upstream-request-id"));

    let status = gateway.groups.clone().create_group(new_group("")).await.unwrap_err();
    assert_eq!(calls(status.metadata()).as_deref(), Some("0"));
    let given = pb::GroupRef { chat_id: "chatnowhere".to_owned(), ..Default::default() };
    let request = pb::GetGroupRequest { group: Some(given), ..Default::default() };
    let status = gateway.groups.clone().get_group(request).await.unwrap_err();
    assert_eq!(calls(status.metadata()).as_deref(), Some("1"));
}

#[tokio::test]
async fn errors_name_what_they_are_about() {
    use tonic_types::StatusExt;
    let gateway = Gateway::start().await;
    let request = pb::CreateGroupRequest { owner: Some(user("hidden001")), ..new_group("Hidden") };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!(status.get_details_resource_info().unwrap().resource_name, "hidden001");

    let request = pb::CreateGroupRequest { members: vec![user("nobody")], ..new_group("Nobody") };
    let status = gateway.groups.clone().create_group(request).await.unwrap_err();
    assert_eq!(fields(&status), ["members"]);

    let given = pb::GroupRef { chat_id: "chatnowhere".to_owned(), ..Default::default() };
    let request = pb::GetGroupRequest { group: Some(given), ..Default::default() };
    let status = gateway.groups.clone().get_group(request).await.unwrap_err();
    assert_eq!(status.get_details_resource_info().unwrap().resource_name, "chatnowhere");
}
