//! Groups that are created once, while answers are lost, DingTalk fails, tokens are revoked and a replica dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dinggate::pb::group as pb;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{interval, sleep},
};
use tonic::Code;

use crate::{
    Scale,
    callers::{connect, new_group, reason, request},
    figures::percent,
    report::Report,
    site::Site,
};

const REPLICAS: usize = 3;
const CALLERS: usize = 40;
/// A caller that has asked this often gives up, and that is a miss.
const ATTEMPTS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(10);
const REVOKED_EVERY: Duration = Duration::from_secs(2);

/// How a caller ended.
#[derive(Debug, Clone, PartialEq)]
enum End {
    /// With the group: its `open_conversation_id`.
    Created(String),
    /// Told that nobody knows.
    Unknown,
    /// With anything else.
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Scenario,
    Internal,
}

impl Kind {
    fn operation(self) -> &'static str {
        if self == Kind::Scenario { "scene.create" } else { "group.create" }
    }

    fn request(self, number: usize, request_id: &str) -> pb::CreateGroupRequest {
        let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
        let mut request = new_group(&format!("Group {number}"));
        if self == Kind::Scenario {
            request.kind = Some(pb::create_group_request::Kind::Scenario(scenario));
        }
        pb::CreateGroupRequest { request_id: request_id.to_owned(), ..request }
    }
}

pub async fn prove(scale: Scale, report: &mut Report) {
    for kind in [Kind::Scenario, Kind::Internal] {
        report.progress(&format!("{} groups: {kind:?}", scale.creates));
        create_all(kind, scale.creates, report).await;
    }
}

async fn create_all(kind: Kind, count: usize, report: &mut Report) {
    let operation = kind.operation();
    let mut site =
        Site::replicas(&format!("creates-{kind:?}"), REPLICAS, "per_second = 500, per_month = 0", "").await;
    site.dingtalk.chances(weather(operation)).await;
    let homes: Arc<[SocketAddr]> = site.addresses().into();
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (next, homes) = (next.clone(), homes.clone());
        callers.spawn(async move {
            let mut caller = Caller { name: format!("caller-{caller}"), homes, home: caller };
            let mut ends = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return ends;
                }
                ends.push((number, caller.create(kind, number).await));
            }
        });
    }
    disturb(&mut site, &next, count).await;
    let ends: Vec<(usize, End)> = callers.join_all().await.into_iter().flatten().collect();
    judge(kind, &site, &ends, report).await;
    site.report_memory(report);
}

/// One request in five loses its answer, before or after it is carried out; one in ten is answered 502, carried out or
/// not.
fn weather(operation: &str) -> Value {
    let faults = [
        (0.1, json!({ "kind": "drop_before" })),
        (0.1, json!({ "kind": "drop_after" })),
        (0.05, json!({ "kind": "html", "status": 502 })),
        (0.05, json!({ "kind": "html", "status": 502, "applied": true })),
    ];
    let chance = |(share, fault)| json!({ "operation": operation, "share": share, "fault": fault });
    faults.map(chance).into_iter().collect()
}

/// Revokes all tokens every other second, and kills one replica in the middle.
async fn disturb(site: &mut Site, next: &AtomicUsize, count: usize) {
    let mut revocation = interval(REVOKED_EVERY);
    let mut look = interval(Duration::from_millis(5));
    let mut is_killed = false;
    while next.load(Ordering::Relaxed) < count {
        tokio::select! {
            _ = revocation.tick() => site.dingtalk.revoke_tokens().await,
            _ = look.tick() => {}
        }
        if next.load(Ordering::Relaxed) >= count / 2 && !is_killed {
            is_killed = true;
            site.gateways[REPLICAS - 1].kill().await;
        }
    }
}

struct Caller {
    name: String,
    homes: Arc<[SocketAddr]>,
    home: usize,
}

impl Caller {
    /// Asks until there is an answer that ends it, always with the same `request_id`.
    async fn create(&mut self, kind: Kind, number: usize) -> End {
        let request_id = uuid::Uuid::new_v4().to_string();
        for _ in 0..ATTEMPTS {
            let mut groups = connect(self.homes[self.home % self.homes.len()]);
            let reply =
                groups.create_group(request(kind.request(number, &request_id), &self.name, PATIENCE)).await;
            let status = match reply {
                Ok(reply) => {
                    let handle = reply.into_inner().group.and_then(|group| group.r#ref).unwrap_or_default();
                    return End::Created(handle.open_conversation_id);
                }
                Err(status) => status,
            };
            match (status.code(), reason(&status).as_str()) {
                // No answer of the gateway: the connection broke.
                (_, "") => self.home += 1,
                (Code::Unknown, "OUTCOME_UNKNOWN") => return End::Unknown,
                (Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted, _) => {
                }
                (code, reason) => return End::Other(format!("{code:?} {reason}")),
            }
            sleep(Duration::from_millis(20)).await;
        }
        End::Other("gave up".to_owned())
    }
}

async fn judge(kind: Kind, site: &Site, ends: &[(usize, End)], report: &mut Report) {
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for group in site.dingtalk.groups().await {
        made.entry(group.name).or_default().push(group.open_conversation_id);
    }
    let duplicates = made.values().filter(|ids| ids.len() > 1).count();
    report.require(&format!("{kind:?}: groups created twice"), "0", duplicates, duplicates == 0);

    let (mut created, mut unknown, mut wrong, mut others) = (0, 0, 0, BTreeSet::new());
    for (number, end) in ends {
        match end {
            End::Created(id) => {
                created += 1;
                wrong +=
                    usize::from(made.get(&format!("Group {number}")).is_none_or(|ids| !ids.contains(id)));
            }
            End::Unknown => unknown += 1,
            End::Other(text) => drop(others.insert(text.clone())),
        }
    }
    let dishonest = ends.len() - created - unknown + wrong;
    report.require(
        &format!("{kind:?}: callers of {} that end with neither the group nor an honest unknown", ends.len()),
        "0",
        format!("{dishonest} {others:?}"),
        dishonest == 0,
    );
    let of_all = |count: usize| percent(count as f64 / ends.len() as f64);
    let calls = site.dingtalk.calls(kind.operation()).await;
    let lost = calls.iter().filter(|call| call.fault.is_some()).count();
    if kind == Kind::Scenario {
        report.note("Scenario: callers that end with an unknown", of_all(unknown));
        report.note("Scenario: answers that were lost or 5xx", format!("{lost} of {}", calls.len()));
        return;
    }
    // Those at work in the replica that died, at most, are in doubt besides.
    let in_doubt = unknown.abs_diff(lost);
    report.require(
        "Internal: callers that end with an unknown, and answers that were lost or 5xx",
        "equal, but for calls of the replica that died",
        format!("{}, {}", of_all(unknown), of_all(lost)),
        unknown >= lost.saturating_sub(CALLERS / REPLICAS) && in_doubt <= CALLERS / REPLICAS + 1,
    );
}
