//! Every `buf.validate` annotation of every request is broken once, alone, over real gRPC: the answer must name the
//! field, and DingTalk must not be asked. The annotations are read from the descriptors, so a new rule and a newly served
//! RPC are covered without a change here; only a rule in CEL needs an entry in `cel.rs`.

mod cel;
pub mod valid;
mod violation;

use std::collections::BTreeSet;

use dinggate::pb;
use prost::{Message as _, bytes::Bytes};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use tonic::{Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery};

use crate::{
    contract::{Raw, SERVED},
    support::{Gateway, fields, reason},
};

pub fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).expect("the descriptors of the contract");
    pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// As in the request path.
pub fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Waits for the status only, so that a stream without events is no reason to wait.
async fn send(gateway: &Gateway, method: &MethodDescriptor, request: &DynamicMessage) -> Result<(), Status> {
    let mut grpc = Grpc::new(gateway.channel.clone());
    grpc.ready().await.expect("connected");
    let path = PathAndQuery::try_from(path_of(method)).expect("a path");
    let request = Request::new(Bytes::from(request.encode_to_vec()));
    grpc.server_streaming(request, path, Raw).await.map(drop)
}

/// The faulty fields that an answer names; none if it is about something else, such as a group that does not exist.
fn named(answer: &Result<(), Status>) -> Vec<String> {
    match answer {
        Err(status) if reason(status) == "FIELD_INVALID" => {
            assert_eq!(status.code(), Code::InvalidArgument);
            fields(status)
        }
        _ => Vec::new(),
    }
}

/// The messages of ours that a request can hold, itself included, each by the fields that lead to it.
fn places(message: &MessageDescriptor) -> Vec<(Vec<FieldDescriptor>, MessageDescriptor)> {
    let mut found = vec![(Vec::new(), message.clone())];
    for field in message.fields().filter(|field| !field.is_map()) {
        let Kind::Message(inner) = field.kind() else { continue };
        if inner.package_name().starts_with("dinggate.") {
            for (mut steps, place) in places(&inner) {
                steps.insert(0, field.clone());
                found.push((steps, place));
            }
        }
    }
    found
}

/// The message that the fields lead to, with valid ones on the way where there were none.
fn enter<'m>(request: &'m mut DynamicMessage, steps: &[FieldDescriptor]) -> &'m mut DynamicMessage {
    let Some((field, rest)) = steps.split_first() else { return request };
    if !request.has_field(field) {
        request.set_field(field, valid::value(field));
    }
    let value = request.get_field_mut(field);
    let value = if field.is_list() { &mut value.as_list_mut().unwrap()[0] } else { value };
    enter(value.as_message_mut().unwrap(), rest)
}

/// `members[0].user_id`
fn path(steps: &[FieldDescriptor], below: &str) -> String {
    let step =
        |field: &FieldDescriptor| format!("{}{}", field.name(), if field.is_list() { "[0]" } else { "" });
    let path = steps.iter().map(step).collect::<Vec<_>>().join(".") + below;
    path.trim_start_matches('.').to_owned()
}

#[tokio::test]
async fn every_rule_is_enforced_and_names_its_field() {
    let gateway = Gateway::start().await;
    let calls = || (gateway.simulator.total_requests(), gateway.simulator.token_requests());
    let mut walked = BTreeSet::new();
    for method in methods() {
        let rpc = path_of(&method);
        let answer = send(&gateway, &method, &valid::message(&method.input())).await;
        if answer.as_ref().is_err_and(|status| status.code() == Code::Unimplemented) {
            continue;
        }
        assert_eq!(named(&answer), [""; 0], "{rpc}: the request is meant to be valid");
        for (steps, place) in places(&method.input()) {
            let mut kept = valid::message(&method.input());
            enter(&mut kept, &steps);
            cel::mend(&mut kept, "");
            let faulty_before = named(&send(&gateway, &method, &kept).await);
            for violation in violation::of(&place) {
                let mut broken = kept.clone();
                (violation.commit)(enter(&mut broken, &steps));
                cel::mend(&mut broken, &violation.rule);
                let (path, before) = (path(&steps, &violation.path), calls());
                let answer = send(&gateway, &method, &broken).await;
                let rule = format!("{rpc}: {} of {path}", violation.rule);
                let named = named(&answer);
                assert!(named.contains(&path), "{rule}: {named:?} {answer:?}");
                assert!(!faulty_before.contains(&path), "{rule}: named although it was kept");
                assert_eq!(calls(), before, "{rule}: DingTalk was asked");
            }
        }
        walked.insert(rpc);
    }
    for served in SERVED {
        assert!(walked.contains(served), "{served} was not walked");
    }
}

/// Also for the RPCs that are not served yet: nobody has to come back when they are.
#[test]
fn every_rule_of_the_contract_can_be_broken() {
    let mut rules = BTreeSet::new();
    for input in methods().iter().map(MethodDescriptor::input) {
        for (steps, place) in places(&input) {
            for violation in violation::of(&place) {
                let mut request = valid::message(&input);
                (violation.commit)(enter(&mut request, &steps));
                rules.insert(violation.rule);
            }
        }
    }
    for entry in cel::RULES {
        assert!(rules.contains(entry.id), "{} is no rule of the contract any more", entry.id);
    }
}
