//! Where requests are made and watched: groups are fresh each time, and what is random about them gets a fixed name.

use dinggate_simulator::{CallRecord, Fault, Options, Simulator};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage as _};
use serde_json::{Value, json};
use tonic::{Status, transport::Channel};

use super::{
    samples::Sample,
    variants::{timeless, variants},
};
use crate::{
    rpc::{self, Names, ask, handle, text},
    support::{Gateway, fields, reason, sources},
};

/// A gateway for an app of one generation that asks DingTalk each time, and another one that makes what the first has
/// never heard of.
pub struct Stage {
    pub generation: &'static str,
    simulator: Simulator,
    gateway: Channel,
    other: Channel,
    /// They stop when they are dropped.
    kept: Vec<Gateway>,
}

/// What there is to see of a request that was made twice.
pub struct Observed {
    /// The reason that the first answer gives; empty if it is no error.
    pub outcome: String,
    /// What DingTalk was asked.
    pub calls: Vec<CallRecord>,
    /// The calls and both answers, without what is random.
    pub seen: String,
    /// The fields of the request that can be changed.
    pub fields: Vec<String>,
}

impl Observed {
    /// Whether the gateway itself found the request faulty.
    pub fn is_refused(&self) -> bool {
        self.outcome == "FIELD_INVALID" && self.calls.is_empty()
    }
}

impl Stage {
    pub async fn new(generation: &'static str) -> Self {
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let several = sources(&simulator.url())
            .with("apps.demo.generation", generation)
            .with("cache.enabled", false)
            .with("apps.demo1.app_key", "dingother")
            .with("apps.demo1.app_secret", "other-secret")
            .with("apps.demo1.corp_id", "dingcorpdemo")
            .with("apps.demo1.api_url", simulator.url())
            .with("apps.demo1.oapi_url", simulator.url());
        let gateway = Gateway::start_before(simulator.clone(), several).await;
        let mut stage = Self::before(generation, simulator, gateway.channel.clone()).await;
        stage.kept.push(gateway);
        stage
    }

    /// A stage for a gateway that is there already.
    pub async fn before(generation: &'static str, simulator: Simulator, gateway: Channel) -> Self {
        let other = Gateway::start_before(simulator.clone(), sources(&simulator.url())).await;
        Self { generation, simulator, gateway, other: other.channel.clone(), kept: vec![other] }
    }

    /// Makes the request once, the first call of an operation meeting a fault; the operations that DingTalk was asked.
    pub async fn make(
        &self,
        rpc: &'static str,
        request: &Value,
        fault: Option<(&str, Fault)>,
    ) -> Vec<String> {
        let names = self.names(&request.to_string()).await;
        let method = rpc::method(rpc);
        let request = rpc::message(&method.input(), &rpc::fill(request, &names));
        self.simulator.clear_log();
        if let Some((operation, fault)) = fault {
            self.simulator.fail_next(operation, 1, fault);
        }
        // How it ends is not the question here.
        drop(rpc::call(&self.gateway, &method, &request).await);
        self.simulator.clear_faults();
        self.simulator.calls().into_iter().map(|call| call.operation).collect()
    }

    /// Makes the request, or the one that differs in a field, twice.
    pub async fn observe(&self, sample: &Sample, change: &str) -> Observed {
        let known = self.simulator.groups().len();
        let names = self.names(&sample.request.to_string()).await;
        let method = rpc::method(sample.rpc);
        let plain = rpc::message(&method.input(), &rpc::fill(&sample.request, &names));
        let others = variants(&plain);
        let other = others.iter().find(|(field, _)| field == change).map(|(_, request)| request);
        assert!(change.is_empty() || other.is_some(), "{}: {change} cannot be changed", sample.rpc);
        let mut observed = self.watch(sample, &method, other.unwrap_or(&plain)).await;
        for (name, value) in &names {
            if let Some(text) = value.as_str().filter(|text| text.len() > 8) {
                observed.seen = observed.seen.replace(text, name);
            }
        }
        for (i, group) in self.simulator.groups()[known..].iter().enumerate() {
            observed.seen = observed.seen.replace(&group.chatid, &format!("<chat {i}>"));
            observed.seen = observed.seen.replace(&group.open_conversation_id, &format!("<cid {i}>"));
        }
        observed.fields = others.into_iter().map(|(field, _)| field).collect();
        observed
    }

    async fn watch(&self, sample: &Sample, method: &MethodDescriptor, request: &DynamicMessage) -> Observed {
        self.simulator.clear_log();
        if let Some((operation, fault)) = &sample.fault {
            self.simulator.fail_next(operation, 1, fault.clone());
        }
        let first = rpc::call(&self.gateway, method, request).await;
        let second = rpc::call(&self.gateway, method, request).await;
        self.simulator.clear_faults();
        let mut calls = self.simulator.calls();
        calls.retain(|call| !call.operation.starts_with("auth."));
        let asked: Vec<_> = calls
            .iter()
            .map(|call| {
                format!("{:?} {} {} {} {}\n", call.app, call.operation, call.path, call.query, call.body)
            })
            .collect();
        let outcome = first.as_ref().err().map(reason).unwrap_or_default();
        let seen = format!("{}{}\n{}", asked.concat(), told(first), told(second));
        Observed { outcome, calls, seen, fields: Vec::new() }
    }

    /// A group that the other gateway makes and this one learns all about: nobody waits for it as for one's own.
    async fn heard_of(&self, request: &Value) -> Value {
        let made = handle(&ask(&self.other, "GroupService/CreateGroup", request).await);
        let chat = json!({ "app": "demo", "group": {"chat_id": made["chat_id"]} });
        ask(&self.gateway, "GroupService/ResolveGroup", &chat).await;
        ask(&self.gateway, "GroupService/GetGroup", &json!({ "app": "demo", "group": made })).await;
        made
    }

    /// Makes the groups, messages and cards whose names occur in a request.
    async fn names(&self, request: &str) -> Names {
        let (mine, other) = (&self.gateway, &self.other);
        let fresh = || json!(uuid::Uuid::new_v4().to_string());
        let mut names = Names::from([("$id", fresh()), ("$track", fresh())]);
        for (name, made) in [("$internal", internal()), ("$standard", standard()), ("$scene", scene())] {
            if request.contains(name) {
                names.insert(name, self.heard_of(&made).await);
            }
        }
        if request.contains("$unheard") {
            let made = handle(&ask(other, "GroupService/CreateGroup", &internal()).await);
            names.insert("$unheard_chat", json!({ "chat_id": made["chat_id"] }));
            names.insert("$unheard", json!({ "open_conversation_id": made["open_conversation_id"] }));
        }
        if request.contains("$message") {
            let send = json!({ "app": "demo", "group": names["$scene"], "robot_code": "robot-demo",
                "text": {"text": "read me"} });
            let sent = ask(mine, "AssistantService/SendAssistantMessage", &send).await;
            let id = text(&sent, "open_message_id");
            self.simulator.mark_read(&id, &["user001", "user002", "user003", "manager4220"]);
            let list = json!({ "app": "demo", "group": names["$scene"], "robot_code": "robot-demo",
                "open_message_id": id, "page_size": 1 });
            let page = ask(mine, "AssistantService/ListMessageReaders", &list).await;
            names.insert("$readers_page", json!(text(&page, "next_page_token")));
            names.insert("$message", json!(id));
        }
        if request.contains("$members_page") {
            let list = json!({ "app": "demo", "group": names["$scene"], "page_size": 1 });
            let page = ask(mine, "MemberService/ListMembers", &list).await;
            names.insert("$members_page", json!(text(&page, "next_page_token")));
        }
        if request.contains("$card") {
            let pin = json!({ "app": "demo", "group": names["$scene"], "card_template_id": "card-tpl",
                "out_track_id": names["$track"], "template_id": "tpl-demo" });
            ask(mine, "PinnedCardService/PinCard", &pin).await;
            names.insert("$card", names["$track"].clone());
        }
        names
    }
}

fn internal() -> Value {
    json!({ "title": "A group", "internal": {}, "owner": {"user_id": "manager4220"}, "members": people() })
}

fn standard() -> Value {
    json!({ "title": "A group", "standard": {}, "owner": {"user_id": "manager4220"}, "members": people() })
}

fn scene() -> Value {
    json!({ "title": "A scene", "scenario": {"template_id": "tpl-demo"}, "owner": {"user_id": "manager4220"},
        "members": people() })
}

fn people() -> Value {
    json!([{"user_id": "user001"}, {"user_id": "user002"}, {"user_id": "user003"}, {"union_id": "union-ext001"}])
}

/// An answer, without times and without what is random.
fn told(answer: Result<DynamicMessage, Status>) -> String {
    match answer {
        Err(status) => format!("{:?} {} {:?}", status.code(), reason(&status), fields(&status)),
        Ok(mut answer) => {
            timeless(&mut answer);
            for random in ["open_message_id", "url"] {
                if answer.descriptor().get_field_by_name(random).is_some() {
                    answer.clear_field_by_name(random);
                }
            }
            String::from_utf8_lossy(&answer.encode_to_vec()).into_owned()
        }
    }
}
