//! One operation of DingTalk is down while everybody goes on calling it: it is not made worse, and others do not feel it.

use std::{sync::Arc, time::Duration};

use dinggate::pb::group as pb;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{
    Scale,
    callers::{Groups, connect, create_groups, fresh, request},
    figures::{median, ms, percent, quantile},
    report::Report,
    site::Site,
};

/// What callers give each call.
const PATIENCE: Duration = Duration::from_secs(2);
/// The 99th percentile is taken of each window.
const WINDOWS: u32 = 6;
const DOWN: &str = "scene.get_brief";

pub async fn prove(scale: Scale, report: &mut Report) {
    let ways = [
        ("502", json!({ "kind": "html", "status": 502 })),
        ("closed connections", json!({ "kind": "drop_before" })),
    ];
    for (name, fault) in ways {
        outage(scale, name, &fault, report).await;
    }
}

async fn outage(scale: Scale, name: &str, fault: &Value, report: &mut Report) {
    let site =
        Site::single("outage", "per_second = 2000, per_month = 0", "[limits]\negress_calls = 1000000\n")
            .await;
    let mut groups = connect(site.addresses()[0]);
    let healthy = create_groups(&mut groups, 1).await.remove(0);
    let down = create_scene(&mut groups).await;
    let stream = |group: &pb::GroupRef, rate| Stream::begin(&connect(site.addresses()[0]), group, rate);
    let (sick, well) = (stream(&down, scale.calls[0]), stream(&healthy, scale.calls[1]));

    sleep(Duration::from_secs(2)).await;
    well.take().await;
    report.progress(&format!("before the outage: {name}"));
    let before = windows(&well, scale.outage).await;
    site.dingtalk.forget().await;
    sick.take().await;
    site.dingtalk.begin_outage(DOWN, fault).await;
    report.progress("outage");
    let during = windows(&well, scale.outage).await;
    let (upstream, made) = (site.dingtalk.count(DOWN).await.received, sick.take().await.len());
    site.dingtalk.end_outage().await;
    report.progress("over");
    sleep(Duration::from_secs(2)).await;
    well.take().await;
    let after = windows(&well, scale.outage).await;

    let ratio = upstream as f64 / made as f64;
    report.require(
        &format!("{name}: upstream requests, of {made} calls made"),
        "<= 110 %",
        format!("{upstream}, {}", percent(ratio)),
        ratio <= 1.1,
    );
    let calm = median(&[before, after].concat());
    let change = median(&during).as_secs_f64() / calm.as_secs_f64() - 1.0;
    report.require_speed(
        &format!("{name}: p99 of healthy calls, during and besides"),
        "<= 20 % more",
        format!("{}, {}: {:+.0} %", ms(median(&during)), ms(calm), change * 100.0),
        change <= 0.2,
    );
    let refused = well.failed().await;
    report.require(&format!("{name}: healthy calls that failed"), "0", refused, refused == 0);
    site.report_memory(report);
}

/// The 99th percentile of each window.
async fn windows(stream: &Stream, length: Duration) -> Vec<Duration> {
    let mut p99 = Vec::new();
    for _ in 0..WINDOWS {
        sleep(length / WINDOWS).await;
        p99.push(quantile(&stream.take().await, 0.99));
    }
    p99
}

async fn create_scene(groups: &mut Groups) -> pb::GroupRef {
    let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
    let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
    let create = pb::CreateGroupRequest { kind, ..crate::callers::new_group("Scene") };
    let reply = groups.create_group(request(create, "setup", PATIENCE)).await.expect("created");
    reply.into_inner().group.and_then(|group| group.r#ref).expect("its handle")
}

/// Reads at a steady rate, whether answered or not. Ends when it is dropped.
struct Stream {
    answers: Arc<Mutex<Answers>>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Answers {
    took: Vec<Duration>,
    failed: usize,
}

impl Stream {
    fn begin(groups: &Groups, group: &pb::GroupRef, rate: u32) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let mut task = JoinSet::new();
        let (groups, group, shared) = (groups.clone(), group.clone(), answers.clone());
        task.spawn(async move {
            let mut calls = JoinSet::new();
            let mut due = interval(Duration::from_secs(1) / rate);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                due.tick().await;
                let (mut groups, group, shared) = (groups.clone(), group.clone(), shared.clone());
                calls.spawn(async move {
                    let begin = Instant::now();
                    let reply = groups.get_group(request(fresh(&group), "caller", PATIENCE)).await;
                    let mut answers = shared.lock().await;
                    answers.took.push(begin.elapsed());
                    answers.failed += usize::from(reply.is_err());
                });
                while calls.try_join_next().is_some() {}
            }
        });
        Self { answers, _task: task }
    }

    /// How long the calls took that were answered since this was asked last.
    async fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.answers.lock().await.took)
    }

    async fn failed(&self) -> usize {
        self.answers.lock().await.failed
    }
}
