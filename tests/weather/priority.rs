//! Urgent calls and work that can wait, in one queue of one gateway.

use std::time::Duration;

use dinggate::pb::group::GroupRef;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    Scale,
    callers::{Crowd, Groups, PATIENCE, connect, create_groups, fresh, request},
    figures::{median, ms, percent, quantile},
    report::Report,
    site::Site,
};

const RATE: u32 = 20;
const QUEUE: usize = 200;
/// What an urgent call may wait longer than on an idle queue.
const SLOT: Duration = Duration::from_millis(1000 / RATE as u64);
/// Of the calls, while urgent ones never end.
const FLOOR: f64 = 0.1;

pub async fn prove(scale: Scale, report: &mut Report) {
    let limits = format!("per_second = {RATE}, per_month = 0, per_second_of = {{ \"group.create\" = 200 }}");
    let site = Site::single("priority", &limits, &format!("[limits]\nqueue_max = {QUEUE}\n")).await;
    let addr = site.addresses()[0];
    let mut groups = connect(addr);
    // One more batch caller than the queue takes, so that it is full, and a group that they do not read.
    let handles = create_groups(&mut groups, QUEUE + 2).await;
    site.dingtalk.limit(&json!({ "app_per_second": RATE })).await;

    let (idle, _) = urgent_calls(&mut groups, &handles[0], scale.urgent).await;
    report.note("urgent call on an idle queue, median", ms(median(&idle)));
    let mut crowd = Crowd::new();
    for (caller, group) in handles.iter().enumerate().skip(1) {
        crowd.add(caller, group.clone(), vec![addr], true);
    }
    sleep(Duration::from_secs(3)).await;
    report.progress("the queue is full of batch work");
    let (busy, refused) = urgent_calls(&mut groups, &handles[0], scale.urgent).await;
    drop(crowd);
    report.require("urgent calls refused because the queue is full", "0", refused, refused == 0);
    let extra = median(&busy).saturating_sub(median(&idle));
    report.require_speed("urgent call, median of what it waits longer", "<= 50 ms", ms(extra), extra <= SLOT);
    report.note("urgent call, 95th percentile", ms(quantile(&busy, 0.95)));

    sleep(Duration::from_secs(2)).await;
    let mut crowd = Crowd::new();
    for (caller, group) in handles.iter().enumerate().take(80) {
        crowd.add(caller, group.clone(), vec![addr], caller < 20);
    }
    sleep(scale.rush).await;
    let answers = crowd.stop().await;
    let served: Vec<_> = answers.iter().filter(|answer| answer.error.is_none()).collect();
    let share = served.iter().filter(|answer| answer.caller < 20).count() as f64 / served.len() as f64;
    report.require("batch work while urgent calls never end", ">= 10 %", percent(share), share >= FLOOR);
    let throttled = site.dingtalk.throttled().await;
    report.require("calls that DingTalk throttled", "0", throttled, throttled == 0);
    site.report_memory(report);
}

/// Now and then one: how long those took that were served, and how many were refused.
async fn urgent_calls(groups: &mut Groups, group: &GroupRef, count: usize) -> (Vec<Duration>, usize) {
    let mut random = SmallRng::seed_from_u64(4220);
    let mut waits = Vec::new();
    for _ in 0..count {
        sleep(Duration::from_millis(random.random_range(100..300))).await;
        let begin = Instant::now();
        if groups.get_group(request(fresh(group), "people", PATIENCE)).await.is_ok() {
            waits.push(begin.elapsed());
        }
    }
    let refused = count - waits.len();
    (waits, refused)
}
