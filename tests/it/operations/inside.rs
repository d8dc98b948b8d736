//! What goes on inside groups: templates, pinned cards, messages of the assistant; and what is pushed of it.

use std::collections::BTreeMap;

use dinggate::{
    dingtalk::Endpoint,
    operation::{
        assistant::{ListMessageReaders, SendAssistantMessage, TEMPLATE_MARKDOWN, TEMPLATE_TEXT},
        id::{OpenConversationId, UserId},
        push::ListFailedPushes,
        template::{DisableTemplate, EnableTemplate},
        topbox::{CONVERSATION_GROUP, CardData, CardSettings, PinCard, Platform, UnpinCard},
    },
};
use serde_json::json;

use super::{Recorder, open_id, pinned, sent, unions, users};

fn texts(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub async fn pin_all() -> Vec<&'static str> {
    let open_conversation_id = &open_id();
    let (user_ids, union_ids) = (&users(&["user001", "user002"]), &unions(&["union-ext001"]));
    let owner_user_id = &users(&["manager4220"])[0];
    let (params, mine) = (&texts(&[("title", "事故"), ("level", "1")]), &texts(&[("mine", "yes")]));
    let pin = PinCard {
        conversation_type: CONVERSATION_GROUP,
        open_conversation_id,
        group_template_id: Some("tpl-1"),
        cool_app_code: Some("COOLAPP-1"),
        out_track_id: "card-1",
        card_template_id: "card-tpl-1",
        card_data: CardData { card_param_map: params },
        user_id_private_data_map: [(&user_ids[0], CardData { card_param_map: mine })].into(),
        union_id_private_data_map: [(&union_ids[0], CardData { card_param_map: mine })].into(),
        receiver_user_ids: &user_ids[..1],
        receiver_union_ids: union_ids,
        platforms: &[Platform::Ios, Platform::Mac, Platform::Android, Platform::Win],
        expired_time: Some(1_767_225_600_000),
        callback_route_key: Some("route-1"),
        card_settings: Some(CardSettings { pull_strategy: true }),
    };
    let unpin = UnpinCard {
        conversation_type: CONVERSATION_GROUP,
        open_conversation_id,
        group_template_id: Some("tpl-1"),
        cool_app_code: Some("COOLAPP-1"),
        out_track_id: "card-1",
    };
    let send = SendAssistantMessage {
        open_conversation_id,
        robot_code: "robot-1",
        msg_template_id: TEMPLATE_MARKDOWN,
        msg_param_map: &texts(&[("title", "事故"), ("markdown_content", "**42** @13800000000")]),
        msg_media_id_param_map: &texts(&[("img_media_id", "@lALPmedia")]),
        is_at_all: true,
        at_users: user_ids,
        at_union_ids: union_ids,
        at_mobiles: &["13800000000".to_owned(), "13900000000".to_owned()],
        receiver_user_ids: user_ids,
        receiver_union_ids: union_ids,
        receiver_mobiles: &["13800000000".to_owned()],
    };
    let readers = ListMessageReaders {
        open_conversation_id,
        robot_code: "robot-1",
        open_msg_id: "msg-1",
        max_results: 200,
        next_token: Some("page-2"),
    };
    let template_id = "tpl-1";
    vec![
        pinned(EnableTemplate { open_conversation_id, owner_user_id, template_id }).await,
        pinned(DisableTemplate { open_conversation_id, owner_user_id, template_id }).await,
        pinned(pin).await,
        pinned(unpin).await,
        pinned(send).await,
        pinned(readers).await,
        pinned(ListFailedPushes { begin_time: 1_760_000_000_000, end_time: 1_760_000_060_000 }).await,
    ]
}

fn message<'a>(
    open_conversation_id: &'a OpenConversationId,
    params: &'a BTreeMap<String, String>,
    media: &'a BTreeMap<String, String>,
    at_users: &'a [UserId],
) -> SendAssistantMessage<'a> {
    SendAssistantMessage {
        open_conversation_id,
        robot_code: "robot-1",
        msg_template_id: TEMPLATE_TEXT,
        msg_param_map: params,
        msg_media_id_param_map: media,
        is_at_all: false,
        at_users,
        at_union_ids: &[],
        at_mobiles: &[],
        receiver_user_ids: &[],
        receiver_union_ids: &[],
        receiver_mobiles: &[],
    }
}

#[tokio::test]
async fn what_is_not_stated_is_not_sent() {
    let (open_conversation_id, none) = (&open_id(), &BTreeMap::new());
    let hello = &texts(&[("content", "hello")]);
    let send = message(open_conversation_id, hello, none, &[]);
    assert_eq!(
        sent(send).await.body.unwrap(),
        json!({ "target_open_conversation_id": "cidA/b+c==", "robot_code": "robot-1",
            "msg_template_id": "inner_app_template_text", "msg_param_map": { "content": "hello" } })
    );
    let pin = PinCard {
        conversation_type: CONVERSATION_GROUP,
        open_conversation_id,
        group_template_id: None,
        cool_app_code: None,
        out_track_id: "card-1",
        card_template_id: "card-tpl-1",
        card_data: CardData { card_param_map: none },
        user_id_private_data_map: BTreeMap::new(),
        union_id_private_data_map: BTreeMap::new(),
        receiver_user_ids: &[],
        receiver_union_ids: &[],
        platforms: &[],
        expired_time: None,
        callback_route_key: None,
        card_settings: None,
    };
    assert_eq!(
        sent(pin).await.body.unwrap(),
        json!({ "conversationType": 1, "openConversationId": "cidA/b+c==", "outTrackId": "card-1",
            "cardTemplateId": "card-tpl-1", "cardData": { "cardParamMap": {} } })
    );
}

/// In a list that travels as one string it would be two ids.
#[tokio::test]
async fn an_id_with_a_comma_in_it_is_not_sent() {
    let (open_id, none, two_in_one) = (&open_id(), &BTreeMap::new(), &users(&["user001,user002"]));
    let recorder = Recorder::start(SendAssistantMessage::SPEC.id, |_| {}).await;
    let send = message(open_id, none, none, two_in_one);
    assert!(recorder.client.call(&Recorder::context(), &recorder.app, &send).await.is_err());
    assert_eq!(recorder.seen.lock().unwrap().len(), 0);
}
