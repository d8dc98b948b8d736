//! Messages of the group assistant and their readers.

use std::collections::BTreeMap;

use dinggate::pb::group::{
    self as pb, assistant_service_client::AssistantServiceClient, send_assistant_message_request::Content,
};
use dinggate_simulator::Fault;
use serde_json::{Value, json};
use tonic::{Code, transport::Channel};

use crate::support::{Gateway, fields, metadata, reason, union, user};

fn assistant(gateway: &Gateway) -> AssistantServiceClient<Channel> {
    AssistantServiceClient::new(gateway.channel.clone())
}

fn text(group: &Option<pb::GroupRef>, text: &str) -> pb::SendAssistantMessageRequest {
    pb::SendAssistantMessageRequest {
        group: group.clone(),
        robot_code: "robot-demo".to_owned(),
        content: Some(Content::Text(pb::TextContent { text: text.to_owned() })),
        ..Default::default()
    }
}

async fn send(gateway: &Gateway, request: pb::SendAssistantMessageRequest) -> String {
    assistant(gateway).send_assistant_message(request).await.unwrap().into_inner().open_message_id
}

#[tokio::test]
async fn people_are_addressed_by_every_kind_of_id() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let members = vec![user("user001"), union("union-ext001"), user("user002")];
    let mobiles = ["13800000000", "13900000000"].map(ToOwned::to_owned).to_vec();
    let request = pb::SendAssistantMessageRequest {
        audience: Some(pb::MessageAudience { members: members.clone(), mobiles: mobiles.clone() }),
        mentions: Some(pb::Mentions { members, mobiles, all: true }),
        ..text(&group, "hello")
    };
    let plan = pb::SendAssistantMessageRequest { validate_only: true, ..request.clone() };
    let plan = assistant(&gateway).send_assistant_message(plan).await.unwrap().into_inner();
    assert_eq!(plan.open_message_id, "");
    let one = pb::PlannedCall { operation: "assistant.message.send_legacy".to_owned(), count: 1 };
    assert_eq!(plan.planned_calls, [one]);

    let before = gateway.simulator.total_requests();
    let id = send(&gateway, request).await;
    assert!(!id.is_empty());
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    let body = gateway.simulator.calls().pop().unwrap().body;
    let expected = json!({
        "target_open_conversation_id": group.unwrap().open_conversation_id,
        "robot_code": "robot-demo",
        "msg_template_id": "inner_app_template_text",
        "msg_param_map": {"content": "hello"},
        "is_at_all": true,
        "at_users": "user001,user002",
        "at_union_ids": "union-ext001",
        "at_mobiles": "13800000000,13900000000",
        "receiver_user_ids": "user001,user002",
        "receiver_union_ids": "union-ext001",
        "receiver_mobiles": "13800000000,13900000000",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn every_kind_of_content_has_its_message_template() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let button =
        |n: u8| pb::CardButton { title: format!("Button {n}"), url: format!("https://example.com/{n}") };
    let (title, said) = ("Incident".to_owned(), "**42**".to_owned());
    let markdown = pb::MarkdownContent { title: title.clone(), text: said.clone() };
    let card = pb::ActionCardContent {
        title,
        text: said,
        buttons: vec![button(1), button(2)],
        button_layout: pb::ButtonLayout::Horizontal.into(),
    };
    let stacked = pb::ActionCardContent { button_layout: pb::ButtonLayout::Vertical.into(), ..card.clone() };
    let plain = pb::ActionCardContent { buttons: vec![button(1)], button_layout: 0, ..card.clone() };
    let own = pb::TemplateContent {
        template_id: "inner_app_template_text".to_owned(),
        params: BTreeMap::from([("content".to_owned(), "own".to_owned())]),
        media_ids: BTreeMap::from([("picture".to_owned(), "@own".to_owned())]),
    };
    let shown = |orientation: &str| {
        json!({
            "title": "Incident", "markdown": "**42**", "btn_orientation": orientation,
            "btn_title_1": "Button 1", "action_url_1": "https://example.com/1",
            "btn_title_2": "Button 2", "action_url_2": "https://example.com/2",
        })
    };
    let one = json!({
        "title": "Incident", "markdown": "**42**",
        "btn_title_1": "Button 1", "action_url_1": "https://example.com/1",
    });
    let photo = pb::PhotoContent { media_id: "@photo".to_owned() };
    let written = json!({"title": "Incident", "markdown_content": "**42**"});
    let cases: [(Content, &str, Value, Value); 6] = [
        (Content::Markdown(markdown), "markdown", written, Value::Null),
        (Content::Photo(photo), "photo", Value::Null, json!({"img_media_id": "@photo"})),
        (Content::ActionCard(card), "action_card", shown("2"), Value::Null),
        (Content::ActionCard(stacked), "action_card", shown("1"), Value::Null),
        (Content::ActionCard(plain), "action_card", one, Value::Null),
        (Content::Template(own), "text", json!({"content": "own"}), json!({"picture": "@own"})),
    ];
    for (content, template, params, media) in cases {
        let request = pb::SendAssistantMessageRequest { content: Some(content), ..text(&group, "") };
        send(&gateway, request).await;
        let body = gateway.simulator.calls().pop().unwrap().body;
        assert_eq!(body["msg_template_id"], format!("inner_app_template_{template}"));
        assert_eq!(
            (&body["msg_param_map"], &body["msg_media_id_param_map"]),
            (&params, &media),
            "{template}"
        );
    }
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_never_sent_again() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let request_id = "8e0e7a52-9a53-4b63-8f5c-0d3d0f5a2a13".to_owned();
    let request = pb::SendAssistantMessageRequest { request_id, ..text(&group, "once") };
    gateway.simulator.fail_next("assistant.message.send_legacy", 1, Fault::DropAfter);
    for _ in 0..3 {
        let status = assistant(&gateway).send_assistant_message(request.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unknown, "OUTCOME_UNKNOWN"));
    }
    assert_eq!(gateway.simulator.requests("assistant.message.send_legacy"), 1);

    let request_id = "9e0e7a52-9a53-4b63-8f5c-0d3d0f5a2a14".to_owned();
    let request = pb::SendAssistantMessageRequest { request_id, ..request };
    let first = send(&gateway, request.clone()).await;
    assert_eq!(send(&gateway, request).await, first);
    assert_eq!(gateway.simulator.requests("assistant.message.send_legacy"), 2);
}

#[tokio::test]
async fn bad_messages_name_every_fault_and_reach_nobody() {
    let gateway = Gateway::start().await;
    let members = vec![user("user001"), user("a,b"), union("c,d")];
    let request = pb::SendAssistantMessageRequest {
        group: None,
        robot_code: String::new(),
        audience: Some(pb::MessageAudience { members, mobiles: vec!["1,2".to_owned()] }),
        mentions: Some(pb::Mentions {
            members: vec![user("e,f")],
            mobiles: vec!["3,4".to_owned()],
            all: false,
        }),
        ..text(&None, "")
    };
    let status = assistant(&gateway).send_assistant_message(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let mut named = fields(&status);
    named.sort();
    let expected = [
        "audience.members[1].user_id",
        "audience.members[2].union_id",
        "audience.mobiles[0]",
        "group",
        "mentions.members[0].user_id",
        "mentions.mobiles[0]",
        "robot_code",
        "text.text",
    ];
    assert_eq!(named, expected);
    let request = pb::ListMessageReadersRequest { page_size: -1, ..Default::default() };
    let status = assistant(&gateway).list_message_readers(request).await.unwrap_err();
    let mut named = fields(&status);
    named.sort();
    assert_eq!(named, ["group", "open_message_id", "page_size", "robot_code"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn only_scenario_groups_have_an_assistant() {
    let gateway = Gateway::start().await;
    let internal = gateway.group().await.r#ref;
    let before = gateway.simulator.total_requests();
    let status = assistant(&gateway).send_assistant_message(text(&internal, "hello")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "KIND_UNSUPPORTED"));
    assert_eq!(metadata(&status, "kind"), "INTERNAL");
    assert_eq!(gateway.simulator.total_requests(), before);
}

#[tokio::test]
async fn readers_come_in_pages() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let open_message_id = send(&gateway, text(&group, "read me")).await;
    gateway.simulator.mark_read(&open_message_id, &["user001", "user002", "manager4220"]);
    let request = pb::ListMessageReadersRequest {
        group: group.clone(),
        robot_code: "robot-demo".to_owned(),
        open_message_id: open_message_id.clone(),
        page_size: 2,
        ..Default::default()
    };
    let before = gateway.simulator.total_requests();
    let first = assistant(&gateway).list_message_readers(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.readers, [user("user001"), user("user002")]);
    assert_eq!(first.state(), pb::MessageState::Sent);
    assert!(first.read_time.is_some());
    let next = pb::ListMessageReadersRequest { page_token: first.next_page_token, ..request.clone() };
    let last = assistant(&gateway).list_message_readers(next).await.unwrap().into_inner();
    assert_eq!((last.readers, last.next_page_token.as_str()), (vec![user("manager4220")], ""));
    assert_eq!(gateway.simulator.total_requests() - before, 2);
    // The log tells no tokens; that it is the right one, the second page has shown.
    let body = gateway.simulator.calls().pop().unwrap().body;
    let expected = json!({
        "openConversationId": group.unwrap().open_conversation_id,
        "robotCode": "robot-demo",
        "processQueryKey": open_message_id,
        "maxResults": 2,
        "nextToken": "[redacted]",
    });
    assert_eq!(body, expected);

    let all = pb::ListMessageReadersRequest { page_size: 500, ..request.clone() };
    assistant(&gateway).list_message_readers(all).await.unwrap();
    assert_eq!(gateway.simulator.calls().pop().unwrap().body["maxResults"], 200);
    let foreign = pb::ListMessageReadersRequest { page_token: "made-up".to_owned(), ..request.clone() };
    let status = assistant(&gateway).list_message_readers(foreign).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let unknown = pb::ListMessageReadersRequest { open_message_id: "msg-nowhere".to_owned(), ..request };
    let status = assistant(&gateway).list_message_readers(unknown).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "RESOURCE_NOT_FOUND"));
}
