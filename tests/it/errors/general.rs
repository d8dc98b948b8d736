//! Errors that no operation documents: throttles, bans, answers that are none, and the gateway's own refusals.

use dinggate::config::Sources;
use dinggate_simulator::Fault;
use prost::{Message as _, bytes::Bytes};
use serde_json::json;
use toml::{Table, Value};
use tonic::{Request, Status, metadata::MetadataValue};

use super::{Scenery, documented, ways::Way};
use crate::{
    annotations::path_of,
    contract, rpc,
    support::{Gateway, metadata, reason},
};

fn read() -> Way {
    let request = json!({ "group": "$internal" });
    Way { operation: "group.get_legacy", rpc: "GroupService/GetGroup", request, legacy: false }
}

fn error(code: &str, sub_code: &str) -> Fault {
    Fault::Error {
        status: 200,
        code: code.to_owned(),
        sub_code: Some(sub_code.to_owned()),
        message: "文字".to_owned(),
        applied: false,
    }
}

/// What the contract says, and this in the metadata; any value where the expected one is empty.
fn assert_told(status: &Status, expected: (&str, &str, &str)) {
    let (name, key, value) = expected;
    assert_eq!(reason(status), name, "{status:?}");
    assert_eq!(documented::breaches(status), [""; 0], "{name}");
    let told = metadata(status, key);
    assert!(
        key.is_empty() || !told.is_empty() && (value.is_empty() || told == value),
        "{name}: {key} {told:?}"
    );
}

#[tokio::test]
async fn what_can_happen_to_any_call_is_told_with_its_details() {
    let scenery = Scenery::new().await;
    let half_an_object = Fault::Garbage {
        status: 200,
        content_type: "application/json".to_owned(),
        body: b"{".to_vec(),
        applied: false,
    };
    for (fault, expected) in [
        (error("88", "90018"), ("APP_RATE_LIMITED", "source", "dingtalk")),
        (error("88", "90002"), ("PLATFORM_RATE_LIMITED", "upstream_code", "88/90002")),
        (error("88", "90020"), ("MONTHLY_QUOTA_EXHAUSTED", "reset_time", "")),
        (Fault::IpBan, ("EGRESS_IP_BLOCKED", "blocked_until", "")),
        (half_an_object, ("UPSTREAM_GARBLED", "http_status", "200")),
        (Fault::DropBefore, ("UPSTREAM_BUSY", "", "")),
    ] {
        scenery.simulator.fail_next("group.get_legacy", 1, fault);
        let gateway = scenery.gateway_for(&read()).await;
        assert_told(&scenery.call(&gateway, &read()).await.unwrap_err(), expected);
    }
}

/// Makes the RPC until it fails, and never waits.
async fn fail(scenery: &Scenery, gateway: &Gateway) -> Status {
    let method = rpc::method(read().rpc);
    let message = rpc::message(&method.input(), &rpc::fill(&read().request, &scenery.names));
    loop {
        let mut request = Request::new(Bytes::from(message.encode_to_vec()));
        request.metadata_mut().insert("x-dinggate-wait", MetadataValue::from_static("fail-fast"));
        if let Err(status) = contract::call(&gateway.channel, &path_of(&method), request).await {
            return status;
        }
    }
}

fn limits(per_second: i64, per_month: i64) -> impl FnOnce(Sources) -> Sources {
    let limits = [("per_second", per_second), ("per_month", per_month)];
    let limits = Table::from_iter(limits.map(|(name, calls)| (name.to_owned(), Value::from(calls))));
    |sources| sources.with("apps.demo.limits", limits)
}

#[tokio::test]
async fn what_the_gateway_refuses_by_itself_is_told_like_what_dingtalk_refuses() {
    let scenery = Scenery::new().await;
    let gateway = scenery.gateway(limits(1, 0)).await;
    assert_told(&fail(&scenery, &gateway).await, ("APP_RATE_LIMITED", "source", "gateway"));
    let gateway = scenery.gateway(limits(100_000, 1)).await;
    assert_told(&fail(&scenery, &gateway).await, ("MONTHLY_QUOTA_EXHAUSTED", "reset_time", ""));
    let gateway = scenery.gateway(|sources| sources.with("breaker.failures", 1)).await;
    scenery.simulator.fail_next("group.get_legacy", 1, Fault::DropBefore);
    assert_eq!(reason(&fail(&scenery, &gateway).await), "UPSTREAM_BUSY");
    assert_told(&fail(&scenery, &gateway).await, ("CIRCUIT_OPEN", "operation", "group.get_legacy"));
}

#[tokio::test]
async fn what_a_kind_of_group_cannot_have_is_told_with_its_details() {
    let scenery = Scenery::new().await;
    let link = json!({ "group": "$scene", "inviter": {"user_id": "user001"} });
    let unheard = json!({ "open_conversation_id": "cidUnheard=", "kind": "GROUP_KIND_INTERNAL" });
    let rename =
        json!({ "group": {"ref": unheard, "title": "Renamed"}, "update_mask": {"paths": ["title"]} });
    for (rpc, request, expected) in [
        ("GroupService/GetJoinLink", link, ("JOIN_LINK_NOT_GRANTED", "", "")),
        (
            "GroupService/DeleteGroup",
            json!({ "group": "$internal" }),
            ("KIND_UNSUPPORTED", "kind", "INTERNAL"),
        ),
        ("GroupService/UpdateGroup", rename, ("CHAT_ID_UNKNOWN", "", "")),
    ] {
        let way = Way { operation: "", rpc, request, legacy: false };
        let gateway = scenery.gateway_for(&way).await;
        assert_told(&scenery.call(&gateway, &way).await.unwrap_err(), expected);
    }
}
