//! The example application: a group for an incident.

use std::{collections::BTreeMap, time::Duration};

use tonic::{Code, Request, Status};
use tonic_types::{RpcStatusExt, StatusExt};
use uuid::Uuid;

use crate::{
    Failure,
    connect::{Channel, repeat},
    pb::{
        AddMembersRequest, CreateGroupRequest, GroupRef, InternalGroup, ListMembersRequest, MemberOutcome,
        MemberRef, SyncMembersRequest, SyncMode, create_group_request,
        group_service_client::GroupServiceClient, member_ref, member_service_client::MemberServiceClient,
    },
};

/// For each call, waiting for DingTalk's limits included.
const DEADLINE: Duration = Duration::from_secs(5);

fn user(id: &str) -> MemberRef {
    MemberRef { id: Some(member_ref::Id::UserId(id.to_owned())) }
}

fn users(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().copied().map(user).collect()
}

fn user_id(member: Option<&MemberRef>) -> String {
    match member.and_then(|member| member.id.as_ref()) {
        Some(member_ref::Id::UserId(id)) => id.clone(),
        _ => String::new(),
    }
}

fn within_deadline<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

// [docs:create]
/// Creates a group. Store the whole handle: DingTalk needs both ids, and the gateway cannot always find the other.
pub async fn open_group(
    channel: &Channel,
    title: &str,
    owner: &str,
    members: &[&str],
) -> Result<GroupRef, Status> {
    let request = CreateGroupRequest {
        title: title.to_owned(),
        owner: Some(user(owner)),
        members: users(members),
        kind: Some(create_group_request::Kind::Internal(InternalGroup {})),
        // One id per intention: whoever repeats the call repeats it with the same id.
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let groups = GroupServiceClient::new(channel.clone());
    let reply = repeat(|| {
        let (mut groups, request) = (groups.clone(), within_deadline(request.clone()));
        async move { groups.create_group(request).await }
    })
    .await?;
    let cost = reply.metadata().get("x-dinggate-upstream-calls").and_then(|cost| cost.to_str().ok());
    let group = reply.get_ref().group.clone().unwrap_or_default();
    println!(
        "created {}: {} members, {} metered call(s)",
        group.title,
        group.member_count(),
        cost.unwrap_or("?")
    );
    Ok(group.r#ref.unwrap_or_default())
}
// [/docs:create]

// [docs:add]
/// Adds people, and returns the reason for each who could not be added.
async fn add(channel: &Channel, group: &GroupRef, ids: &[&str]) -> Result<BTreeMap<String, String>, Status> {
    let request = AddMembersRequest {
        group: Some(group.clone()),
        members: users(ids),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let reply =
        MemberServiceClient::new(channel.clone()).add_members(within_deadline(request)).await?.into_inner();
    let mut refused = BTreeMap::new();
    for result in &reply.member_results {
        println!("  {}: {:?}", user_id(result.r#ref.as_ref()), result.outcome());
        if result.outcome() == MemberOutcome::Failed {
            let info = result.status.as_ref().and_then(|status| status.get_details_error_info());
            refused.insert(user_id(result.r#ref.as_ref()), info.map(|info| info.reason).unwrap_or_default());
        }
    }
    if !reply.complete {
        println!("  not everybody is settled: the same call again goes on from here");
    }
    Ok(refused)
}
// [/docs:add]

// [docs:sync]
/// Makes `ids` the members. If more than `max_removals` would have to go, nothing changes: the list may be wrong.
async fn sync(channel: &Channel, group: &GroupRef, ids: &[&str], max_removals: i32) -> Result<bool, Status> {
    let request = SyncMembersRequest {
        group: Some(group.clone()),
        members: users(ids),
        mode: SyncMode::AddAndRemove.into(),
        max_removals: Some(max_removals),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    match MemberServiceClient::new(channel.clone()).sync_members(within_deadline(request)).await {
        Ok(reply) => Ok(reply.into_inner().complete),
        Err(status) => match status.get_details_error_info() {
            Some(info) if info.reason == "REMOVAL_GUARD" => {
                println!(
                    "  not done: would remove {}, allowed are {}",
                    info.metadata["to_remove"], info.metadata["max_removals"]
                );
                Ok(false)
            }
            _ => Err(status),
        },
    }
}
// [/docs:sync]

// [docs:page]
/// All members, page by page.
async fn member_ids(channel: &Channel, group: &GroupRef, page_size: i32) -> Result<Vec<String>, Status> {
    let mut members = MemberServiceClient::new(channel.clone());
    let mut request = ListMembersRequest { group: Some(group.clone()), page_size, ..Default::default() };
    let mut ids = Vec::new();
    loop {
        let page = members.list_members(within_deadline(request.clone())).await?.into_inner();
        ids.extend(page.members.iter().map(|member| user_id(member.r#ref.as_ref())));
        if page.next_page_token.is_empty() {
            return Ok(ids);
        }
        request.page_token = page.next_page_token;
    }
}
// [/docs:page]

// [docs:errors]
/// What went wrong. The code says what to do, the reason why, and BadRequest where.
pub fn explain(status: &Status) -> String {
    let Some(info) = status.get_details_error_info() else {
        return status.to_string(); // not from dinggate: the connection, a proxy, this library
    };
    let mut text = format!("{:?} {}: {}", status.code(), info.reason, status.message());
    for fault in status.get_details_bad_request().into_iter().flat_map(|faults| faults.field_violations) {
        text += &format!("\n  {}: {}", fault.field, fault.description);
    }
    if let Some(delay) = status.get_details_retry_info().and_then(|retry| retry.retry_delay) {
        text += &format!("\n  worth another try in {delay:?}");
    }
    text
}
// [/docs:errors]

/// Goes through the life of a group.
pub async fn run(channel: &Channel) -> Result<(), Failure> {
    let title = format!("Incident {}", Uuid::new_v4().as_u128() % 10_000);
    let group = open_group(channel, &title, "manager4220", &["user001", "user002"]).await?;
    let refused = add(channel, &group, &["user003", "nobody"]).await?;
    let expected = BTreeMap::from([("nobody".to_owned(), "MEMBER_NOT_FOUND".to_owned())]);
    expect(refused == expected, format!("refused were {refused:?}"))?;

    let on_call = ["manager4220", "user001", "user004"];
    expect(!sync(channel, &group, &on_call, 0).await?, "the guard let people go")?;
    expect(sync(channel, &group, &on_call, 5).await?, "the sync is not complete")?;
    let mut members = member_ids(channel, &group, 2).await?;
    members.sort_unstable();
    println!("members: {}", members.join(", "));
    expect(members == on_call, format!("the members are {members:?}"))?;

    match open_group(channel, "A title that is far too long", "manager4220", &[]).await {
        Err(status) if status.code() == Code::InvalidArgument => println!("{}", explain(&status)),
        other => return Err(format!("a title of 28 characters: {other:?}").into()),
    }
    Ok(())
}

fn expect(condition: bool, otherwise: impl Into<String>) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(otherwise.into().into()) }
}
