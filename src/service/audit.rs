//! What the audit log says of an RPC. A line is written when everything that worked for the RPC has ended, also after its
//! caller has left.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde::Serialize;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{access, caller::Caller, rpc::Common};
use crate::{audit::Audit, dingtalk::Stats, identity::Method, pb::group::GroupRef, trace::Trace};

/// The entry of one RPC. Written when the last of its clones is dropped.
#[derive(Debug, Clone)]
pub(super) struct Entry(Arc<Draft>);

#[derive(Debug)]
struct Draft {
    audit: Audit,
    stats: Arc<Stats>,
    begin: Instant,
    line: Mutex<Line>,
}

/// A line. Counts of people, but never who they are; no titles and no messages.
#[derive(Debug, Default, Serialize)]
struct Line {
    time: String,
    rpc: &'static str,
    caller: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Arc<str>>,
    app: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<usize>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    outcomes: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "is_false")]
    validate_only: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    request_id: String,
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    /// Nobody heard how it ended.
    #[serde(skip_serializing_if = "is_false")]
    caller_left: bool,
    upstream_calls: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    duration_ms: f64,
}

/// The ids of a group that a request states.
#[derive(Debug, Serialize)]
struct Group {
    #[serde(skip_serializing_if = "String::is_empty")]
    open_conversation_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    chat_id: String,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Entry {
    /// Of a known caller; none where the RPC changes nothing, or nobody wants to know.
    pub(super) fn begin(
        audit: &Audit,
        method: Option<&'static Method>,
        caller: &Caller,
        stats: Arc<Stats>,
        trace: Option<Trace>,
    ) -> Option<Self> {
        let method = method.filter(|method| audit.is_on() && method.is_audited())?;
        let line = Line {
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            rpc: method.name,
            caller: caller.claimant.caller.to_string(),
            identity: caller.known.as_ref().map(|known| known.identity.clone()),
            trace_id: trace.map(|trace| trace.text(&mut [0; 32]).to_owned()),
            caller_left: true,
            ..Line::default()
        };
        let (audit, begin) = (audit.clone(), Instant::now());
        Some(Self(Arc::new(Draft { audit, stats, begin, line: Mutex::new(line) })))
    }

    /// What the request is about.
    pub(super) fn asks<M: Common>(&self, request: &M) {
        let mut line = self.line();
        line.app = request.app().to_owned();
        line.groups = request.groups().into_iter().map(group).collect();
        line.members = request.members();
        line.validate_only = request.validate_only();
        line.request_id = request.request_id().to_owned();
    }

    /// A group that has come of it.
    pub(super) fn made(&self, made: &GroupRef) {
        self.line().groups.push(group(made));
    }

    /// What became of how many people.
    pub(super) fn counts(&self, outcomes: impl Iterator<Item = &'static str>) {
        let mut line = self.line();
        for outcome in outcomes {
            *line.outcomes.entry(outcome).or_default() += 1;
        }
    }

    /// How the work ended, whoever hears of it.
    pub(super) fn ended(&self, status: Option<&Status>) {
        let mut line = self.line();
        line.code = Some(access::name(status.map_or(Code::Ok, Status::code)));
        line.reason =
            status.and_then(|status| Some(status.get_details_error_info()?.reason)).unwrap_or_default();
    }

    /// The caller has been told this.
    pub(super) fn told(&self, status: Option<&Status>) {
        self.ended(status);
        self.line().caller_left = false;
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn group(group: &GroupRef) -> Group {
    Group { open_conversation_id: group.open_conversation_id.clone(), chat_id: group.chat_id.clone() }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        line.code = line.code.or(Some(access::name(Code::Cancelled)));
        if let Some(app) = self.stats.app() {
            // Where the request names none, it is the only one.
            line.app = app.to_string();
        }
        line.upstream_calls = self.stats.upstream_calls();
        line.upstream_request_id = self.stats.request_id().map(|id| id.to_string());
        line.duration_ms = self.begin.elapsed().as_secs_f64() * 1000.0;
        self.audit.write(line);
    }
}
