//! Bad weather, measured: gateways, Redis and a simulated DingTalk as real processes, under load, floods and faults.
//! Prints a table of what is required and what was measured, and fails if one of them misses.

#![allow(unreachable_pub, missing_docs, reason = "nobody imports a test")]
#![allow(clippy::unwrap_used, reason = "that is how a test fails")]
#![allow(clippy::print_stdout, reason = "a table for people")]

mod cache;
mod callers;
mod deadlines;
mod dingtalk;
mod events;
mod figures;
mod once;
mod outage;
mod priority;
mod process;
mod report;
mod saturation;
mod site;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use futures_util::future::join_all;

use self::report::{Report, Row, Table};

/// Proves the figures of limits, retries, idempotency, caching and events against real processes
#[derive(Debug, Parser)]
struct Args {
    /// Shorter, with fewer calls, and what depends on the speed of the machine is not required
    #[arg(long)]
    quick: bool,
    /// Only these, or groups of these, such as "saturation,watchers"
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the figures go as JSON
    #[arg(long, default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/weather.json"))]
    json: PathBuf,
}

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Callers at the limit, and for how long.
    pub callers: usize,
    pub saturation: Duration,
    /// Urgent calls that are measured.
    pub urgent: usize,
    /// Urgent callers without a break, next to batch work.
    pub rush: Duration,
    /// Calls with random deadlines.
    pub deadlines: usize,
    /// Groups to create of each kind.
    pub creates: usize,
    /// The outage, and as long before and after it.
    pub outage: Duration,
    /// Calls a second to the operation that will be down, and to one that will not.
    pub calls: [u32; 2],
    /// Writes that are looked for at another replica.
    pub writes: usize,
    pub events: events::Scale,
}

const FULL: Scale = Scale {
    callers: 60,
    saturation: Duration::from_secs(60),
    urgent: 100,
    rush: Duration::from_secs(30),
    deadlines: 1000,
    creates: 2000,
    outage: Duration::from_secs(30),
    calls: [500, 100],
    writes: 500,
    events: events::FULL,
};

const QUICK: Scale = Scale {
    callers: 12,
    saturation: Duration::from_secs(9),
    urgent: 10,
    rush: Duration::from_secs(5),
    deadlines: 150,
    creates: 100,
    outage: Duration::from_secs(3),
    calls: [60, 20],
    writes: 30,
    events: events::QUICK,
};

/// The proofs by group, those that keep no processor busy first. A quick run does all groups at the same time.
const PROOFS: [(&str, &[&str]); 4] = [
    ("limits", &["saturation", "replica-killed", "redis-lost"]),
    ("calls", &["priority", "deadlines", "creates", "outage", "cache"]),
    ("events", &["flood", "log-lost"]),
    ("watchers", &["rolling", "crowd"]),
];

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nobody else installs one");
    let args = Args::parse();
    let groups = PROOFS.map(|(group, names)| Box::pin(run(&args, group, names)));
    let rows = if args.quick { join_all(groups).await } else { one_by_one(groups).await };
    let table = Table::of(rows.concat());
    println!("\n{table}");
    table.write(&args.json);
    if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn one_by_one(groups: impl IntoIterator<Item = impl Future<Output = Vec<Row>>>) -> Vec<Vec<Row>> {
    let mut rows = Vec::new();
    for group in groups {
        rows.push(group.await);
    }
    rows
}

async fn run(args: &Args, group: &str, names: &'static [&'static str]) -> Vec<Row> {
    let scale = if args.quick { QUICK } else { FULL };
    let wanted = |name: &str| args.only.iter().any(|only| only == name || only == group);
    let mut rows = Vec::new();
    for name in names.iter().filter(|name| args.only.is_empty() || wanted(name)) {
        let report = Report::begin(name, !args.quick);
        rows.extend(report::rows(name, tokio::spawn(prove(name, scale, report)).await));
    }
    rows
}

async fn prove(name: &'static str, scale: Scale, mut report: Report) -> Report {
    match name {
        "saturation" => saturation::steady(scale, &mut report).await,
        "replica-killed" => saturation::replica_killed(scale, &mut report).await,
        "redis-lost" => saturation::redis_lost(scale, &mut report).await,
        "priority" => priority::prove(scale, &mut report).await,
        "deadlines" => deadlines::prove(scale, &mut report).await,
        "creates" => once::prove(scale, &mut report).await,
        "outage" => outage::prove(scale, &mut report).await,
        "flood" => events::flood::prove(scale.events.flood, &mut report).await,
        "log-lost" => events::flood::log_lost(scale.events.flood, &mut report).await,
        "rolling" => events::rolling::prove(scale.events.rolling, &mut report).await,
        "crowd" => events::crowd::prove(scale.events.crowd, &mut report).await,
        _ => cache::prove(scale, &mut report).await,
    }
    report
}
