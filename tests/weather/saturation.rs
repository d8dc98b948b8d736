//! Sixty callers at three gateways want more of one operation than DingTalk lets through: nothing is refused there,
//! nearly nothing is left unused, and everybody gets the same. Also when a replica dies, and without Redis.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tokio::time::sleep;

use crate::{
    Scale,
    callers::{Answer, Crowd, connect, create_groups},
    dingtalk::{Call, now_ms},
    figures::{jain, least, percent},
    report::Report,
    site::Site,
};

const REPLICAS: usize = 3;
/// Calls that DingTalk lets through in any second.
const RATE: u64 = 20;
const READ: &str = "group.get_legacy";
/// Until everybody waits in the queue.
const WARM_UP: Duration = Duration::from_secs(3);
/// In which full recovery is due.
const RECOVERY: Duration = Duration::from_secs(5);

/// A time on the clock of the simulator, from and until.
#[derive(Debug, Clone, Copy)]
struct Span(u64, u64);

impl Span {
    fn holds(self, time_ms: u64) -> bool {
        (self.0..self.1).contains(&time_ms)
    }

    /// How much of `rate` calls a second was used in it.
    fn used(self, calls: &[Call], rate: f64) -> f64 {
        let count = calls.iter().filter(|call| call.limit.is_none() && self.holds(call.time_ms)).count();
        count as f64 * 1000.0 / (self.1 - self.0) as f64 / rate
    }
}

/// The site under load.
struct Run {
    site: Site,
    crowd: Crowd,
}

/// What it came to.
struct Outcome {
    calls: Vec<Call>,
    answers: Vec<Answer>,
}

impl Run {
    async fn begin(name: &str, callers: usize) -> Self {
        let limits =
            format!("per_second = {RATE}, per_month = 0, per_second_of = {{ \"group.create\" = 200 }}");
        let site = Site::replicas(name, REPLICAS, &limits, "").await;
        let homes = site.addresses();
        let groups = create_groups(&mut connect(homes[0]), callers).await;
        site.dingtalk.limit(&json!({ "app_per_second": RATE })).await;
        site.dingtalk.forget().await;
        let mut crowd = Crowd::new();
        for (caller, group) in groups.into_iter().enumerate() {
            let home = caller % REPLICAS;
            // Those of the last replica will spread unevenly: three of four to the first.
            let refuge = if caller % 4 == 0 { 1 } else { 0 };
            crowd.add(caller, group, vec![homes[home], homes[refuge], homes[1 - refuge]], false);
        }
        sleep(WARM_UP).await;
        Self { site, crowd }
    }

    async fn end(self, report: &mut Report) -> (Site, Outcome) {
        let answers = self.crowd.stop().await;
        let calls = self.site.dingtalk.calls(READ).await;
        let throttled = self.site.dingtalk.throttled().await;
        let required = "0";
        report.require("calls that DingTalk throttled", required, throttled, throttled == 0);
        (self.site, Outcome { calls, answers })
    }
}

impl Outcome {
    fn require_used(&self, report: &mut Report, what: &str, span: Span, rate: f64) {
        let used = span.used(&self.calls, rate);
        report.require_speed(&format!("permitted calls used{what}"), ">= 97 %", percent(used), used >= 0.97);
    }

    fn require_fair(&self, report: &mut Report, what: &str, spans: &[Span]) {
        let callers = self.answers.iter().map(|answer| answer.caller + 1).max().unwrap_or_default();
        let mut shares = vec![0.0; callers];
        let served = self.answers.iter().filter(|answer| answer.error.is_none());
        for answer in served.filter(|answer| spans.iter().any(|span| span.holds(answer.time_ms))) {
            shares[answer.caller] += 1.0;
        }
        let (least, jain) = (least(&shares), jain(&shares));
        report.require_speed(
            &format!("least share of a caller{what}"),
            ">= 90 %",
            percent(least),
            least >= 0.9,
        );
        report.require_speed(&format!("Jain index{what}"), ">= 0.99", format!("{jain:.4}"), jain >= 0.99);
    }

    fn note_errors(&self, report: &mut Report) {
        let mut errors = BTreeMap::new();
        for (code, reason) in self.answers.iter().filter_map(|answer| answer.error.as_ref()) {
            *errors.entry(format!("{code:?} {reason}")).or_insert(0) += 1;
        }
        report.note(
            "answers that were errors",
            format!("{} of {} {errors:?}", sum(&errors), self.answers.len()),
        );
    }

    /// How long after `from` the full rate is there for three seconds on end.
    fn recovered_after(&self, from: u64) -> Option<Duration> {
        let is_full =
            |after: &u64| Span(from + after, from + after + 3000).used(&self.calls, RATE as f64) >= 0.95;
        (0..30_000).step_by(100).find(is_full).map(Duration::from_millis)
    }

    fn require_recovery(&self, report: &mut Report, from: u64) {
        let after = self.recovered_after(from);
        let measured = after.map_or("never".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()));
        let ok = after.is_some_and(|after| after <= RECOVERY);
        report.require_speed("full rate again after", "<= 5 s", measured, ok);
    }
}

fn sum(errors: &BTreeMap<String, u64>) -> u64 {
    errors.values().sum()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("short")
}

pub async fn steady(scale: Scale, report: &mut Report) {
    let run = Run::begin("saturation", scale.callers).await;
    report.progress("everybody waits");
    let begin = now_ms();
    sleep(scale.saturation).await;
    let whole = Span(begin, now_ms());
    let (site, outcome) = run.end(report).await;
    outcome.require_used(report, "", whole, RATE as f64);
    outcome.require_fair(report, "", &[whole]);
    outcome.note_errors(report);
    site.report_memory(report);
}

pub async fn replica_killed(scale: Scale, report: &mut Report) {
    let mut run = Run::begin("replica-killed", scale.callers).await;
    let begin = now_ms();
    sleep(scale.saturation / 2).await;
    run.site.gateways[REPLICAS - 1].kill().await;
    let killed = now_ms();
    report.progress("one of three replicas is killed");
    sleep(RECOVERY + scale.saturation / 2).await;
    let end = now_ms();
    let (site, outcome) = run.end(report).await;
    let after = Span(killed + millis(RECOVERY), end);
    let before = Span(begin, killed);
    report.note(
        "permitted calls used, all in all",
        percent(Span(begin, end).used(&outcome.calls, RATE as f64)),
    );
    outcome.require_used(report, " before", before, RATE as f64);
    outcome.require_used(report, " from 5 s after", after, RATE as f64);
    outcome.require_recovery(report, killed);
    outcome.require_fair(report, ", without these 5 s", &[before, after]);
    outcome.note_errors(report);
    site.report_memory(report);
}

pub async fn redis_lost(scale: Scale, report: &mut Report) {
    let mut run = Run::begin("redis-lost", scale.callers).await;
    let begin = now_ms();
    sleep(scale.saturation / 3).await;
    run.site.redis.as_mut().expect("replicas share one").stop().await;
    let lost = now_ms();
    report.progress("Redis is killed");
    sleep(RECOVERY + scale.saturation / 3).await;
    run.site.redis.as_mut().expect("replicas share one").restart().await;
    let back = now_ms();
    report.progress("Redis is back, empty");
    sleep(RECOVERY + scale.saturation / 3).await;
    let end = now_ms();
    let (site, outcome) = run.end(report).await;
    // Each replica alone with its part, in whole calls.
    let alone = REPLICAS as f64 * (RATE / REPLICAS as u64) as f64;
    outcome.require_used(report, " before", Span(begin, lost), RATE as f64);
    outcome.require_used(
        report,
        &format!(" without Redis, of {alone} a second, from 2 s after"),
        Span(lost + 2000, back),
        alone,
    );
    outcome.require_used(
        report,
        " from 5 s after its return",
        Span(back + millis(RECOVERY), end),
        RATE as f64,
    );
    outcome.require_recovery(report, back);
    outcome.require_fair(report, "", &[Span(begin, end)]);
    outcome.note_errors(report);
    site.report_memory(report);
}
