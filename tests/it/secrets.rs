//! Nothing that is nobody's business is told by telemetry: every RPC that is served is made with marked texts, well and
//! refused by DingTalk in the words of the request, while everything is logged, traced and counted; then all of it is searched.

use std::collections::BTreeSet;

use dinggate_simulator::{Fault, Seed};
use serde_json::{Value, json};

use crate::{
    contract::SERVED,
    fields::{samples::samples, stage::Stage},
    support::new_group,
    trace::process::{Process, Telemetry, token},
};

/// Stands in every text of every request.
const MARK: &str = "c4n4ry";
/// Fields that are texts of people; whatever is in a map is as well.
const TEXTS: [&str; 5] = ["title", "text", "nickname", "url", "callback_route_key"];

/// The same request with a mark in every text.
fn marked(request: &Value) -> Value {
    let mark = |text: &str| json!(format!("{text}{MARK}"));
    let Value::Object(fields) = request else {
        return match request {
            Value::Array(items) => items.iter().map(marked).collect(),
            other => other.clone(),
        };
    };
    let field = |(name, value): (&String, &Value)| {
        let marked = match value {
            Value::Object(map) if name == "params" => {
                map.iter().map(|(key, text)| (key.clone(), mark(text.as_str().unwrap()))).collect()
            }
            Value::String(text) if TEXTS.contains(&name.as_str()) => mark(text),
            other => marked(other),
        };
        (name.clone(), marked)
    };
    Value::Object(fields.iter().map(field).collect())
}

/// Everything that the simulator knows of people.
fn of_people(seed: &Value) -> BTreeSet<String> {
    let organizations = seed["organizations"].as_array().unwrap().iter();
    let people = organizations.flat_map(|organization| {
        ["users", "external_contacts"].into_iter().flat_map(|kind| organization[kind].as_array().unwrap())
    });
    let facts = people.flat_map(|person| person.as_object().unwrap().values()).filter_map(Value::as_str);
    facts.map(ToOwned::to_owned).collect()
}

/// An answer that repeats what it was asked, as DingTalk's do.
fn refusal() -> Fault {
    let message = format!("user001 不能加入「{MARK}」13800000000");
    Fault::Error { status: 400, code: "made.up".to_owned(), sub_code: None, message, applied: false }
}

#[tokio::test]
async fn nothing_of_people_texts_and_secrets_is_told() {
    let gateway = Process::start(Telemetry::default()).await;
    let simulator = gateway.simulator.clone();
    let stage = Stage::before("new", simulator.clone(), gateway.channel.clone()).await;
    let mut made = BTreeSet::new();
    for sample in samples("new") {
        let request = marked(&sample.request);
        made.insert(format!("/dinggate.group.v1.{}", sample.rpc));
        let operations = stage.make(sample.rpc, &request, None).await;
        let Some(last) = operations.iter().rfind(|operation| !operation.starts_with("auth.")) else {
            continue;
        };
        stage.make(sample.rpc, &request, Some((last, refusal()))).await;
    }
    // Refused here, where nothing is pushed.
    for rpc in ["GroupEventService/WatchGroupEvents", "GroupEventService/ListGroupEvents"] {
        made.insert(format!("/dinggate.group.v1.{rpc}"));
        stage.make(rpc, &json!({ "app": "demo", "groups": [{"chat_id": "chatmine"}] }), None).await;
    }
    let served = SERVED.iter().filter(|served| served.starts_with("/dinggate.group."));
    let missing: Vec<_> = served.filter(|served| !made.contains(**served)).collect();
    assert!(missing.is_empty(), "{missing:?} are not made");

    let mut words = of_people(&serde_json::to_value(Seed::demo()).unwrap());
    assert!(words.contains("user001") && words.contains("union-ext001"), "{words:?}");
    words.extend([MARK.to_owned(), "13800000000".to_owned(), "demo-secret".to_owned()]);
    words.insert(token(&simulator).await);
    let left = gateway.end().await;
    assert!(left.spans.len() > 200 && left.log.len() > 200 && left.metrics.len() > 20);
    let told = left.told();
    for word in words {
        assert_eq!(told.iter().find(|place| place.contains(&word)), None, "{word} is told");
    }
}

/// The code of an error is told, so a word in its place has to be found wherever telemetry goes.
#[tokio::test]
async fn a_word_that_is_told_is_found_in_each_signal() {
    let gateway = Process::start(Telemetry::default()).await;
    let code = format!("made.up.{MARK}");
    let refusal = Fault::Error { status: 400, code, sub_code: None, message: String::new(), applied: false };
    gateway.simulator.fail_next("group.create", 1, refusal);
    gateway.groups().create_group(new_group("A group")).await.unwrap_err();
    let left = gateway.end().await;
    let told = left.told();
    for signal in ["log: ", "span: ", "scrape: ", "metric: "] {
        let found = told.iter().any(|place| place.starts_with(signal) && place.contains(MARK));
        assert!(found, "not found in any {signal}{told:#?}");
    }
}
