//! An incident room from opening to disbanding, as its users live it, and what it costs at DingTalk to the call.

use dinggate::pb::group::{
    self as pb, assistant_service_client::AssistantServiceClient, pin_card_request,
    pinned_card_service_client::PinnedCardServiceClient, send_assistant_message_request::Content,
    unpin_card_request,
};

use crate::support::{Gateway, crowded_with, new_group, people};

/// Opens the room with nobody but its owner, gets 230 people in, names two admins, pins a card, sends a message, hands
/// the room over to another team, mutes three, unpins and disbands. Returns the operations that DingTalk saw.
async fn lived_through(gateway: &Gateway) -> Vec<String> {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    let room = gateway
        .create(pb::CreateGroupRequest { kind, members: Vec::new(), ..new_group("Incident 42") })
        .await
        .r#ref;
    let (mut groups, mut members) = (gateway.groups.clone(), gateway.members.clone());
    let mut cards = PinnedCardServiceClient::new(gateway.channel.clone());
    let mut assistant = AssistantServiceClient::new(gateway.channel.clone());

    let add = pb::AddMembersRequest { group: room.clone(), members: people(1..=230), ..Default::default() };
    assert!(members.add_members(add).await.unwrap().into_inner().complete);
    let grant = pb::GrantAdminsRequest { group: room.clone(), members: people(1..=2), ..Default::default() };
    assert!(members.grant_admins(grant).await.unwrap().into_inner().complete);
    let pin = pb::PinCardRequest {
        group: room.clone(),
        card_template_id: "card-tpl".to_owned(),
        out_track_id: "incident-42".to_owned(),
        params: [("title".to_owned(), "事故 42".to_owned())].into(),
        origin: Some(pin_card_request::Origin::TemplateId("tpl-demo".to_owned())),
        ..Default::default()
    };
    cards.pin_card(pin).await.unwrap();
    let send = pb::SendAssistantMessageRequest {
        group: room.clone(),
        robot_code: "robot-demo".to_owned(),
        content: Some(Content::Text(pb::TextContent { text: "The team changes.".to_owned() })),
        ..Default::default()
    };
    assert!(!assistant.send_assistant_message(send).await.unwrap().into_inner().open_message_id.is_empty());

    let sync = pb::SyncMembersRequest {
        group: room.clone(),
        members: people(206..=255),
        mode: pb::SyncMode::AddAndRemove.into(),
        max_removals: Some(205),
        ..Default::default()
    };
    let synced = members.sync_members(sync).await.unwrap().into_inner();
    let plan = synced.plan.unwrap();
    assert!(synced.complete);
    assert_eq!((plan.to_add.len(), plan.to_remove.len(), plan.unchanged, plan.kept), (25, 205, 25, 1));

    let duration = Some(prost_types::Duration { seconds: 600, nanos: 0 });
    let mute = pb::MuteMembersRequest {
        group: room.clone(),
        members: people(206..=208),
        duration,
        ..Default::default()
    };
    assert!(members.mute_members(mute).await.unwrap().into_inner().complete);
    let unpin = pb::UnpinCardRequest {
        group: room.clone(),
        out_track_id: "incident-42".to_owned(),
        origin: Some(unpin_card_request::Origin::TemplateId("tpl-demo".to_owned())),
        ..Default::default()
    };
    cards.unpin_card(unpin).await.unwrap();
    let delete = pb::DeleteGroupRequest { group: room, ..Default::default() };
    assert!(groups.delete_group(delete).await.unwrap().into_inner().deleted);

    let seen = gateway.simulator.calls().into_iter().map(|call| call.operation);
    seen.filter(|operation| !operation.starts_with("auth.")).collect()
}

#[tokio::test]
async fn an_incident_room_costs_sixteen_calls() {
    let gateway = crowded_with("new").await;
    let operations = [
        "scene.create",
        "scene.members.add",
        "scene.members.add",
        "scene.members.add",
        "scene.admins.set",
        "topbox.create",
        "assistant.message.send_legacy",
        "scene.members.list",
        "scene.get_brief",
        "scene.members.add",
        "scene.members.remove",
        "scene.members.remove",
        "scene.members.remove",
        "scene.members.mute.set",
        "topbox.close",
        "scene.disband",
    ];
    assert_eq!(lived_through(&gateway).await, operations);
    assert_eq!(gateway.simulator.token_requests(), 1);
}

#[tokio::test]
async fn it_costs_no_more_on_the_older_operations() {
    let gateway = crowded_with("legacy").await;
    let operations = [
        "scene.create_legacy",
        "scene.members.add_legacy",
        "scene.members.add_legacy",
        "scene.members.add_legacy",
        "scene.admins.set",
        "topbox.create",
        "assistant.message.send_legacy",
        "scene.members.list",
        "scene.get_brief",
        "scene.members.add_legacy",
        "scene.members.remove_legacy",
        "scene.members.remove_legacy",
        "scene.members.remove_legacy",
        "scene.members.mute.set",
        "topbox.close",
        "scene.disband",
    ];
    assert_eq!(lived_through(&gateway).await, operations);
}
