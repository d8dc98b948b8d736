//! Bad input to the RPCs on members: every fault at once and nothing sent; and per member what only DingTalk can tell.

use dinggate::pb::group as pb;
use tonic::{Code, Status};

use crate::support::{Gateway, fields, new_group, people, reason, user};

/// A list in which everything is wrong that can be wrong at once.
fn bad() -> Vec<pb::MemberRef> {
    vec![user("user001"), user("user001"), user("has space"), pb::MemberRef { id: None }]
}

const BAD: [&str; 3] = ["members[1]", "members[2].user_id", "members[3].id"];

fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, expected: &[&str]) {
    let status = outcome.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let (mut named, mut expected) = (fields(&status), expected.to_vec());
    named.sort();
    expected.sort_unstable();
    assert_eq!(named, expected);
}

/// Sends a list where everything is wrong, an empty one, and one that is too long by one. `more` is what the request
/// lacks besides.
macro_rules! lists_are_refused {
    ($gateway:ident, $rpc:ident, $request:ident, $most:literal, $more:expr) => {
        let request = |members| pb::$request { members, ..Default::default() };
        let app = "nobody".to_owned();
        let all = pb::$request { app, request_id: "not-a-uuid".to_owned(), ..request(bad()) };
        let expected = [&BAD[..], &["app", "group", "request_id"], &$more].concat();
        refused($gateway.members.clone().$rpc(all).await, &expected);
        for list in [Vec::new(), people(1..=$most + 1)] {
            let expected = [&["group", "members"][..], &$more].concat();
            refused($gateway.members.clone().$rpc(request(list)).await, &expected);
        }
    };
}

#[tokio::test]
async fn bad_lists_are_refused_with_every_fault_by_every_rpc() {
    let gateway = Gateway::start().await;
    const NOTHING: [&str; 0] = [];
    lists_are_refused!(gateway, add_members, AddMembersRequest, 1000, NOTHING);
    lists_are_refused!(gateway, remove_members, RemoveMembersRequest, 1000, NOTHING);
    lists_are_refused!(gateway, sync_members, SyncMembersRequest, 1000, ["mode"]);
    lists_are_refused!(gateway, grant_admins, GrantAdminsRequest, 100, NOTHING);
    lists_are_refused!(gateway, revoke_admins, RevokeAdminsRequest, 100, NOTHING);
    lists_are_refused!(gateway, mute_members, MuteMembersRequest, 999, ["duration"]);
    lists_are_refused!(gateway, unmute_members, UnmuteMembersRequest, 999, NOTHING);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

#[tokio::test]
async fn the_other_fields_are_refused_likewise() {
    let gateway = Gateway::start().await;
    let sync = pb::SyncMembersRequest {
        members: vec![user("user001")],
        keep: vec![user("user002"), user("user002")],
        mode: 9,
        max_removals: Some(-1),
        ..Default::default()
    };
    let expected = ["group", "keep[1]", "max_removals", "mode"];
    refused(gateway.members.clone().sync_members(sync).await, &expected);
    let name = pb::SetMemberNicknameRequest {
        nickname: "x".repeat(31),
        request_id: "not-a-uuid".to_owned(),
        ..Default::default()
    };
    let expected = ["group", "member", "nickname", "request_id"];
    refused(gateway.members.clone().set_member_nickname(name).await, &expected);
    let ask = pb::GetMuteStatusRequest::default();
    refused(gateway.members.clone().get_mute_status(ask).await, &["group", "member"]);
    let list = pb::ListMembersRequest { page_size: -1, page_token: "x".to_owned(), ..Default::default() };
    refused(gateway.members.clone().list_members(list).await, &["group", "page_size", "page_token"]);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));
}

/// An internal and a scenario group with the same people.
async fn one_of_each(gateway: &Gateway) -> [Option<pb::GroupRef>; 2] {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    let scene = pb::CreateGroupRequest { kind, ..new_group("Scene") };
    [gateway.group().await.r#ref, gateway.create(scene).await.r#ref]
}

#[tokio::test]
async fn an_owner_who_is_to_be_removed_stays_without_a_write() {
    let gateway = Gateway::start().await;
    for group in one_of_each(&gateway).await {
        let request =
            pb::RemoveMembersRequest { group, members: vec![user("manager4220")], ..Default::default() };
        let reply = gateway.members.clone().remove_members(request).await.unwrap().into_inner();
        assert_eq!(reply.member_results[0].outcome(), pb::MemberOutcome::Failed);
        let status = reply.member_results[0].status.as_ref().unwrap();
        assert_eq!(Code::from(status.code), Code::FailedPrecondition);
        assert!(reply.complete);
    }
    let writes = ["group.update", "scene.members.remove"].map(|id| gateway.simulator.requests(id));
    assert_eq!(writes, [0, 0]);
}

#[tokio::test]
async fn who_is_no_member_does_not_become_an_admin_and_the_others_do() {
    let gateway = Gateway::start().await;
    for group in one_of_each(&gateway).await {
        let request = pb::GrantAdminsRequest {
            group,
            members: vec![user("user001"), user("user050"), user("user002")],
            ..Default::default()
        };
        let reply = gateway.members.clone().grant_admins(request).await.unwrap().into_inner();
        let outcomes: Vec<_> = reply.member_results.iter().map(|result| result.outcome()).collect();
        use pb::MemberOutcome::{Applied, Failed};
        assert_eq!(outcomes, [Applied, Failed, Applied]);
        assert!(reply.complete);
    }
}
