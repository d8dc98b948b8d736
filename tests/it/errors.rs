//! Every error that DingTalk documents for an operation, met through the RPC that makes the call: the catalogue knows
//! it, and the caller is told its reason, under the gRPC code and with the details that the contract documents.

mod documented;
mod general;
mod ways;

use std::collections::BTreeSet;

use dinggate::{
    config::Sources,
    dingtalk::{Applied, Auth, Reason, Repeat, Spec, catalogue},
    operation,
};
use dinggate_simulator::{
    Fault, Options, Simulator,
    reference::{self, DocumentedError},
};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use self::ways::{Way, internal, scene, ways};
use crate::{
    rpc::{self, Names, ask, handle},
    support::{Gateway, metadata, reason, sources},
};

/// A group of each kind.
struct Scenery {
    simulator: Simulator,
    names: Names,
}

impl Scenery {
    async fn new() -> Self {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let creator = Gateway::start_before(simulator.clone(), sources(&simulator.url())).await;
        let internal = handle(&ask(&creator.channel, "GroupService/CreateGroup", &internal()).await);
        let scene = handle(&ask(&creator.channel, "GroupService/CreateGroup", &scene()).await);
        let chat = json!({ "chat_id": internal["chat_id"] });
        let names = Names::from([("$internal", internal), ("$scene", scene), ("$chat", chat)]);
        Self { simulator, names }
    }

    /// A gateway that has met nothing yet: no group for which it would have to wait, no throttle, no token. It tries
    /// once, asks DingTalk each time, and does not mind how often that fails.
    async fn gateway(&self, adapt: impl FnOnce(Sources) -> Sources) -> Gateway {
        let sources = sources(&self.simulator.url());
        let sources = sources.with("retry.max_attempts", 1).with("cache.enabled", false);
        let sources = sources.with("breaker.failures", 1_000_000);
        Gateway::start_before(self.simulator.clone(), adapt(sources)).await
    }

    /// One whose RPCs go this way.
    async fn gateway_for(&self, way: &Way) -> Gateway {
        self.gateway(|sources| match way.operation {
            "auth.access_token.get" => sources.with("apps.demo.token_endpoint", "access_token"),
            "auth.gettoken_legacy" => sources.with("apps.demo.token_endpoint", "gettoken"),
            _ if way.legacy => sources.with("apps.demo.generation", "legacy"),
            _ => sources,
        })
        .await
    }

    /// Makes the RPC that makes the call; what came back, be it the status of the RPC or of a member.
    async fn call(&self, gateway: &Gateway, way: &Way) -> Result<(), Status> {
        let method = rpc::method(way.rpc);
        let request = rpc::message(&method.input(), &rpc::fill(&way.request, &self.names));
        first(&rpc::call(&gateway.channel, &method, &request).await?)
    }
}

/// What became of the first member, as a status.
fn first(answer: &DynamicMessage) -> Result<(), Status> {
    let results = answer.get_field_by_name("member_results");
    let result = results.as_ref().and_then(|results| results.as_list()?.first()?.as_message());
    let Some(result) = result.filter(|result| result.has_field_by_name("status")) else { return Ok(()) };
    let status = result.get_field_by_name("status").unwrap().as_message().unwrap().encode_to_vec();
    let read = tonic_types::pb::Status::decode(&status[..]).unwrap();
    Err(Status::with_details(Code::from(read.code), read.message, status.into()))
}

/// What the caller of an operation is told of a code.
fn expected_reason(spec: &Spec, row: &catalogue::Row) -> &'static str {
    let acts_again = matches!(spec.repeat, Repeat::Once | Repeat::Keyed);
    if acts_again && row.applied == Applied::Maybe {
        Reason::OutcomeUnknown.as_str()
    } else {
        row.reason.as_str()
    }
}

fn fault(error: &DocumentedError) -> Fault {
    Fault::Error {
        status: error.http,
        code: error.code.clone(),
        sub_code: None,
        message: "文字".to_owned(),
        applied: false,
    }
}

/// Whether a gateway goes on differently once it has met this: a throttle closes a budget, a fetch of a token that
/// failed is not repeated at once.
fn is_remembered(spec: &Spec, row: &catalogue::Row) -> bool {
    row.reason == Reason::AppRateLimited || spec.auth == Auth::None
}

/// Lets the operation fail like this; where what the caller is told differs from what the contract says.
async fn meet(
    scenery: &Scenery,
    gateway: &Gateway,
    spec: &Spec,
    way: &Way,
    error: &DocumentedError,
    row: &catalogue::Row,
) -> Vec<String> {
    // A refused token is replayed once, and refused again.
    let times = if row.retryable == catalogue::Retryable::AfterTokenRefresh { 2 } else { 1 };
    scenery.simulator.fail_next(spec.id, times, fault(error));
    let outcome = scenery.call(gateway, way).await;
    scenery.simulator.clear_faults();
    let Err(status) = outcome else { return vec!["no error".to_owned()] };
    let mut breaches = documented::breaches(&status);
    let text = status.get_details_localized_message().map(|text| text.message).unwrap_or_default();
    for (what, told, expected) in [
        ("the reason", reason(&status), expected_reason(spec, row)),
        ("upstream_code", metadata(&status, "upstream_code"), &error.code),
        ("operation", metadata(&status, "operation"), way.blamed()),
        ("DingTalk's text", text, "文字"),
    ] {
        if told != expected {
            breaches.push(format!("{what} is {told:?}, not {expected:?}"));
        }
    }
    if let Some(resource) = status.get_details_resource_info()
        && let Some(named) = way.named(&resource.resource_type)
        && resource.resource_name != named
    {
        breaches.push(format!("it is about {:?}, not {named:?}", resource.resource_name));
    }
    if status.message().contains("文字") {
        breaches.push("DingTalk's text is passed off as ours".to_owned());
    }
    breaches
}

#[tokio::test]
async fn every_documented_error_of_an_operation_reaches_the_caller_with_its_reason() {
    let (scenery, ways) = (Scenery::new().await, ways());
    let (mut walked, mut faults) = (BTreeSet::new(), Vec::new());
    for spec in operation::ALL {
        let documented = reference::operations().iter().find(|operation| operation.id == spec.id).unwrap();
        let mut fresh = None;
        for error in &documented.errors {
            let case = format!("{} {}", spec.id, error.code);
            let Some(row) = catalogue::find(spec.generation, error.http, &error.code, None) else {
                faults.push(format!("{case}: the catalogue does not know it"));
                continue;
            };
            let Some(way) = ways.iter().find(|way| way.operation == spec.id) else {
                faults.push(format!("{case}: say in ways.rs which RPC calls it"));
                continue;
            };
            let gateway = match fresh.take() {
                Some(gateway) => gateway,
                None => scenery.gateway_for(way).await,
            };
            let breaches = meet(&scenery, &gateway, spec, way, error, row).await;
            faults.extend(breaches.into_iter().map(|breach| format!("{case} through {}: {breach}", way.rpc)));
            walked.insert(spec.id);
            fresh = Some(gateway).filter(|_| !is_remembered(spec, row));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let stale: Vec<_> = ways.iter().map(|way| way.operation).filter(|id| !walked.contains(id)).collect();
    assert!(stale.is_empty(), "no error is documented for {stale:?}, or there is no such operation");
}
