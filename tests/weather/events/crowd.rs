//! A thousand who watch at one replica: how soon they are told, what each of them costs, and that one who never reads
//! harms nobody.

use std::time::Duration;

use dinggate::pb::group::{self as pb, watch_group_events_response::Item};
use tokio::{task::JoinSet, time::timeout};
use tonic::{Code, Streaming};

use super::{
    LIMITS, SECTIONS, group,
    raw::{Connection, Counter, Stream, now_us},
    watchers::{connect, millis},
};
use crate::{
    figures::{Histogram, ms},
    report::Report,
    site::Site,
};

#[derive(Debug, Clone, Copy)]
pub struct Scale {
    watchers: usize,
    /// Watchers that share a connection.
    sharing: usize,
    per_second: u64,
    events: u64,
    /// Before all that: as many as a replica keeps ready, so that its memory does not grow by more of them.
    before: u64,
}

pub const FULL: Scale = Scale { watchers: 1000, sharing: 20, per_second: 500, events: 20_000, before: 8192 };
pub const QUICK: Scale = Scale { watchers: 40, sharing: 20, per_second: 200, events: 1_000, before: 100 };

/// From push to delivery.
const DELAY: Duration = Duration::from_millis(50);
/// Of memory, for each watcher.
const MEMORY_KIB: f64 = 32.0;
/// A watcher may be behind by 16 MiB: this many events of this size are more.
const LARGE: (usize, usize) = (100, 200 * 1024);
/// What may wait in the gateway for one who does not read, besides the window that HTTP/2 opens for a stream.
const BUFFERED: usize = 64 * 1024;
const WINDOW: usize = 65_535;
/// Nobody waits longer than this for what is there.
const LONG: Duration = Duration::from_secs(30);

pub async fn prove(scale: Scale, report: &mut Report) {
    let site = Site::single("crowd", LIMITS, SECTIONS).await;
    let chat_id = group(&site).await;
    let home = site.addresses()[0];
    let mut first = First::begin(home).await;
    site.dingtalk.flood(&chat_id, scale.before, 2000).await;
    first.told(scale.before).await;
    let without = site.gateways[0].memory();
    report.progress("the gateway is warm");

    let mut connections = JoinSet::new();
    let stuck = Connection::open(home, &mut connections).await.watch().await;
    let mut crowd = JoinSet::new();
    for _ in 0..scale.watchers / scale.sharing {
        let connection = Connection::open(home, &mut connections).await;
        for _ in 0..scale.sharing {
            crowd.spawn(listen(connection.watch().await, scale.events));
        }
    }
    report.progress("all are there");
    site.dingtalk.flood(&chat_id, scale.events, scale.per_second).await;
    let (born, crowd) = tokio::join!(first.told(scale.events), crowd.join_all());
    let with = site.gateways[0].memory();
    judge_delays(&born, &crowd, report);
    let each = with.saturating_sub(without) as f64 / scale.watchers as f64;
    report.require_speed(
        &format!(
            "memory for each of {} watchers, {} on a connection, after the load",
            scale.watchers, scale.sharing
        ),
        &format!("< {MEMORY_KIB} KiB"),
        format!("{each:.1} KiB: {with} KiB with them, {without} KiB without"),
        each < MEMORY_KIB,
    );
    judge_stuck(&site, stuck, report).await;
    site.report_memory(report);
}

/// One who looks at what comes: the others are told the same.
struct First(Streaming<pb::WatchGroupEventsResponse>);

impl First {
    async fn begin(home: std::net::SocketAddr) -> Self {
        let stream = connect(home).watch_group_events(pb::WatchGroupEventsRequest::default()).await;
        Self(stream.expect("a stream").into_inner())
    }

    /// When the next events were made, in milliseconds since 1970.
    async fn told(&mut self, count: u64) -> Vec<u64> {
        let mut born = Vec::new();
        while (born.len() as u64) < count {
            let next = timeout(LONG, self.0.message()).await.expect("soon").expect("no failure");
            match next.and_then(|response| response.item).expect("no end") {
                Item::Event(event) => born.push(event.event_time.as_ref().map(millis).expect("its time")),
                Item::Checkpoint(_) => {}
                Item::Gap(gap) => panic!("nothing can have been missed: {gap:?}"),
            }
        }
        born
    }
}

/// What one of the crowd was told: how many items there were at which time, in microseconds since 1970.
type Told = Vec<(u64, u64)>;

/// Counts until it has been told so many events, behind the checkpoint that every stream begins with.
async fn listen(mut stream: Stream, events: u64) -> Told {
    let (mut told, mut count, mut counter) = (Told::new(), 0, Counter::default());
    while count <= events {
        let Ok(Ok(Some(chunk))) = timeout(LONG, stream.chunk()).await else { break };
        count += counter.ended_in(&chunk);
        told.push((now_us(), count));
    }
    told
}

fn judge_delays(born: &[u64], crowd: &[Told], report: &mut Report) {
    let all = born.len() as u64 + 1;
    let whole = crowd.iter().filter(|told| told.last().is_some_and(|(_, count)| *count == all)).count();
    report.require(
        "watchers who were told every event",
        "all",
        format!("{whole} of {}", crowd.len()),
        whole == crowd.len(),
    );
    let mut delays = Histogram::new();
    crowd.iter().for_each(|told| add_delays(born, told, &mut delays));
    let p99 = delays.quantile(0.99);
    report.require_speed(
        "p99 from push to delivery",
        &format!("< {}", ms(DELAY)),
        format!("{} of {} deliveries", ms(p99), delays.count()),
        p99 < DELAY,
    );
    let [median, worst] = [0.5, 1.0].map(|share| ms(delays.quantile(share)));
    report.note("median and longest of them", format!("{median}, {worst}"));
}

/// How long each event took. It was made within the millisecond that it says.
fn add_delays(born: &[u64], told: &Told, delays: &mut Histogram) {
    let mut known = 0;
    for (at, count) in told {
        let events = usize::try_from(count.saturating_sub(1)).expect("it is small").min(born.len());
        for born in &born[known..events] {
            delays.add(Duration::from_micros(at.saturating_sub(born * 1000)));
        }
        known = events;
    }
}

/// One who has not read so far: what waits for it, and how it ends.
async fn judge_stuck(site: &Site, mut stuck: Stream, report: &mut Report) {
    let (count, size) = LARGE;
    let acked = site.dingtalk.pushes().await.acked;
    for _ in 0..count {
        site.dingtalk.push_large(size).await;
    }
    site.dingtalk.until("they are kept", |pushes| pushes.acked >= acked + count as u64).await;
    let mut waiting = 0;
    while let Ok(Ok(Some(chunk))) = timeout(LONG, stuck.chunk()).await {
        waiting += chunk.len();
    }
    let trailers = stuck.trailers().await.ok().flatten();
    let code = trailers.and_then(|trailers| Some(Code::from_bytes(trailers.get("grpc-status")?.as_bytes())));
    report.require(
        "who never read is cut off",
        "ResourceExhausted",
        format!("{code:?}"),
        code == Some(Code::ResourceExhausted),
    );
    let most = WINDOW + BUFFERED;
    report.require("bytes that waited for it", &format!("<= {most}"), waiting, waiting <= most);
}
