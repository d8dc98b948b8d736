//! Members of internal groups in numbers: chunks, outcomes, synchronisation, and what that costs at DingTalk.

use std::time::Duration;

use dinggate::pb::group as pb;
use dinggate_simulator::Fault;
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{Gateway, crowded, fields, metadata, new_group, people, reason, union, user};

fn add(group: &pb::Group, members: Vec<pb::MemberRef>) -> pb::AddMembersRequest {
    pb::AddMembersRequest { group: group.r#ref.clone(), members, ..Default::default() }
}

fn remove(group: &pb::Group, members: Vec<pb::MemberRef>) -> pb::RemoveMembersRequest {
    pb::RemoveMembersRequest { group: group.r#ref.clone(), members, ..Default::default() }
}

fn sync(group: &pb::Group, members: Vec<pb::MemberRef>) -> pb::SyncMembersRequest {
    let mode = pb::SyncMode::AddAndRemove.into();
    pb::SyncMembersRequest { group: group.r#ref.clone(), members, mode, ..Default::default() }
}

async fn listed(gateway: &Gateway, group: &pb::Group) -> Vec<pb::MemberRef> {
    let request = pb::ListMembersRequest { group: group.r#ref.clone(), ..Default::default() };
    let reply = gateway.members.clone().list_members(request).await.unwrap().into_inner();
    reply.members.into_iter().filter_map(|member| member.r#ref).collect()
}

fn outcomes(results: &[pb::MemberResult]) -> Vec<pb::MemberOutcome> {
    results.iter().map(|result| result.outcome()).collect()
}

#[tokio::test]
async fn a_thousand_people_into_a_new_group_are_25_calls() {
    let gateway = crowded().await;
    let request = pb::CreateGroupRequest { members: people(1..=999), ..new_group("Everybody") };
    let plan = pb::CreateGroupRequest { validate_only: true, ..request.clone() };
    let plan = gateway.groups.clone().create_group(plan).await.unwrap().into_inner().planned_calls;
    let planned: Vec<_> = plan.iter().map(|call| (call.operation.as_str(), call.count)).collect();
    assert_eq!(planned, [("group.create", 1), ("group.update", 24)]);

    let reply = gateway.groups.clone().create_group(request).await.unwrap().into_inner();
    assert!(reply.complete);
    assert_eq!(outcomes(&reply.member_results), [pb::MemberOutcome::Applied; 999]);
    assert_eq!(gateway.simulator.requests("group.create"), 1);
    assert_eq!(gateway.simulator.requests("group.update"), 24);
    let group = reply.group.unwrap();
    assert_eq!(group.member_count, Some(1000));
    assert_eq!(listed(&gateway, &group).await.len(), 1000);
}

#[tokio::test]
async fn members_are_listed_in_pages() {
    let gateway = crowded().await;
    let group =
        gateway.create(pb::CreateGroupRequest { members: people(1..=99), ..new_group("Pages") }).await;
    let mut request = pb::ListMembersRequest {
        group: group.r#ref.clone(),
        page_size: 40,
        include_roles: true,
        ..Default::default()
    };
    let (mut seen, mut owners) = (Vec::new(), Vec::new());
    loop {
        let reply = gateway.members.clone().list_members(request.clone()).await.unwrap().into_inner();
        assert_eq!(reply.total_size, Some(100));
        assert!(reply.members.len() <= 40);
        owners.extend(reply.members.iter().filter(|member| member.role() == pb::MemberRole::Owner).cloned());
        seen.extend(reply.members.into_iter().map(|member| member.r#ref.unwrap()));
        request.page_token = reply.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 100);
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].r#ref, Some(user("manager4220")));

    let foreign = pb::ListMembersRequest { page_token: "made-up".to_owned(), ..request };
    let status = gateway.members.clone().list_members(foreign).await.unwrap_err();
    assert_eq!((reason(&status).as_str(), fields(&status)), ("FIELD_INVALID", vec!["page_token".to_owned()]));
}

#[tokio::test]
async fn people_are_added_in_chunks_of_40_inside_and_outside_the_organisation() {
    let gateway = crowded().await;
    let group = gateway.group().await;
    let mut members = people(1..=99);
    members.push(union("union-ext001"));
    let reply = gateway.members.clone().add_members(add(&group, members)).await.unwrap().into_inner();
    assert!(reply.complete);
    assert_eq!(outcomes(&reply.member_results), [pb::MemberOutcome::Applied; 100]);
    assert_eq!(gateway.simulator.requests("group.update"), 3);
    assert_eq!(listed(&gateway, &group).await.len(), 103);
}

#[tokio::test]
async fn who_is_unknown_fails_alone_with_a_status() {
    let gateway = crowded().await;
    let group = gateway.group().await;
    let mut members = people(1..=20);
    members.insert(7, user("nobody"));
    let reply = gateway.members.clone().add_members(add(&group, members)).await.unwrap().into_inner();
    let failed: Vec<_> =
        reply.member_results.iter().filter(|result| result.outcome() == pb::MemberOutcome::Failed).collect();
    assert_eq!(failed.len(), 1, "{:?}", outcomes(&reply.member_results));
    assert_eq!(failed[0].r#ref, Some(user("nobody")));
    let status = failed[0].status.as_ref().unwrap();
    assert_eq!(Code::from(status.code), Code::InvalidArgument);
    assert!(status.details.iter().any(|detail| detail.type_url.ends_with("google.rpc.ErrorInfo")));
    assert!(reply.complete, "everybody is settled");
    assert!(gateway.simulator.requests("group.update") <= 11);
}

#[tokio::test]
async fn what_happened_is_not_hidden_by_a_later_failure() {
    let gateway = crowded().await;
    let group = gateway.group().await;
    gateway.simulator.fail_next("group.update", 1, Fault::Delay { ms: 0 });
    gateway.simulator.fail_next("group.update", 4, Fault::DropAfter);
    let reply = gateway.members.clone().add_members(add(&group, people(1..=100))).await.unwrap().into_inner();
    assert!(!reply.complete);
    let outcomes = outcomes(&reply.member_results);
    assert_eq!(outcomes[..40], [pb::MemberOutcome::Applied; 40]);
    assert_eq!(outcomes[40..80], [pb::MemberOutcome::Unknown; 40]);
    assert_eq!(outcomes[80..], [pb::MemberOutcome::NotAttempted; 20]);

    // The same request again continues: adding is set-like.
    let reply = gateway.members.clone().add_members(add(&group, people(1..=100))).await.unwrap().into_inner();
    assert!(reply.complete);
    assert_eq!(listed(&gateway, &group).await.len(), 103);
}

#[tokio::test]
async fn a_first_call_that_is_refused_is_the_status_of_the_rpc() {
    let gateway = crowded().await;
    let group = gateway.group().await;
    gateway.simulator.fail_next("group.update", 1, Fault::Throttle);
    let mut request = tonic::Request::new(add(&group, people(1..=100)));
    // Too short for the pause that a throttle asks for.
    request.set_timeout(Duration::from_millis(900));
    let status = gateway.members.clone().add_members(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "APP_RATE_LIMITED"));
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn the_owner_is_not_removed_and_who_is_absent_costs_nothing() {
    let gateway = crowded().await;
    let group = gateway.group().await;
    let request = remove(&group, vec![user("user001"), user("person0001"), user("manager4220")]);
    let reply = gateway.members.clone().remove_members(request).await.unwrap().into_inner();
    use pb::MemberOutcome::{Already, Applied, Failed};
    assert_eq!(outcomes(&reply.member_results), [Applied, Already, Failed]);
    let status = reply.member_results[2].status.as_ref().unwrap();
    assert_eq!(Code::from(status.code), Code::FailedPrecondition);
    assert_eq!(listed(&gateway, &group).await, [user("manager4220"), user("user002")]);

    let writes = gateway.simulator.requests("group.update");
    let request = remove(&group, people(1..=50));
    let reply = gateway.members.clone().remove_members(request).await.unwrap().into_inner();
    assert_eq!(outcomes(&reply.member_results), [Already; 50]);
    assert_eq!(gateway.simulator.requests("group.update"), writes);
}

#[tokio::test]
async fn a_group_is_brought_in_line_with_a_list() {
    let gateway = crowded().await;
    let group = gateway.create(pb::CreateGroupRequest { members: people(1..=10), ..new_group("Team") }).await;
    let request = pb::SyncMembersRequest { keep: people(1..=2), ..sync(&group, people(6..=60)) };

    let before = gateway.simulator.total_requests();
    let plan = pb::SyncMembersRequest { validate_only: true, ..request.clone() };
    let plan = gateway.members.clone().sync_members(plan).await.unwrap().into_inner();
    assert_eq!(gateway.simulator.total_requests() - before, 1, "a plan costs one read");
    let calls: Vec<_> = plan.planned_calls.iter().map(|call| (call.operation.as_str(), call.count)).collect();
    assert_eq!(calls, [("group.get_legacy", 1), ("group.update", 2), ("group.update", 1)]);

    let before = gateway.simulator.total_requests();
    let reply = gateway.members.clone().sync_members(request.clone()).await.unwrap().into_inner();
    let done = reply.plan.unwrap();
    assert_eq!(Some(&done), plan.plan.as_ref());
    assert_eq!((done.to_add, done.to_remove), (people(11..=60), people(3..=5)));
    assert_eq!((done.unchanged, done.kept), (5, 3), "the owner is kept as well");
    assert!(reply.complete);
    assert_eq!(outcomes(&reply.member_results), [pb::MemberOutcome::Applied; 53]);
    assert_eq!(gateway.simulator.total_requests() - before, 4);

    let before = gateway.simulator.total_requests();
    let again = gateway.members.clone().sync_members(request).await.unwrap().into_inner();
    assert!(again.complete && again.member_results.is_empty());
    assert_eq!(gateway.simulator.total_requests() - before, 1, "nothing to do costs one read");
}

#[tokio::test]
async fn a_sync_does_only_what_it_may() {
    let gateway = crowded().await;
    let group = gateway.create(pb::CreateGroupRequest { members: people(1..=10), ..new_group("Team") }).await;
    let guarded = pb::SyncMembersRequest { max_removals: Some(8), ..sync(&group, people(10..=11)) };
    let writes = gateway.simulator.requests("group.update");
    let status = gateway.members.clone().sync_members(guarded.clone()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "REMOVAL_GUARD"));
    assert_eq!(
        (metadata(&status, "to_add"), metadata(&status, "to_remove")),
        ("1".to_owned(), "9".to_owned())
    );
    assert_eq!(gateway.simulator.requests("group.update"), writes);

    let only = |mode: pb::SyncMode| pb::SyncMembersRequest {
        mode: mode.into(),
        max_removals: None,
        ..guarded.clone()
    };
    let plan = gateway
        .members
        .clone()
        .sync_members(only(pb::SyncMode::AddOnly))
        .await
        .unwrap()
        .into_inner()
        .plan
        .unwrap();
    assert_eq!((plan.to_add, plan.to_remove.len(), plan.kept), (people(11..=11), 0, 10));
    let plan = gateway
        .members
        .clone()
        .sync_members(only(pb::SyncMode::RemoveOnly))
        .await
        .unwrap()
        .into_inner()
        .plan
        .unwrap();
    assert_eq!((plan.to_add.len(), plan.to_remove), (0, people(1..=9)));
    assert_eq!(listed(&gateway, &group).await, [vec![user("manager4220")], people(10..=11)].concat());
}

#[tokio::test]
async fn bad_lists_are_refused_before_any_call() {
    let gateway = Gateway::start().await;
    let group = pb::Group {
        r#ref: Some(pb::GroupRef { chat_id: "chat1".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    for (members, named) in [
        (Vec::new(), "members"),
        (people(1..=1001), "members"),
        (vec![user("a"), user("a")], "members[1]"),
        (vec![user(" ")], "members[0].user_id"),
        (vec![pb::MemberRef { id: None }], "members[0].id"),
    ] {
        let status = gateway.members.clone().add_members(add(&group, members.clone())).await.unwrap_err();
        assert_eq!(fields(&status), [named]);
        let status =
            gateway.members.clone().remove_members(remove(&group, members.clone())).await.unwrap_err();
        assert_eq!(fields(&status), [named]);
        let status = gateway.members.clone().sync_members(sync(&group, members)).await.unwrap_err();
        assert_eq!(fields(&status), [named]);
    }
    let modeless = pb::SyncMembersRequest { mode: 0, ..sync(&group, people(1..=1)) };
    let status = gateway.members.clone().sync_members(modeless).await.unwrap_err();
    assert_eq!(fields(&status), ["mode"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn chunks_have_the_configured_size_and_plans_say_so() {
    let sizes = [
        ("group.create", 5),
        ("group.update", 10),
        ("group.admins.set", 2),
        ("scene.create", 3),
        ("scene.members.add", 4),
        ("scene.members.remove", 6),
        ("scene.members.mute.set", 2),
    ];
    let sizes: toml::Table = sizes.map(|(id, size)| (id.to_owned(), size.into())).into_iter().collect();
    let gateway = Gateway::start_with(|sources| sources.with("apps.demo.chunk_sizes", sizes)).await;
    let staff: Vec<_> = (1..=14).map(|i| user(&format!("user{i:03}"))).collect();
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let scenario = pb::create_group_request::Kind::Scenario(scenario);
    let internal = pb::CreateGroupRequest { members: staff.clone(), ..new_group("Small steps") };
    for (create, operations) in [
        (internal.clone(), ["group.create", "group.update", "group.update"]),
        (
            pb::CreateGroupRequest { kind: Some(scenario), ..internal },
            ["scene.create", "scene.members.add", "scene.members.remove"],
        ),
    ] {
        let scene = operations[0] == "scene.create";
        let plan = pb::CreateGroupRequest { validate_only: true, ..create.clone() };
        let plan = gateway.groups.clone().create_group(plan).await.unwrap().into_inner().planned_calls;
        // With the owner they are 15: 5 + 10, or 3 + 12.
        let further = if scene { 3 } else { 1 };
        assert_eq!(plan.iter().map(|call| call.count).collect::<Vec<_>>(), [1, further]);
        let group = gateway.create(create).await;
        assert_eq!(gateway.simulator.requests(operations[1]), further as u64);

        let handle = || group.r#ref.clone();
        let grant = pb::GrantAdminsRequest {
            group: handle(),
            members: staff[..4].to_vec(),
            validate_only: true,
            ..Default::default()
        };
        let plan = gateway.members.clone().grant_admins(grant).await.unwrap().into_inner().planned_calls;
        assert_eq!(plan[0].count, if scene { 1 } else { 2 }, "what is not configured is as documented");
        let before = gateway.simulator.requests(operations[2]);
        let reply = gateway.members.clone().remove_members(remove(&group, staff[..13].to_vec())).await;
        assert!(reply.unwrap().into_inner().complete);
        let expected = if scene { 3 } else { 2 };
        assert_eq!(gateway.simulator.requests(operations[2]) - before, expected);
        if scene {
            let mute = pb::MuteMembersRequest {
                group: handle(),
                members: staff[13..].to_vec(),
                duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
                ..Default::default()
            };
            assert!(gateway.members.clone().mute_members(mute).await.unwrap().into_inner().complete);
            let muted = gateway.simulator.requests("scene.members.mute.set");
            assert_eq!(muted, 1);
        }
    }
}
