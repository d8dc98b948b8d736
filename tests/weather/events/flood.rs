//! Many events through three replicas and one Redis, while the owner of the event stream is killed again and again, the
//! stream is cut and Redis is killed: what was acknowledged comes to everybody, once and in order, and what may have
//! been missed lies in a gap.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{LIMITS, SECTIONS, group, ledger::Ledger, push_again, watchers::Watchers};
use crate::{
    report::Report,
    site::{Keeps, Site},
};

const REPLICAS: usize = 3;
/// From the death of an owner to the next open stream.
const TAKEOVER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub struct Scale {
    events: u64,
    per_second: u64,
    watchers: usize,
    rounds: &'static [&'static [Trouble]],
}

/// What happens on the way.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Cut,
    OwnerKilled,
    RedisKilled,
}

use Trouble::{Cut, OwnerKilled, RedisKilled};

/// Five kills, twenty cuts, one Redis.
pub const FULL: Scale = Scale {
    events: 100_000,
    per_second: 300,
    watchers: 12,
    rounds: &[
        &[Cut, Cut, OwnerKilled, Cut, Cut],
        &[Cut, Cut, OwnerKilled, Cut, Cut],
        &[Cut, Cut, OwnerKilled, RedisKilled, Cut, Cut],
        &[Cut, Cut, OwnerKilled, Cut, Cut],
        &[Cut, Cut, OwnerKilled, Cut, Cut],
    ],
};

pub const QUICK: Scale =
    Scale { events: 4_000, per_second: 200, watchers: 6, rounds: &[&[Cut, Cut, OwnerKilled, RedisKilled]] };

/// What is pushed while nobody is connected is lost.
fn push_once() -> Value {
    let mut rules = push_again();
    rules["offline"] = json!("drop");
    rules
}

pub async fn prove(scale: Scale, report: &mut Report) {
    let mut site = Site::on_redis("flood", Keeps::Everything, REPLICAS, LIMITS, SECTIONS).await;
    let chat_id = group(&site).await;
    let watchers = Watchers::begin(scale.watchers, &site.addresses()).await;
    site.dingtalk.flood(&chat_id, scale.events, scale.per_second).await;
    let troubles: Vec<Trouble> = scale.rounds.concat();
    let stretch = scale.events / (troubles.len() as u64 + 1);
    let mut takeovers = Vec::new();
    for (number, trouble) in troubles.into_iter().enumerate() {
        let due = stretch * (number as u64 + 1);
        site.dingtalk.until("events are made", |pushes| pushes.made >= due).await;
        site.dingtalk.push_by(&if number % 2 == 1 { push_once() } else { push_again() }).await;
        let took = cause(trouble, &mut site).await;
        report.progress(&format!("{trouble:?}, {:.1} s", took.as_secs_f64()));
        if let OwnerKilled = trouble {
            takeovers.push(took);
        }
    }
    site.dingtalk.until("all events are made", |pushes| pushes.made >= scale.events).await;
    let ledger = Ledger::settled(&site).await;
    let told = watchers.end(ledger.len()).await;
    let slowest = takeovers.into_iter().max().expect("an owner was killed");
    report.require(
        "slowest takeover after a SIGKILL",
        &format!("<= {} s", TAKEOVER.as_secs()),
        format!("{:.1} s", slowest.as_secs_f64()),
        slowest <= TAKEOVER,
    );
    ledger.judge(&told, report);
    site.report_memory(report);
}

/// How long it took until events could come again.
async fn cause(trouble: Trouble, site: &mut Site) -> Duration {
    let opened = site.dingtalk.pushes().await.opened;
    let begin = Instant::now();
    let reopened = async |site: &Site| {
        site.dingtalk.until("the event stream is open again", |pushes| pushes.opened > opened).await;
        begin.elapsed()
    };
    match trouble {
        Cut => {
            site.dingtalk.cut().await;
            reopened(site).await
        }
        OwnerKilled => {
            let owner = owner(site);
            site.gateways[owner].kill().await;
            let took = reopened(site).await;
            site.gateways[owner].restart().await;
            took
        }
        RedisKilled => {
            let acked = site.dingtalk.pushes().await.acked;
            let redis = site.redis.as_mut().expect("replicas share one");
            redis.stop().await;
            redis.restart().await;
            site.dingtalk.until("events are kept again", |pushes| pushes.acked > acked).await;
            begin.elapsed()
        }
    }
}

/// The replica that has the stream: the one whose lease has the greatest number.
fn owner(site: &Site) -> usize {
    let number = |log: String| {
        let owning = log.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "owning the event stream").then(|| line["number"].as_u64())?
        });
        owning.max()
    };
    let numbers = site.gateways.iter().map(|gateway| number(gateway.log()));
    let owner = numbers.enumerate().max_by_key(|(_, number)| *number);
    owner.expect("there are replicas").0
}

/// The same with a Redis that keeps nothing, and no other trouble: what is gone with it lies in a gap.
pub async fn log_lost(scale: Scale, report: &mut Report) {
    let mut site = Site::on_redis("log-lost", Keeps::Nothing, REPLICAS, LIMITS, SECTIONS).await;
    let chat_id = group(&site).await;
    let watchers = Watchers::begin(scale.watchers, &site.addresses()).await;
    let events = 10 * scale.per_second;
    site.dingtalk.push_by(&push_once()).await;
    site.dingtalk.flood(&chat_id, events, scale.per_second).await;
    site.dingtalk.until("events are made", |pushes| pushes.made >= events / 2).await;
    let took = cause(RedisKilled, &mut site).await;
    report.progress(&format!("Redis is back, empty, {:.1} s", took.as_secs_f64()));
    site.dingtalk.until("all events are made", |pushes| pushes.made >= events).await;
    let ledger = Ledger::settled(&site).await;
    let told = watchers.end(events).await;
    ledger.judge_lost(&told, report);
}
