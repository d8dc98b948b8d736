//! The simulated DingTalk, steered over its control paths.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::process::Process;

/// The key of the app that all gateways act as.
const APP: &str = "dingdemo";

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

/// What became of the app's events.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Pushes {
    pub made: u64,
    pub acked: u64,
    pub lost: u64,
    pub opened: u64,
    pub closed: u64,
}

/// An event as the simulator remembers it.
#[derive(Debug, Deserialize)]
pub struct Pushed {
    pub id: String,
    pub born_ms: u64,
    /// `acked`, or how far it came.
    pub state: String,
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

    /// How events are pushed from now on, as `POST /_sim/pushes/rules` takes it.
    pub async fn push_by(&self, rules: &Value) {
        self.control("POST", "pushes/rules", rules).await;
    }

    /// So many events of a group from now on, so many a second: its title changes.
    pub async fn flood(&self, chat_id: &str, count: u64, per_second: u64) {
        let body = json!({ "count": count, "per_second": per_second });
        self.control("POST", &format!("groups/{chat_id}/burst"), &body).await;
    }

    /// One event of this size.
    pub async fn push_large(&self, bytes: usize) {
        let body = json!({ "type": "large", "data": { "text": "x".repeat(bytes) } });
        self.control("POST", &format!("apps/{APP}/events"), &body).await;
    }

    /// Cuts the app's event stream.
    pub async fn cut(&self) {
        self.control("POST", &format!("apps/{APP}/connections/cut"), &Value::Null).await;
    }

    pub async fn pushes(&self) -> Pushes {
        self.read::<BTreeMap<String, Pushes>>("pushes").await.get(APP).copied().unwrap_or_default()
    }

    /// Waits until the counters are as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Pushes) -> bool) -> Pushes {
        let given_up = Instant::now() + Duration::from_secs(300);
        loop {
            let pushes = self.pushes().await;
            if wanted(&pushes) {
                return pushes;
            }
            assert!(Instant::now() < given_up, "{what}: never, {pushes:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// All events, the latest 200,000 of them, oldest first.
    pub async fn events(&self) -> Vec<Pushed> {
        self.read(&format!("apps/{APP}/events")).await
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
