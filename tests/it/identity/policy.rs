//! Apps, groups, priority: what a request may name.

use dinggate::{
    event::Change,
    pb::{
        admin::{ListAppsRequest, admin_service_client::AdminServiceClient},
        group::{
            self as pb, GroupRef, group_event_service_client::GroupEventServiceClient, group_result,
            group_service_client::GroupServiceClient,
        },
    },
};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value};

use super::*;
use crate::{events::event, support::new_group};

fn two_apps(sources: Sources) -> Sources {
    sources.with("apps.other.app_key", "dingother").with("apps.other.app_secret", "other-secret")
}

fn request<M>(message: M, proof: &MetadataMap) -> Request<M> {
    let mut request = Request::new(message);
    *request.metadata_mut() = proof.clone();
    request
}

fn open_id(id: &str) -> Option<GroupRef> {
    Some(GroupRef { open_conversation_id: id.to_owned(), ..Default::default() })
}

#[tokio::test]
async fn a_caller_uses_its_apps_and_hears_of_no_other() {
    let site = Site::new();
    let (one, both) = (bearer(&site.token("one")), bearer(&site.token("both")));
    let gateway = Gateway::start_with(|sources| {
        let rpcs = ["*", "AdminService/ListApps"];
        let sources = caller(site.sources(two_apps(sources)), "one", &["demo"], &rpcs);
        caller(sources, "both", &["demo", "other"], &rpcs)
    })
    .await;
    let mut groups = GroupServiceClient::new(gateway.channel.clone());
    let get = |app: &str| pb::GetGroupRequest {
        app: app.to_owned(),
        group: open_id("cid/unheard"),
        ..Default::default()
    };
    for app in ["other", "no-such-app", "../demo"] {
        let status = groups.get_group(request(get(app), &one)).await.unwrap_err();
        let expected = groups.get_group(request(get("yet-another"), &one)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, expected.message()), "{app}");
    }
    // Whoever may not use the app does not learn what is wrong with the request.
    let faulty = pb::GetGroupRequest { app: "other".to_owned(), ..Default::default() };
    assert_eq!(groups.get_group(request(faulty, &one)).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));

    // Without an app: the only one of this caller; not of one that has two.
    let status = groups.get_group(request(get(""), &one)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
    let status = groups.get_group(request(get(""), &both)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));

    let mut admin = AdminServiceClient::new(gateway.channel.clone());
    for (proof, expected) in [(&one, &["demo"][..]), (&both, &["demo", "other"])] {
        let list = admin.list_apps(request(ListAppsRequest::default(), proof)).await.unwrap().into_inner();
        assert_eq!(list.apps.iter().map(|app| app.alias.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(list.next_page_token, "");
    }
}

/// The field with which a request names a group, if it can.
fn states_groups(message: &MessageDescriptor) -> bool {
    message.fields().any(|field| match field.kind() {
        Kind::Message(inner) if inner.full_name() == "dinggate.group.v1.GroupRef" => true,
        Kind::Message(inner) if inner.package_name().starts_with("dinggate.") => states_groups(&inner),
        _ => false,
    })
}

/// Puts this handle wherever the message has one, and says how often.
fn put(message: &mut DynamicMessage, handle: &DynamicMessage) -> usize {
    let mut count = 0;
    for field in message.descriptor().fields() {
        let Kind::Message(inner) = field.kind() else { continue };
        if inner.full_name() == "dinggate.group.v1.GroupRef" {
            let value = Value::Message(handle.clone());
            message.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
            count += 1;
        } else if inner.package_name().starts_with("dinggate.") && !field.is_list() && states_groups(&inner) {
            let mut below = message.get_field(&field).as_message().cloned().unwrap();
            count += put(&mut below, handle);
            message.set_field(&field, Value::Message(below));
        }
    }
    count
}

/// Walks the contract: a request with a handle that the filter does not see fails here.
#[tokio::test]
async fn a_caller_with_a_list_of_groups_reaches_no_other_by_any_rpc() {
    let site = Site::new();
    let proof = bearer(&site.token("some"));
    let gateway = Gateway::start_with(|sources| {
        let sources = caller(site.sources(sources), "some", &["*"], &["*", "GroupService/DeleteGroup"]);
        sources.with("auth.callers.some.groups", toml::Value::from(vec!["cidMine", "chatmine"]))
    })
    .await;
    let handle = |open_id: &str, chat_id: &str| {
        let handle =
            GroupRef { open_conversation_id: open_id.to_owned(), chat_id: chat_id.to_owned(), kind: 0 };
        let pool = methods()[0].parent_pool().clone();
        let descriptor = pool.get_message_by_name("dinggate.group.v1.GroupRef").unwrap();
        let bytes = prost::Message::encode_to_vec(&handle);
        DynamicMessage::decode(descriptor, &bytes[..]).unwrap()
    };
    let of_others = [
        handle("cidOther", ""),
        handle("", "chatother"),
        // An allowed id must not lead to the group of another.
        handle("cidMine", "chatother"),
        handle("cidOther", "chatmine"),
        handle("", ""),
    ];
    let mut walked = 0;
    for method in methods().into_iter().filter(|method| states_groups(&method.input())) {
        // It answers for each group by itself: the next test.
        if method.name() == "BatchGetGroups" {
            continue;
        }
        for other in &of_others {
            let mut request = valid::message(&method.input());
            assert_eq!(put(&mut request, other), 1, "{}", path_of(&method));
            let bytes = prost::Message::encode_to_vec(&request);
            let answer = send(&gateway.channel, &path_of(&method), &proof, bytes.into()).await;
            let later = is(&answer, (Code::Unimplemented, "NOT_IMPLEMENTED"));
            assert!(later || is(&answer, DENIED), "{}: {answer:?}", path_of(&method));
            walked += usize::from(!later);
        }
        // Who names none there gets those that it may see: a test below.
        if method.parent_service().name() == "GroupEventService" {
            continue;
        }
        let mut nothing = valid::message(&method.input());
        for field in method.input().fields().filter(|field| field.name().starts_with("group")) {
            nothing.clear_field(&field);
        }
        let bytes = prost::Message::encode_to_vec(&nothing);
        let answer = send(&gateway.channel, &path_of(&method), &proof, bytes.into()).await;
        let later = is(&answer, (Code::Unimplemented, "NOT_IMPLEMENTED"));
        assert!(later || is(&answer, DENIED), "{} names none: {answer:?}", path_of(&method));
    }
    assert!(walked > 100, "{walked}");
    assert_eq!((gateway.simulator.total_requests(), gateway.simulator.token_requests()), (0, 0));

    let mut groups = GroupServiceClient::new(gateway.channel.clone());
    let status = groups.create_group(request(new_group("A group"), &proof)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("create groups"), "{}", status.message());
    assert_eq!(gateway.simulator.total_requests(), 0);
}

#[tokio::test]
async fn a_batch_of_groups_is_answered_for_each_of_them() {
    let site = Site::new();
    let proof = bearer(&site.token("some"));
    let gateway = Gateway::start_with(|sources| {
        let sources = caller(site.sources(sources), "some", &["*"], &["GroupService/*"]);
        sources.with("auth.callers.some.groups", toml::Value::from(vec!["cidMine"]))
    })
    .await;
    let groups = ["cidOther", "cidMine"].map(|id| open_id(id).unwrap()).to_vec();
    let batch = request(pb::BatchGetGroupsRequest { groups, ..Default::default() }, &proof);
    let answer = gateway.groups.clone().batch_get_groups(batch).await.unwrap().into_inner();
    let codes = answer.results.iter().map(|result| match &result.result {
        Some(group_result::Result::Status(status)) => Code::from(status.code),
        other => panic!("{other:?}"),
    });
    assert_eq!(codes.collect::<Vec<_>>(), [Code::PermissionDenied, Code::NotFound]);
    assert_eq!(gateway.simulator.total_requests(), 1, "for the allowed one");
}

#[tokio::test]
async fn a_caller_with_a_list_of_groups_sees_their_events_and_no_others() {
    let site = Site::new();
    let proof = bearer(&site.token("some"));
    let gateway = Gateway::start_with(|sources| {
        let sources = caller(site.sources(sources), "some", &["*"], &["*"]);
        let sources = sources.with("events.mode", "stream");
        sources.with("auth.callers.some.groups", toml::Value::from(vec!["cid1", "chat2"]))
    })
    .await;
    let events = (0..4).map(|group| event(&group.to_string(), group, Change::GroupDisbanded));
    gateway.feed.accept("demo", None, events.collect()).await.unwrap();
    let mut client = GroupEventServiceClient::new(gateway.channel.clone());
    let answer = client.list_group_events(request(pb::ListGroupEventsRequest::default(), &proof)).await;
    let events = answer.unwrap().into_inner().events;
    assert_eq!(events.iter().map(|event| event.event_id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn the_proven_name_counts_and_the_stated_one_does_not() {
    let site = Site::new();
    let (one, two) = (bearer(&site.token("one")), bearer(&site.token("two")));
    let gateway = Gateway::start_with(|sources| {
        caller(caller(site.sources(sources), "one", &["*"], &["*"]), "two", &["*"], &["*"])
    })
    .await;
    let id = "6f1c2f9e-3b5a-4d0e-9c1d-2a7b8e4f0a11".to_owned();
    let create = pb::CreateGroupRequest { request_id: id, ..new_group("A group") };
    let mut made = Vec::new();
    for proof in [&one, &one, &two] {
        let mut proof = proof.clone();
        // Everybody says the same name: who they are decides.
        proof.insert("x-dinggate-caller", "one".parse().unwrap());
        let answer = gateway.groups.clone().create_group(request(create.clone(), &proof)).await.unwrap();
        made.push(answer.into_inner().group.unwrap().r#ref.unwrap().chat_id);
    }
    assert_eq!(made[0], made[1]);
    assert_ne!(made[0], made[2], "the outcome of a request id belongs to its caller");
    assert_eq!(gateway.simulator.requests("group.create"), 2);
}
