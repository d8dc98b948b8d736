//! What is known of a group: learned from the answers that are paid for anyway, asked for where nothing else tells it.

use dinggate::pb::group as pb;
use tonic::Code;

use crate::support::{Gateway, fields, reason, sources, user};

/// A gateway that has met none of the groups of this one.
async fn stranger(gateway: &Gateway) -> Gateway {
    Gateway::start_before(gateway.simulator.clone(), sources(&gateway.simulator.url())).await
}

async fn resolve(gateway: &Gateway, group: pb::GroupRef) -> Result<pb::GroupRef, tonic::Status> {
    let request = pb::ResolveGroupRequest { group: Some(group), ..Default::default() };
    let reply = gateway.groups.clone().resolve_group(request).await?;
    Ok(reply.into_inner().group.expect("a handle"))
}

fn mute(group: &pb::GroupRef) -> pb::MuteMembersRequest {
    pb::MuteMembersRequest {
        group: Some(group.clone()),
        members: vec![user("user001")],
        duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_scenario_group_is_told_by_one_read_whichever_id_is_given() {
    let gateway = Gateway::start().await;
    let whole = gateway.scene().await.unwrap();
    let by_chat_id = pb::GroupRef { chat_id: whole.chat_id.clone(), ..Default::default() };
    let by_open_id =
        pb::GroupRef { open_conversation_id: whole.open_conversation_id.clone(), ..Default::default() };

    let first = stranger(&gateway).await;
    let before = gateway.simulator.total_requests();
    assert_eq!(resolve(&first, by_chat_id.clone()).await.unwrap(), whole);
    assert_eq!(gateway.simulator.total_requests() - before, 2, "a conversion and a read");
    assert_eq!(resolve(&first, by_open_id.clone()).await.unwrap(), whole);
    assert_eq!(gateway.simulator.total_requests() - before, 2, "both are known");

    let second = stranger(&gateway).await;
    let before = gateway.simulator.total_requests();
    let half = pb::GroupRef { chat_id: String::new(), ..whole.clone() };
    assert_eq!(resolve(&second, by_open_id).await.unwrap(), half, "there is no way back to the chat id");
    assert_eq!(gateway.simulator.total_requests() - before, 1);
}

#[tokio::test]
async fn an_ordinary_group_is_not_taken_for_a_scenario_group() {
    let gateway = Gateway::start().await;
    let whole = gateway.group().await.r#ref.unwrap();
    let stranger = stranger(&gateway).await;
    let by_open_id =
        pb::GroupRef { open_conversation_id: whole.open_conversation_id.clone(), ..Default::default() };
    let status = resolve(&stranger, by_open_id).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "GROUP_NOT_ACCESSIBLE"));
    let by_chat_id = pb::GroupRef { chat_id: whole.chat_id.clone(), ..Default::default() };
    assert_eq!(resolve(&stranger, by_chat_id.clone()).await.unwrap(), whole);
    let before = gateway.simulator.total_requests();
    let status = stranger.members.clone().mute_members(mute(&by_chat_id)).await.unwrap_err();
    assert_eq!(reason(&status), "KIND_UNSUPPORTED");
    assert_eq!(gateway.simulator.total_requests(), before, "its kind is known");
}

#[tokio::test]
async fn two_ids_are_held_against_each_other() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.group().await.r#ref.unwrap(), gateway.group().await.r#ref.unwrap());
    let stranger = stranger(&gateway).await;
    let mixed = pb::GroupRef { open_conversation_id: other.open_conversation_id, ..one };
    let before = gateway.simulator.total_requests();
    let status = resolve(&stranger, mixed).await.unwrap_err();
    assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["group.chat_id".to_owned()]));
    assert_eq!(gateway.simulator.total_requests() - before, 1, "the conversion");
}

#[tokio::test]
async fn what_only_scenario_groups_have_leads_to_one_by_its_chat_id_alone() {
    let gateway = Gateway::start().await;
    let whole = gateway.scene().await.unwrap();
    let stranger = stranger(&gateway).await;
    let by_chat_id = pb::GroupRef { chat_id: whole.chat_id.clone(), ..Default::default() };
    let before = gateway.simulator.total_requests();
    stranger.members.clone().mute_members(mute(&by_chat_id)).await.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 2, "a conversion and the call");
    assert_eq!(resolve(&stranger, by_chat_id.clone()).await.unwrap(), whole);
    stranger.members.clone().mute_members(mute(&by_chat_id)).await.unwrap();
    assert_eq!(gateway.simulator.total_requests() - before, 3, "the success told the kind");
}
