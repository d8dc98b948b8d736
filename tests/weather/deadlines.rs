//! Calls with deadlines of all lengths at a queue that is too long for many of them: whatever the answer is, it is
//! there in time. The model test beside the limiter has the cases that take hours; this is a sample in real time.

use std::time::Duration;

use dinggate::pb::group::group_service_client::GroupServiceClient;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tonic::Code;

use crate::{
    Scale,
    callers::{connect, create_groups, fresh, request},
    figures::ms,
    report::Report,
    site::Site,
};

const RATE: u32 = 20;
const LATEST: Duration = Duration::from_millis(50);

pub async fn prove(scale: Scale, report: &mut Report) {
    let limits = format!("per_second = {RATE}, per_month = 0, per_second_of = {{ \"group.create\" = 200 }}");
    let site = Site::single("deadlines", &limits, "").await;
    let addr = site.addresses()[0];
    // So many that hardly two of the calls are for the same one and share a read.
    let handles = create_groups(&mut connect(addr), 100).await;
    site.dingtalk.limit(&json!({ "app_per_second": RATE })).await;

    // A client that does not look at the clock itself: tonic's channel would answer for a gateway that is late.
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<tonic::body::Body>();
    let groups =
        GroupServiceClient::with_origin(client, format!("http://{addr}").parse().expect("an address"));
    let mut random = SmallRng::seed_from_u64(4220);
    let mut calls = JoinSet::new();
    for call in 0..scale.deadlines {
        // Twice as many as are let through.
        sleep(Duration::from_millis(random.random_range(0..50))).await;
        let patience = Duration::from_millis(random.random_range(1..4000));
        let (mut groups, group) = (groups.clone(), handles[call % handles.len()].clone());
        calls.spawn(async move {
            let begin = Instant::now();
            let reply =
                groups.get_group(request(fresh(&group), &format!("caller-{}", call % 5), patience)).await;
            (begin.elapsed().saturating_sub(patience), reply.err().map(|status| status.code()))
        });
    }
    let answers = calls.join_all().await;
    let latest = answers.iter().map(|(late, _)| *late).max().unwrap_or_default();
    report.require_speed("the latest answer, after its deadline", "<= 50 ms", ms(latest), latest <= LATEST);
    let count = |code: Option<Code>| answers.iter().filter(|(_, error)| *error == code).count();
    let (served, refused) = (count(None), count(Some(Code::ResourceExhausted)));
    // For deadlines of some milliseconds the gRPC library answers before the gateway can, and calls it that.
    let late = count(Some(Code::DeadlineExceeded)) + count(Some(Code::Cancelled));
    report.note(
        "served, refused because the wait does not fit, ran out",
        format!("{served}, {refused}, {late}"),
    );
    let known = [Code::ResourceExhausted, Code::DeadlineExceeded, Code::Cancelled];
    let others: Vec<_> =
        answers.iter().filter_map(|(_, error)| *error).filter(|code| !known.contains(code)).collect();
    report.require("other answers", "0", format!("{} {others:?}", others.len()), others.is_empty());
    let throttled = site.dingtalk.throttled().await;
    report.require("calls that DingTalk throttled", "0", throttled, throttled == 0);
    site.report_memory(report);
}
