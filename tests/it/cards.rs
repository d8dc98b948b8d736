//! Pinned cards.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use dinggate::pb::group::{
    self as pb, pin_card_request, pinned_card_service_client::PinnedCardServiceClient, unpin_card_request,
};
use dinggate_simulator::Fault;
use prost_types::Timestamp;
use serde_json::json;
use tonic::{Code, transport::Channel};

use crate::support::{Gateway, fields, reason, union, user};

fn cards(gateway: &Gateway) -> PinnedCardServiceClient<Channel> {
    PinnedCardServiceClient::new(gateway.channel.clone())
}

fn values(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

fn card(group: &Option<pb::GroupRef>, id: &str) -> pb::PinCardRequest {
    pb::PinCardRequest {
        group: group.clone(),
        card_template_id: "card-tpl".to_owned(),
        out_track_id: id.to_owned(),
        params: values("title", "事故"),
        origin: Some(pin_card_request::Origin::TemplateId("tpl-demo".to_owned())),
        ..Default::default()
    }
}

fn unpin(group: &Option<pb::GroupRef>, id: &str) -> pb::UnpinCardRequest {
    pb::UnpinCardRequest {
        group: group.clone(),
        out_track_id: id.to_owned(),
        origin: Some(unpin_card_request::Origin::TemplateId("tpl-demo".to_owned())),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_card_arrives_with_every_field_and_goes_again() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let expire =
        SystemTime::UNIX_EPOCH + Duration::from_millis(4_102_444_800_123) + Duration::from_nanos(999);
    let own = |member, value| pb::MemberParams { member: Some(member), params: values("mine", value) };
    let request = pb::PinCardRequest {
        member_params: vec![own(user("user001"), "1"), own(union("union-ext001"), "2")],
        audience: vec![user("user001"), union("union-ext001"), user("user002")],
        platforms: vec![pb::Platform::Windows.into(), pb::Platform::Ios.into()],
        expire_time: Some(Timestamp::from(expire)),
        callback_route_key: "route".to_owned(),
        pull_member_params: true,
        ..card(&group, "card-1")
    };
    let before = gateway.simulator.total_requests();
    let reply = cards(&gateway).pin_card(request).await.unwrap().into_inner();
    assert_eq!((reply.out_track_id.as_str(), reply.planned_calls), ("card-1", Vec::new()));
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    let handle = group.clone().unwrap();
    let body = gateway.simulator.calls().pop().unwrap().body;
    let expected = json!({
        "conversationType": 1,
        "openConversationId": handle.open_conversation_id,
        "groupTemplateId": "tpl-demo",
        "outTrackId": "card-1",
        "cardTemplateId": "card-tpl",
        "cardData": {"cardParamMap": {"title": "事故"}},
        "userIdPrivateDataMap": {"user001": {"cardParamMap": {"mine": "1"}}},
        "unionIdPrivateDataMap": {"union-ext001": {"cardParamMap": {"mine": "2"}}},
        "receiverUserIdList": ["user001", "user002"],
        "receiverUnionIdList": ["union-ext001"],
        "platforms": "win|ios",
        "expiredTime": 4_102_444_800_123_i64,
        "callbackRouteKey": "route",
        "cardSettings": {"pullStrategy": true},
    });
    assert_eq!(body, expected);
    assert_eq!(gateway.simulator.group(&handle.chat_id).unwrap().pinned_cards.len(), 1);

    let before = gateway.simulator.total_requests();
    cards(&gateway).unpin_card(unpin(&group, "card-1")).await.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 1);
    let body = gateway.simulator.calls().pop().unwrap().body;
    let expected = json!({
        "conversationType": 1,
        "openConversationId": handle.open_conversation_id,
        "groupTemplateId": "tpl-demo",
        "outTrackId": "card-1",
    });
    assert_eq!(body, expected);
    assert!(gateway.simulator.group(&handle.chat_id).unwrap().pinned_cards.is_empty());
}

#[tokio::test]
async fn the_request_id_names_a_card_without_a_name() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    let request_id = "7e0e7a52-9a53-4b63-8f5c-0d3d0f5a2a12".to_owned();
    let request = pb::PinCardRequest { request_id: request_id.clone(), ..card(&group, "") };
    let plan = pb::PinCardRequest { validate_only: true, ..request.clone() };
    let plan = cards(&gateway).pin_card(plan).await.unwrap().into_inner().planned_calls;
    assert_eq!(plan, [pb::PlannedCall { operation: "topbox.create".to_owned(), count: 1 }]);
    assert_eq!(gateway.simulator.requests("topbox.create"), 0);
    for _ in 0..2 {
        let reply = cards(&gateway).pin_card(request.clone()).await.unwrap().into_inner();
        assert_eq!(reply.out_track_id, request_id);
    }
    assert_eq!(gateway.simulator.requests("topbox.create"), 1);
    let body = gateway.simulator.calls().pop().unwrap().body;
    assert_eq!(body["outTrackId"], json!(request_id));
    for absent in ["coolAppCode", "platforms", "expiredTime", "cardSettings", "receiverUserIdList"] {
        assert!(body.get(absent).is_none(), "{absent} was not asked for");
    }
}

#[tokio::test]
async fn an_app_may_act_by_its_cool_app_in_groups_of_any_kind() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let origin = Some(pin_card_request::Origin::CoolAppCode("COOLAPP-1".to_owned()));
    let request = pb::PinCardRequest { origin, ..card(&group, "card-1") };
    // The simulator has no cool apps.
    let status = cards(&gateway).pin_card(request).await.unwrap_err();
    assert!(matches!(status.code(), Code::FailedPrecondition | Code::NotFound), "{status:?}");
    let body = gateway.simulator.calls().pop().unwrap().body;
    assert_eq!(
        (&body["coolAppCode"], body.get("groupTemplateId")),
        (&json!("COOLAPP-1"), None),
        "one origin only"
    );
    let origin = Some(unpin_card_request::Origin::CoolAppCode("COOLAPP-1".to_owned()));
    let request = pb::UnpinCardRequest { origin, ..unpin(&group, "card-1") };
    cards(&gateway).unpin_card(request).await.unwrap_err();
    assert_eq!(gateway.simulator.calls().pop().unwrap().body["coolAppCode"], "COOLAPP-1");
}

#[tokio::test]
async fn bad_cards_name_every_fault_and_reach_nobody() {
    let gateway = Gateway::start().await;
    let request = pb::PinCardRequest {
        card_template_id: String::new(),
        audience: vec![user("user001"), user("user001")],
        platforms: vec![0],
        expire_time: Some(Timestamp { seconds: 1, nanos: 0 }),
        origin: None,
        ..card(&None, "")
    };
    let status = cards(&gateway).pin_card(request).await.unwrap_err();
    let mut named = fields(&status);
    named.sort();
    let expected =
        ["audience[1]", "card_template_id", "expire_time", "group", "origin", "out_track_id", "platforms[0]"];
    assert_eq!(named, expected);

    let never = Timestamp { seconds: i64::MAX, nanos: 0 };
    let request = pb::PinCardRequest { expire_time: Some(never), ..card(&None, "card-1") };
    let status = cards(&gateway).pin_card(request).await.unwrap_err();
    assert!(fields(&status).contains(&"expire_time".to_owned()), "{status:?}");
    let status = cards(&gateway).unpin_card(pb::UnpinCardRequest::default()).await.unwrap_err();
    let mut named = fields(&status);
    named.sort();
    assert_eq!(named, ["group", "origin", "out_track_id"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_repeat_pins_no_second_card() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    gateway.simulator.fail_next("topbox.create", 4, Fault::DropAfter);
    let status = cards(&gateway).pin_card(card(&group, "card-1")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unknown, "OUTCOME_UNKNOWN"));
    assert_eq!(gateway.simulator.requests("topbox.create"), 4);
    cards(&gateway).pin_card(card(&group, "card-1")).await.unwrap();
    let chat_id = &group.unwrap().chat_id;
    assert_eq!(gateway.simulator.group(chat_id).unwrap().pinned_cards.len(), 1);
}
