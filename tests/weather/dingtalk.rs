//! The simulated DingTalk, steered over its control paths.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::Process;

#[derive(Debug)]
pub struct Dingtalk {
    pub url: String,
    http: reqwest::Client,
    _process: Process,
}

/// A request as the simulator remembers it.
#[derive(Debug, Deserialize)]
pub struct Call {
    pub time_ms: u64,
    pub fault: Option<String>,
    pub limit: Option<String>,
}

/// A group as the simulator has it.
#[derive(Debug, Deserialize)]
pub struct Group {
    pub name: String,
    pub open_conversation_id: String,
}

#[derive(Debug, Deserialize)]
struct State {
    groups: Vec<Group>,
}

#[derive(Debug, Default, Deserialize)]
struct Counters {
    operations: BTreeMap<String, Counter>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Counter {
    pub received: u64,
    pub throttled: u64,
}

/// On the clock of [`Call::time_ms`].
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("not that far in the future")
}

impl Dingtalk {
    /// Without any limits.
    pub async fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dinggate"));
        command.args(["simulator", "--dingtalk-addr", "127.0.0.1:0"]);
        let address = |line: &str| {
            let (_, rest) = line.split_once("simulated DingTalk on ")?;
            Some(rest.split_whitespace().next()?.to_owned())
        };
        let (process, url) = Process::start(command, &folder.join("dingtalk.log"), address).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let dingtalk = Self { url, http, _process: process };
        dingtalk.limit(&json!({})).await;
        dingtalk
    }

    /// What it lets through from now on, as `POST /_sim/quotas` takes it.
    pub async fn limit(&self, quotas: &Value) {
        self.control("POST", "quotas", quotas).await;
    }

    /// From now on a share of the requests meets these faults, by lot: `[{"operation", "share", "fault"}]`.
    pub async fn chances(&self, chances: Value) {
        self.control("POST", "chances", &json!({ "seed": 4220, "chances": chances })).await;
    }

    /// From now on every request of the operation meets the fault.
    pub async fn begin_outage(&self, operation: &str, fault: &Value) {
        self.control("POST", "outage", &json!({ "operation": operation, "fault": fault })).await;
    }

    pub async fn end_outage(&self) {
        self.control("DELETE", "outage", &Value::Null).await;
    }

    pub async fn revoke_tokens(&self) {
        self.control("POST", "tokens/revoke", &Value::Null).await;
    }

    /// Forgets what it remembers and counts.
    pub async fn forget(&self) {
        self.control("DELETE", "calls", &Value::Null).await;
    }

    /// The latest requests of an operation, oldest first.
    pub async fn calls(&self, operation: &str) -> Vec<Call> {
        self.read(&format!("calls?operation={operation}")).await
    }

    pub async fn groups(&self) -> Vec<Group> {
        self.read::<State>("state").await.groups
    }

    pub async fn count(&self, operation: &str) -> Counter {
        let counters: Counters = self.read("counters").await;
        counters.operations.get(operation).copied().unwrap_or_default()
    }

    /// Requests that a limit refused, of all operations.
    pub async fn throttled(&self) -> u64 {
        let counters: Counters = self.read("counters").await;
        counters.operations.values().map(|counter| counter.throttled).sum()
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        let body = self.control("GET", path, &Value::Null).await;
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("/_sim/{path}: {error}"))
    }

    async fn control(&self, method: &str, path: &str, body: &Value) -> Vec<u8> {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}/_sim/{path}", self.url));
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let reply = request.timeout(Duration::from_secs(30)).send().await.expect("the simulator runs");
        let status = reply.status();
        let body = reply.bytes().await.expect("a whole answer").to_vec();
        assert!(status.is_success(), "/_sim/{path}: {}", String::from_utf8_lossy(&body));
        body
    }
}
