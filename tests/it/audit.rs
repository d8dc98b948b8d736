//! The audit log: who did what, to which group, and how it ended.

use std::path::Path;

use dinggate::{
    config::Sources,
    pb::{admin as admin_pb, admin::token_service_client::TokenServiceClient, group as pb},
};
use dinggate_simulator::Fault;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tonic::{Code, Request};

use crate::support::{Gateway, new_group, user};

fn audited(sources: Sources, file: &Path) -> Sources {
    sources.with("audit.path", file.to_str().unwrap())
}

/// The lines once there are so many, without what differs from run to run.
async fn lines(file: &Path, count: usize) -> Vec<Value> {
    loop {
        let text = std::fs::read_to_string(file).unwrap();
        if text.lines().count() >= count && text.ends_with('\n') {
            return text.lines().map(line).collect();
        }
        yield_now().await;
    }
}

fn line(text: &str) -> Value {
    let mut line: Value = serde_json::from_str(text).unwrap();
    let fields = line.as_object_mut().unwrap();
    let time = fields.remove("time").unwrap();
    assert!(humantime::parse_rfc3339(time.as_str().unwrap()).is_ok(), "{time}");
    assert!(fields.remove("duration_ms").unwrap().as_f64().unwrap() >= 0.0);
    fields.remove("trace_id");
    if fields["upstream_calls"] != 0 {
        assert!(fields.remove("upstream_request_id").is_some(), "{text}");
    }
    line
}

fn called<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-dinggate-caller", "orders".parse().unwrap());
    request
}

#[tokio::test]
async fn writes_have_their_lines_and_reads_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit");
    let gateway = Gateway::start_with(|sources| audited(sources, &file)).await;
    let (mut groups, mut members) = (gateway.groups.clone(), gateway.members.clone());
    let made = groups.create_group(called(new_group("A secret title"))).await.unwrap();
    let handle = made.into_inner().group.unwrap().r#ref.unwrap();
    let get = pb::GetGroupRequest { group: Some(handle.clone()), ..Default::default() };
    groups.get_group(called(get)).await.unwrap();
    let add = pb::AddMembersRequest {
        app: "demo".to_owned(),
        group: Some(handle.clone()),
        members: vec![user("user003"), user("user001")],
        ..Default::default()
    };
    members.add_members(called(pb::AddMembersRequest { validate_only: true, ..add.clone() })).await.unwrap();
    members.add_members(called(add.clone())).await.unwrap();
    members.add_members(called(pb::AddMembersRequest { members: vec![], ..add })).await.unwrap_err();
    let mut tokens = TokenServiceClient::new(gateway.channel.clone());
    tokens.get_access_token(called(admin_pb::GetAccessTokenRequest::default())).await.unwrap_err();
    gateway.stop().await;

    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("user00") && !text.contains("title"), "{text}");
    let ids = json!([{ "open_conversation_id": handle.open_conversation_id, "chat_id": handle.chat_id }]);
    let found = lines(&file, 5).await;
    let base = json!({ "caller": "orders", "app": "demo", "code": "OK", "upstream_calls": 0 });
    let with = |more: Value| {
        let mut line = base.clone();
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    };
    let expected = [
        with(json!({ "rpc": "GroupService/CreateGroup", "groups": ids, "members": 2, "upstream_calls": 1,
            "outcomes": found[0]["outcomes"] })),
        with(
            json!({ "rpc": "MemberService/AddMembers", "groups": ids, "members": 2, "validate_only": true }),
        ),
        with(json!({ "rpc": "MemberService/AddMembers", "groups": ids, "members": 2, "upstream_calls": 1,
            "outcomes": found[2]["outcomes"] })),
        with(json!({ "rpc": "MemberService/AddMembers", "groups": ids, "members": 0,
            "code": "INVALID_ARGUMENT", "reason": "FIELD_INVALID" })),
        with(
            json!({ "rpc": "TokenService/GetAccessToken", "code": "PERMISSION_DENIED", "reason": "CALLER_NOT_ALLOWED" }),
        ),
    ];
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    let counted = found[2]["outcomes"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
    assert_eq!(counted.sum::<u64>(), 2, "{found:?}");
    assert_eq!(found.len(), 5);
}

/// What was sent is followed to its end, with a `request_id` or without.
#[tokio::test]
async fn a_write_whose_caller_left_has_its_line_when_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit");
    let gateway = Gateway::start_with(|sources| audited(sources, &file)).await;
    let ids = ["", "6f1c2f9e-3b5a-4d0e-9c1d-2a7b8e4f0a11"];
    for (done, id) in ids.into_iter().enumerate() {
        gateway.simulator.fail_next("group.create", 1, Fault::Delay { ms: 300 });
        let request = pb::CreateGroupRequest { request_id: id.to_owned(), ..new_group("A group") };
        let mut groups = gateway.groups.clone();
        let call = tokio::spawn(async move { groups.create_group(called(request)).await });
        while gateway.simulator.requests("group.create") <= done as u64 {
            yield_now().await;
        }
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        let line = lines(&file, done + 1).await.pop().unwrap();
        assert_eq!((&line["rpc"], &line["caller_left"]), (&json!("GroupService/CreateGroup"), &json!(true)));
        assert_eq!(line["upstream_calls"], 1);
        // Only the work under a request id has an answer that somebody may still ask for.
        let code = if id.is_empty() { "CANCELLED" } else { "OK" };
        assert_eq!(line["code"], code, "{line}");
        assert_eq!(gateway.simulator.groups().len(), done + 1, "the line came after the group");
    }
}

#[tokio::test]
async fn what_the_policy_refuses_is_told_with_the_identity() {
    let folder = tempfile::tempdir().unwrap();
    let (file, tokens) = (folder.path().join("audit"), folder.path().join("tokens"));
    let (token, line) = dinggate::identity::new_token("bot").unwrap();
    std::fs::write(&tokens, line).unwrap();
    let list = |item: &str| toml::Value::from(vec![item]);
    let gateway = Gateway::start_with(|sources| {
        audited(sources, &file)
            .with("auth.mode", "static")
            .with("auth.static.tokens_file", tokens.to_str().unwrap())
            .with("auth.callers.robot.identities", list("static:bot"))
            .with("auth.callers.robot.apps", list("demo"))
            .with("auth.callers.robot.rpcs", list("MemberService/*"))
            .with("auth.callers.robot.groups", list("cidMine"))
    })
    .await;
    let mut create = called(new_group("A group"));
    create.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(gateway.groups.clone().create_group(create).await.unwrap_err().code(), Code::PermissionDenied);
    let group = Some(pb::GroupRef { chat_id: "chatother".to_owned(), ..Default::default() });
    let mut add =
        called(pb::AddMembersRequest { group, members: vec![user("user001")], ..Default::default() });
    add.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(gateway.members.clone().add_members(add).await.unwrap_err().code(), Code::PermissionDenied);
    let unknown = called(pb::AddMembersRequest::default());
    assert_eq!(gateway.members.clone().add_members(unknown).await.unwrap_err().code(), Code::Unauthenticated);
    gateway.stop().await;
    let refused = json!({ "caller": "robot", "identity": "static:bot", "app": "", "code": "PERMISSION_DENIED",
        "reason": "CALLER_NOT_ALLOWED", "upstream_calls": 0 });
    let mut expected = [refused.clone(), refused];
    expected[0]["rpc"] = json!("GroupService/CreateGroup");
    // The only one it may use.
    expected[1]["app"] = json!("demo");
    expected[1]["rpc"] = json!("MemberService/AddMembers");
    expected[1]["groups"] = json!([{ "chat_id": "chatother" }]);
    expected[1]["members"] = json!(1);
    assert_eq!(lines(&file, 2).await, expected, "nobody who is not known fills the disk");
}
