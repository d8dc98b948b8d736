//! What is served from memory, what that saves at DingTalk, and what makes it untrue.

use std::{pin::Pin, time::Duration};

use dinggate::pb::group::{self as pb, template_service_client::TemplateServiceClient};
use dinggate_simulator::Fault;
use tonic::{Response, metadata::MetadataMap};

use crate::support::{Gateway, new_group, reason, user};

fn read(group: &Option<pb::GroupRef>) -> pb::GetGroupRequest {
    pb::GetGroupRequest { group: group.clone(), ..Default::default() }
}

fn within(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn rename(group: &Option<pb::GroupRef>, title: &str) -> pb::UpdateGroupRequest {
    let group = pb::Group { r#ref: group.clone(), title: title.to_owned(), ..Default::default() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["title".to_owned()] });
    pb::UpdateGroupRequest { group: Some(group), update_mask, ..Default::default() }
}

fn trailer<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).map(|value| value.to_str().unwrap())
}

/// The title, and where it came from: the field, the trailer, the calls.
fn told(reply: &Response<pb::GetGroupResponse>) -> (&str, bool, &str, &str) {
    let title = &reply.get_ref().group.as_ref().unwrap().title;
    let cache = trailer(reply.metadata(), "x-dinggate-cache").unwrap_or("none");
    let calls = trailer(reply.metadata(), "x-dinggate-upstream-calls").unwrap_or("none");
    (title, reply.get_ref().from_cache, cache, calls)
}

#[tokio::test]
async fn a_thousand_readers_of_one_group_cost_one_call() {
    let gateway = Gateway::start_with(|sources| sources.with("server.max_concurrent_requests", 2000)).await;
    let group = gateway.group().await.r#ref;
    gateway.simulator.fail_next("group.get_legacy", 1, Fault::DelayAfter { ms: 300 });
    let readers: Vec<_> = (0..1000)
        .map(|_| {
            let (mut groups, request) = (gateway.groups.clone(), read(&group));
            tokio::spawn(async move { groups.get_group(request).await.unwrap() })
        })
        .collect();
    let mut calls = 0;
    for reader in readers {
        let reply = reader.await.unwrap();
        let (title, _, _, spent) = told(&reply);
        assert_eq!(title, "A group");
        calls += spent.parse::<u32>().unwrap();
    }
    assert_eq!((gateway.simulator.requests("group.get_legacy"), calls), (1, 1));
}

#[tokio::test]
async fn an_answer_says_where_it_came_from_and_when() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.default_staleness", "0s")).await;
    let group = gateway.scene().await;
    let mut groups = gateway.groups.clone();
    let fresh = groups.get_group(read(&group)).await.unwrap();
    assert_eq!(told(&fresh), ("A scene", false, "miss", "1"));
    let accepting = pb::GetGroupRequest { max_staleness: within(300), ..read(&group) };
    let kept = groups.get_group(accepting).await.unwrap();
    assert_eq!(told(&kept), ("A scene", true, "stale", "0"), "older than the default");
    assert_eq!(kept.get_ref().read_time, fresh.get_ref().read_time);
    let written = groups.update_group(rename(&group, "New")).await.unwrap();
    assert_eq!(trailer(written.metadata(), "x-dinggate-cache"), None, "a write comes from nowhere");
}

#[tokio::test]
async fn zero_asks_dingtalk_and_the_others_hear_of_it() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let stranger =
        Gateway::start_before(gateway.simulator.clone(), crate::support::sources(&gateway.simulator.url()))
            .await;
    let mut groups = gateway.groups.clone();
    groups.get_group(read(&group)).await.unwrap();
    stranger.groups.clone().update_group(rename(&group, "By another")).await.unwrap();
    assert_eq!(told(&groups.get_group(read(&group)).await.unwrap()), ("A group", true, "hit", "0"));
    let now = pb::GetGroupRequest { max_staleness: within(0), ..read(&group) };
    assert_eq!(told(&groups.get_group(now).await.unwrap()), ("By another", false, "miss", "1"));
    assert_eq!(told(&groups.get_group(read(&group)).await.unwrap()), ("By another", true, "hit", "0"));
}

#[tokio::test]
async fn a_batch_and_the_members_come_from_the_same_answers() {
    let gateway = Gateway::start().await;
    let (one, other) = (gateway.group().await.r#ref, gateway.scene().await);
    gateway.groups.clone().get_group(read(&one)).await.unwrap();
    let before = gateway.simulator.total_requests();
    let groups = vec![one.clone().unwrap(), other.unwrap()];
    let request = pb::BatchGetGroupsRequest { groups, ..Default::default() };
    let reply = gateway.groups.clone().batch_get_groups(request).await.unwrap();
    assert_eq!(trailer(reply.metadata(), "x-dinggate-cache"), Some("miss"), "part of it");
    let from_cache: Vec<_> = reply.get_ref().results.iter().map(|result| result.from_cache).collect();
    assert_eq!(from_cache, [true, false]);
    assert!(reply.get_ref().results.iter().all(|result| result.read_time.is_some()));
    let request = pb::ListMembersRequest { group: one, ..Default::default() };
    let members = gateway.members.clone().list_members(request).await.unwrap().into_inner();
    assert_eq!((members.members.len(), members.from_cache), (3, true));
    assert_eq!(gateway.simulator.total_requests() - before, 1);
}

#[tokio::test]
async fn what_is_not_there_is_not_asked_for_again_at_once() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.negative", "60s")).await;
    let group = Some(pb::GroupRef { chat_id: "chatnowhere".to_owned(), ..Default::default() });
    for expected in ["miss", "hit"] {
        let status = gateway.groups.clone().get_group(read(&group)).await.unwrap_err();
        assert_eq!(reason(&status), "GROUP_NOT_FOUND");
        assert_eq!(trailer(status.metadata(), "x-dinggate-cache"), Some(expected));
    }
    assert_eq!(gateway.simulator.total_requests(), 1);
    let now = pb::GetGroupRequest { max_staleness: within(0), ..read(&group) };
    gateway.groups.clone().get_group(now).await.unwrap_err();
    assert_eq!(gateway.simulator.total_requests(), 2);
}

#[tokio::test]
async fn a_read_that_crosses_a_write_is_forgotten() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    gateway.simulator.fail_next("group.get_legacy", 1, Fault::DelayAfter { ms: 500 });
    let (mut groups, request) = (gateway.groups.clone(), read(&group));
    let crossing = tokio::spawn(async move { groups.get_group(request).await.unwrap() });
    while gateway.simulator.requests("group.get_legacy") == 0 {
        tokio::task::yield_now().await;
    }
    gateway.groups.clone().update_group(rename(&group, "New")).await.unwrap();
    assert_eq!(told(&gateway.groups.clone().get_group(read(&group)).await.unwrap()).0, "New", "at once");
    assert_eq!(told(&crossing.await.unwrap()).0, "A group");
    let reply = gateway.groups.clone().get_group(read(&group)).await.unwrap();
    assert_eq!(told(&reply), ("New", true, "hit", "0"));
}

#[tokio::test]
async fn a_call_that_was_paid_for_fills_the_cache_when_its_caller_leaves() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    gateway.simulator.fail_next("group.get_legacy", 1, Fault::DelayAfter { ms: 300 });
    let (mut groups, request) = (gateway.groups.clone(), read(&group));
    let caller = tokio::spawn(async move { groups.get_group(request).await });
    while gateway.simulator.requests("group.get_legacy") == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    let reply = gateway.groups.clone().get_group(read(&group)).await.unwrap();
    assert_eq!((told(&reply).0, told(&reply).3), ("A group", "0"));
    assert_eq!(gateway.simulator.requests("group.get_legacy"), 1);
}

type Write = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Reads everything that is kept of a group, and says what that cost.
async fn reads(gateway: &Gateway, group: &Option<pb::GroupRef>) -> u64 {
    let before = gateway.simulator.total_requests();
    for view in [pb::GroupView::Basic, pb::GroupView::Full] {
        let request = pb::GetGroupRequest { view: view.into(), ..read(group) };
        let _ = gateway.groups.clone().get_group(request).await;
    }
    let request = pb::ListMembersRequest { group: group.clone(), ..Default::default() };
    let _ = gateway.members.clone().list_members(request).await;
    let request = pb::GetTemplateRobotRequest {
        group: group.clone(),
        robot_code: "robot-demo".to_owned(),
        ..Default::default()
    };
    let _ = TemplateServiceClient::new(gateway.channel.clone()).get_template_robot(request).await;
    gateway.simulator.total_requests() - before
}

/// Carries out the writes one after the other; after each, everything that is kept is read anew, or nothing.
async fn assert_forgets(
    gateway: &Gateway,
    group: &Option<pb::GroupRef>,
    all: u64,
    writes: Vec<(&str, bool, Write)>,
) {
    reads(gateway, group).await;
    for (name, changes, write) in writes {
        assert_eq!(reads(gateway, group).await, 0, "before {name} everything is kept");
        write.await;
        assert_eq!(reads(gateway, group).await, if changes { all } else { 0 }, "after {name}");
    }
}

macro_rules! write {
    ($client:expr, $method:ident, $request:expr) => {{
        let (mut client, request) = ($client.clone(), $request);
        (
            stringify!($method),
            true,
            Box::pin(async move {
                client.$method(request).await.unwrap();
            }) as Write,
        )
    }};
}

fn but_keeps((name, _, write): (&str, bool, Write)) -> (&str, bool, Write) {
    (name, false, write)
}

/// The writes on members that groups of every kind have.
fn member_writes(gateway: &Gateway, group: &Option<pb::GroupRef>) -> Vec<(&'static str, bool, Write)> {
    let members = &gateway.members;
    let people = |ids: &[&str]| ids.iter().map(|id| user(id)).collect::<Vec<_>>();
    vec![
        write!(
            members,
            add_members,
            pb::AddMembersRequest {
                group: group.clone(),
                members: people(&["user003"]),
                ..Default::default()
            }
        ),
        write!(
            members,
            remove_members,
            pb::RemoveMembersRequest {
                group: group.clone(),
                members: people(&["user003"]),
                ..Default::default()
            }
        ),
        write!(
            members,
            sync_members,
            pb::SyncMembersRequest {
                group: group.clone(),
                members: people(&["user004"]),
                mode: pb::SyncMode::AddOnly.into(),
                ..Default::default()
            }
        ),
        write!(
            members,
            grant_admins,
            pb::GrantAdminsRequest {
                group: group.clone(),
                members: people(&["user001"]),
                ..Default::default()
            }
        ),
        write!(
            members,
            revoke_admins,
            pb::RevokeAdminsRequest {
                group: group.clone(),
                members: people(&["user001"]),
                ..Default::default()
            }
        ),
        write!(
            members,
            set_member_nickname,
            pb::SetMemberNicknameRequest {
                group: group.clone(),
                member: Some(user("user001")),
                nickname: "Nick".to_owned(),
                ..Default::default()
            }
        ),
    ]
}

#[tokio::test]
async fn every_write_on_an_internal_group_makes_what_is_kept_untrue() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    let groups = &gateway.groups;
    let mut writes = vec![
        write!(groups, update_group, rename(&group, "New")),
        but_keeps(write!(
            groups,
            update_group,
            pb::UpdateGroupRequest { validate_only: true, ..rename(&group, "Planned") }
        )),
    ];
    writes.extend(member_writes(&gateway, &group));
    assert_forgets(&gateway, &group, 1, writes).await;
}

#[tokio::test]
async fn every_write_on_a_scenario_group_makes_what_is_kept_untrue() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.negative", "60s")).await;
    let group = gateway.scene().await;
    let (groups, members) = (&gateway.groups, &gateway.members);
    let templates = TemplateServiceClient::new(gateway.channel.clone());
    let people = |ids: &[&str]| ids.iter().map(|id| user(id)).collect::<Vec<_>>();
    let template_id = "tpl-demo".to_owned();
    let mut writes = vec![write!(groups, update_group, rename(&group, "New"))];
    writes.extend(member_writes(&gateway, &group));
    writes.extend([
        but_keeps(write!(
            members,
            mute_members,
            pb::MuteMembersRequest {
                group: group.clone(),
                members: people(&["user001"]),
                duration: within(600),
                ..Default::default()
            }
        )),
        but_keeps(write!(
            members,
            unmute_members,
            pb::UnmuteMembersRequest {
                group: group.clone(),
                members: people(&["user001"]),
                ..Default::default()
            }
        )),
        write!(
            templates,
            enable_template,
            pb::EnableTemplateRequest { group: group.clone(), template_id, ..Default::default() }
        ),
        write!(groups, delete_group, pb::DeleteGroupRequest { group: group.clone(), ..Default::default() }),
    ]);
    assert_forgets(&gateway, &group, 4, writes).await;
}

#[tokio::test]
async fn a_group_without_its_template_is_not_read_from_memory() {
    let gateway = Gateway::start().await;
    let group = gateway.scene().await;
    gateway.groups.clone().get_group(read(&group)).await.unwrap();
    let template_id = "tpl-demo".to_owned();
    let request = pb::DisableTemplateRequest { group: group.clone(), template_id, ..Default::default() };
    TemplateServiceClient::new(gateway.channel.clone()).disable_template(request).await.unwrap();
    let mut request = tonic::Request::new(read(&group));
    request.set_timeout(Duration::from_millis(400));
    let status = gateway.groups.clone().get_group(request).await.unwrap_err();
    assert_eq!(reason(&status), "GROUP_NOT_READY");
}

#[tokio::test]
async fn a_write_that_failed_may_have_changed_the_group_all_the_same() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    gateway.groups.clone().get_group(read(&group)).await.unwrap();
    gateway.simulator.fail_next("group.update", 9, Fault::DropAfter);
    gateway.groups.clone().update_group(rename(&group, "New")).await.unwrap_err();
    let reply = gateway.groups.clone().get_group(read(&group)).await.unwrap();
    assert_eq!((told(&reply).0, told(&reply).1), ("New", false));
}

#[tokio::test]
async fn a_write_whose_caller_left_is_forgotten_when_it_must_have_ended() {
    let gateway = Gateway::start().await;
    let group = gateway.group().await.r#ref;
    gateway.groups.clone().get_group(read(&group)).await.unwrap();
    gateway.simulator.fail_next("group.update", 1, Fault::Delay { ms: 200 });
    let mut request = tonic::Request::new(rename(&group, "New"));
    request.set_timeout(Duration::from_millis(800));
    let mut groups = gateway.groups.clone();
    let writer = tokio::spawn(async move { groups.update_group(request).await });
    while gateway.simulator.requests("group.update") == 0 {
        tokio::task::yield_now().await;
    }
    writer.abort();
    // Kept over and over, also what was read before the write was carried out; and still the end is the truth.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let reply = gateway.groups.clone().get_group(read(&group)).await.unwrap();
        if told(&reply).0 == "New" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the old title stays");
    }
}

#[tokio::test]
async fn without_a_cache_every_read_is_a_call() {
    let gateway = Gateway::start_with(|sources| sources.with("cache.enabled", false)).await;
    let group = gateway.create(new_group("Uncached")).await.r#ref;
    for _ in 0..2 {
        let reply = gateway.groups.clone().get_group(read(&group)).await.unwrap();
        assert_eq!(told(&reply), ("Uncached", false, "miss", "1"));
    }
}
