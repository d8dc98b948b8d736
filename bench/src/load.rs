//! The load generator: what to send, when, and what is said about it.

use std::{io, rc::Rc, time::Duration};

use clap::{Args, Parser, ValueEnum};
use serde::Serialize;
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, sleep},
};

use self::{
    calls::{Caller, Calls},
    pace::pace,
    tally::Tally,
};
use crate::{histogram::Percentiles, process};

mod calls;
mod pace;
mod tally;
mod watch;

/// What to do.
#[derive(Debug, Clone, Parser)]
#[command(about = "Sends calls and says, in one line of JSON, how fast they were answered")]
pub struct Plan {
    /// Where to, such as http://127.0.0.1:50051; several share the calls.
    #[arg(long = "target", required = true)]
    pub targets: Vec<String>,
    /// Which call.
    #[arg(long, value_enum)]
    pub call: Call,
    /// Connections to each target.
    #[arg(long, default_value_t = 1)]
    pub connections: usize,
    /// Closed loop: calls on their way at any time, per connection.
    #[arg(long, default_value_t = 1)]
    pub in_flight: usize,
    /// Open loop: calls per second, all in all.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Seconds before anything is counted.
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds that are counted.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Streams of events that are open all the while, at the first target.
    #[arg(long, default_value_t = 0)]
    pub watchers: usize,
    /// The processes whose CPU time is counted.
    #[arg(long = "pid")]
    pub pids: Vec<u32>,
    /// In whose name, and about what.
    #[command(flatten)]
    pub variety: Variety,
}

/// In whose name the calls go out, and about what. Each call takes the next of each.
#[derive(Debug, Clone, Copy, Args)]
pub struct Variety {
    /// Calls name so many apps: app-0, app-1, ...
    #[arg(long, default_value_t = 1)]
    pub apps: u64,
    /// So many groups.
    #[arg(long, default_value_t = 1)]
    pub groups: u64,
    /// The number of the first call: how many of those that differ have been made before.
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// So many callers, with the tokens bench-0, bench-1, ...
    #[arg(long, default_value_t = 1)]
    pub callers: u64,
}

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Call {
    /// SendAssistantMessage: one call upstream each.
    Send,
    /// GetGroup: from memory, but for the first one of each group.
    Get,
    /// The HTTP exchange behind `send`, without any gateway.
    Direct,
}

/// What came out.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Calls that were answered well while it was counted.
    pub calls: u64,
    /// The same from the first one on, counted or not.
    pub answered: u64,
    /// Calls that were not answered well, from the first one on.
    pub errors: u64,
    /// What the first of them said.
    pub first_error: Option<String>,
    /// Answers per second.
    pub per_second: f64,
    /// Microseconds of CPU time per call, of all `pids`.
    pub cpu_us: f64,
    /// Microseconds until a call was answered.
    pub latency_us: Percentiles,
}

/// Carries the plan out.
pub async fn run(plan: Plan) -> Result<Outcome, Box<dyn std::error::Error>> {
    let mut callers = Vec::new();
    for target in &plan.targets {
        for _ in 0..plan.connections {
            callers.push(Caller::connect(plan.call, target).await?);
        }
    }
    let calls = Rc::new(Calls::new(plan.variety));
    let tally = Rc::new(Tally::default());
    let outcome = async {
        watch::open(&plan.targets[0], plan.watchers).await?;
        let mut work = JoinSet::new();
        match plan.rate {
            Some(rate) => drop(work.spawn_local(open_loop(callers, rate, calls, tally.clone()))),
            None => {
                for caller in callers {
                    for _ in 0..plan.in_flight {
                        work.spawn_local(closed_loop(caller.clone(), calls.clone(), tally.clone()));
                    }
                }
            }
        }
        sleep(Duration::from_secs_f64(plan.warmup)).await;
        Ok(count(&plan, &tally).await?)
    };
    LocalSet::new().run_until(outcome).await
}

/// Counts for as long as the plan says.
async fn count(plan: &Plan, tally: &Tally) -> io::Result<Outcome> {
    tally.begin();
    let (begin, cpu_before) = (Instant::now(), cpu(&plan.pids)?);
    sleep(Duration::from_secs_f64(plan.seconds)).await;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu(&plan.pids)? - cpu_before);
    let counted = tally.end();
    let calls = counted.latencies.count();
    Ok(Outcome {
        calls,
        answered: counted.answered,
        errors: counted.errors,
        first_error: counted.first_error,
        per_second: calls as f64 / seconds,
        cpu_us: cpu.as_secs_f64() * 1e6 / calls.max(1) as f64,
        latency_us: counted.latencies.percentiles(),
    })
}

fn cpu(pids: &[u32]) -> io::Result<Duration> {
    pids.iter().map(|pid| process::cpu(*pid)).sum()
}

async fn closed_loop(mut caller: Caller, calls: Rc<Calls>, tally: Rc<Tally>) {
    loop {
        let begin = Instant::now();
        let outcome = caller.call(calls.next()).await;
        tally.answered(begin, outcome);
    }
}

/// The connections take turns.
async fn open_loop(callers: Vec<Caller>, rate: f64, calls: Rc<Calls>, tally: Rc<Tally>) {
    let mut due = pace(rate);
    let mut turns = callers.iter().cycle();
    while let Some(meant) = due.recv().await {
        let Some(caller) = turns.next() else { return };
        let (mut caller, call, tally) = (caller.clone(), calls.next(), tally.clone());
        tokio::task::spawn_local(async move {
            let outcome = caller.call(call).await;
            tally.answered(meant, outcome);
        });
    }
}
