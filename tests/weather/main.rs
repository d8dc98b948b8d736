//! Bad weather, measured: gateways, Redis and a simulated DingTalk as real processes, under load and under faults.
//! Prints a table of what is required and what was measured, and fails if one of them misses.

#![allow(unreachable_pub, missing_docs, reason = "nobody imports a test")]
#![allow(clippy::unwrap_used, reason = "that is how a test fails")]
#![allow(clippy::print_stdout, reason = "a table for people")]

mod cache;
mod callers;
mod deadlines;
mod dingtalk;
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

use self::report::{Report, Row, Table};

/// Proves the figures of limits, retries, idempotency and caching against real processes
#[derive(Debug, Parser)]
struct Args {
    /// Shorter, with fewer calls, and what depends on the speed of the machine is not required
    #[arg(long)]
    quick: bool,
    /// Only these, such as "saturation,cache"
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
};

/// The proofs, those that keep no processor busy first. A quick run does both rows at the same time.
const PROOFS: [&[&str]; 2] = [
    &["saturation", "replica-killed", "redis-lost"],
    &["priority", "deadlines", "creates", "outage", "cache"],
];

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nobody else installs one");
    let args = Args::parse();
    let [calm, busy] = PROOFS.map(|names| run(&args, names));
    let rows = if args.quick { tokio::join!(calm, busy) } else { (calm.await, busy.await) };
    let table = Table::of([rows.0, rows.1].concat());
    println!("\n{table}");
    table.write(&args.json);
    if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(args: &Args, names: &'static [&'static str]) -> Vec<Row> {
    let scale = if args.quick { QUICK } else { FULL };
    let mut rows = Vec::new();
    for name in names.iter().filter(|name| args.only.is_empty() || args.only.iter().any(|only| only == *name))
    {
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
        _ => cache::prove(scale, &mut report).await,
    }
    report
}
