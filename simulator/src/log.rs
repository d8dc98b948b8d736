//! What arrived and what went back: the latest requests one by one, and counters over all of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call};
use crate::faults::Fault;
use crate::quotas::Limit;
use crate::reference::{self, Route, TokenPlace};
use crate::world::Caller;

/// Older records are forgotten, so that a simulator may run for months; the counters go on.
const MAX_RECORDS: usize = 10_000;
/// Of larger bodies the log has the size only.
const MAX_BODY: usize = 64 << 10;

/// One request. Secrets and tokens are replaced by `[redacted]`.
#[derive(Debug, Clone, Serialize)]
pub struct CallRecord {
    /// Counts up with every request.
    pub seq: u64,
    /// When it arrived, in milliseconds since 1970.
    pub time_ms: u64,
    /// The operation id, or `unknown`.
    pub operation: String,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The key of the app that asks, where the token (or the token request) is known.
    pub app: Option<String>,
    /// The query parameters.
    pub query: Value,
    /// The JSON body; null if there was none, a note in brackets if it is not JSON or very large.
    pub body: Value,
    /// The HTTP status answered; none while there is no answer, and for good if the connection was dropped.
    pub status: Option<u16>,
    /// The code of an error answer: `code`, or `errcode` with `/sub_code`.
    pub code: Option<String>,
    /// The fault the request met.
    pub fault: Option<&'static str>,
    /// The limit that refused it.
    pub limit: Option<Limit>,
}

/// How often an operation was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counter {
    /// Requests received.
    pub received: u64,
    /// Of these, how many met a fault.
    pub faulted: u64,
    /// Of these, how many a limit refused.
    pub throttled: u64,
}

/// What became of an app's requests for an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Let through by the limits, whatever came then.
    pub accepted: u64,
    /// Refused, by limit.
    pub refused: BTreeMap<Limit, u64>,
}

/// The log of all requests.
#[derive(Debug, Default)]
pub(crate) struct Log {
    records: VecDeque<CallRecord>,
    received: u64,
    counters: BTreeMap<&'static str, Counter>,
    faults: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    limits: BTreeMap<Limit, u64>,
    apps: BTreeMap<String, BTreeMap<&'static str, Tally>>,
}

impl Log {
    /// Notes a request that has arrived; the number is for [`Log::answered`].
    pub(crate) fn received(
        &mut self,
        call: &Call,
        caller: Option<&Caller>,
        fault: Option<&Fault>,
        limit: Option<Limit>,
    ) -> u64 {
        self.received += 1;
        let operation = call.route.operation_id();
        self.count(operation, caller, fault.is_some(), limit);
        if let Some(fault) = fault {
            *self.faults.entry(operation).or_default().entry(fault.kind()).or_default() += 1;
        }
        if self.records.len() == MAX_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(CallRecord {
            seq: self.received,
            time_ms: now_ms(),
            operation: operation.to_owned(),
            method: call.method.clone(),
            path: call.path.clone(),
            app: caller.map(|caller| caller.app_key.clone()).or_else(|| app_in(call)),
            query: Value::Object(redacted(call.query.clone())),
            body: body(call),
            status: None,
            code: None,
            fault: fault.map(Fault::kind),
            limit,
        });
        self.received
    }

    fn count(
        &mut self,
        operation: &'static str,
        caller: Option<&Caller>,
        faulted: bool,
        limit: Option<Limit>,
    ) {
        let counter = self.counters.entry(operation).or_default();
        counter.received += 1;
        counter.faulted += u64::from(faulted);
        counter.throttled += u64::from(limit.is_some());
        if let Some(limit) = limit {
            *self.limits.entry(limit).or_default() += 1;
        }
        let Some(caller) = caller else { return };
        let tally = self.apps.entry(caller.app_key.clone()).or_default().entry(operation).or_default();
        match limit {
            None => tally.accepted += 1,
            Some(limit) => *tally.refused.entry(limit).or_default() += 1,
        }
    }

    /// Notes the answer that is about to be sent.
    pub(crate) fn answered(&mut self, seq: u64, answer: &Answer) {
        let index = self.records.binary_search_by_key(&seq, |record| record.seq);
        if let Ok(index) = index {
            let record = &mut self.records[index];
            record.status = Some(answer.status.as_u16());
            record.code = answer.code.clone();
        }
    }

    pub(crate) fn records(&self) -> Vec<CallRecord> {
        self.records.iter().cloned().collect()
    }

    pub(crate) fn counters(&self) -> BTreeMap<&'static str, Counter> {
        self.counters.clone()
    }

    pub(crate) fn counter(&self, operation: &str) -> Counter {
        self.counters.get(operation).copied().unwrap_or_default()
    }

    /// The faults met, by operation and kind.
    pub(crate) fn faults(&self) -> &BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
        &self.faults
    }

    /// Requests refused, by limit.
    pub(crate) fn limits(&self) -> BTreeMap<Limit, u64> {
        self.limits.clone()
    }

    /// By app and operation.
    pub(crate) fn tallies(&self) -> &BTreeMap<String, BTreeMap<&'static str, Tally>> {
        &self.apps
    }

    /// Requests at the token endpoints.
    pub(crate) fn token_requests(&self) -> u64 {
        let tokens = reference::operations().iter().filter(|operation| operation.id.starts_with("auth."));
        tokens.map(|operation| self.counter(&operation.id).received).sum()
    }

    /// Forgets records and counters; numbers go on, so that answers still under way find nothing of theirs.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.counters.clear();
        self.faults.clear();
        self.limits.clear();
        self.apps.clear();
    }
}

/// The app that asks for a token.
fn app_in(call: &Call) -> Option<String> {
    let Route::Operation(operation, _) = &call.route else { return None };
    if operation.token != TokenPlace::None {
        return None;
    }
    let body = call.json().unwrap_or_default();
    let key = ["appKey", "client_id", "clientId"].iter().find_map(|name| body.get(*name));
    key.or_else(|| call.query.get("appkey"))?.as_str().map(str::to_owned)
}

fn body(call: &Call) -> Value {
    if call.body.is_empty() {
        return Value::Null;
    }
    match call.json() {
        Some(fields) if call.body.len() <= MAX_BODY => Value::Object(redacted(fields)),
        Some(_) => json!(format!("[{} bytes of JSON]", call.body.len())),
        None => json!(format!("[{} bytes that are not a JSON object]", call.body.len())),
    }
}

fn redacted(mut fields: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in &mut fields {
        let name = name.to_ascii_lowercase();
        if name.contains("secret") || name.contains("token") || name.contains("ticket") {
            *value = json!("[redacted]");
        }
    }
    fields
}

fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
