//! Those who watch: each keeps what it was told, and goes on from its last token at another replica when a stream ends.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dinggate::pb::group::{
    self as pb, group_event_service_client::GroupEventServiceClient, watch_group_events_response::Item,
};
use prost_types::Timestamp;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::callers::reason;

pub type Events = GroupEventServiceClient<Channel>;

/// Between the end of a stream and the next attempt.
const PAUSE: Duration = Duration::from_millis(50);
/// Watchers that share a connection.
const SHARING: usize = 20;

/// What one watcher was told.
#[derive(Debug, Default)]
pub struct Told {
    /// The ids of events, in the order in which they came.
    pub ids: Vec<u128>,
    /// From and to, in milliseconds since 1970.
    pub gaps: Vec<(u64, u64)>,
    /// How its streams ended, by reason; empty where the connection broke.
    pub ends: BTreeMap<String, usize>,
}

/// A crowd of them.
pub struct Watchers {
    stop: CancellationToken,
    tasks: JoinSet<Told>,
    /// How much each was told so far.
    told: Vec<Arc<AtomicU64>>,
    /// Streams that have begun.
    begun: Arc<AtomicU64>,
}

impl Watchers {
    /// So many, evenly at these replicas. They have begun when this returns.
    pub async fn begin(count: usize, homes: &[SocketAddr]) -> Self {
        let (stop, begun) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let mut watchers = Self { stop, tasks: JoinSet::new(), told: Vec::new(), begun };
        let mut channels: Vec<Events> = Vec::new();
        for number in 0..count {
            if number % (SHARING * homes.len()) == 0 {
                channels = homes.iter().map(|home| connect(*home)).collect();
            }
            let told = Arc::new(AtomicU64::new(0));
            watchers.told.push(told.clone());
            let watcher = Watcher {
                homes: channels.clone(),
                home: number,
                token: String::new(),
                told: Told::default(),
                count: told,
                begun: watchers.begun.clone(),
            };
            watchers.tasks.spawn(watcher.run(watchers.stop.clone()));
        }
        watchers.until_begun(count as u64).await;
        watchers
    }

    /// Waits until so many streams have begun, since there are watchers.
    pub async fn until_begun(&self, count: u64) {
        let given_up = Instant::now() + Duration::from_secs(60);
        while self.begun.load(Ordering::Relaxed) < count {
            assert!(Instant::now() < given_up, "not all watchers are there again");
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// What they were told, once each was told so many events; or a while after nobody is told anything more.
    pub async fn end(self, count: u64) -> Vec<Told> {
        let told = || self.told.iter().map(|told| told.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let (mut last, mut quiet) = (told(), Instant::now());
        while last.iter().any(|told| *told < count) && quiet.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(50)).await;
            let now = told();
            if now != last {
                (last, quiet) = (now, Instant::now());
            }
        }
        self.stop.cancel();
        self.tasks.join_all().await
    }
}

struct Watcher {
    homes: Vec<Events>,
    home: usize,
    token: String,
    told: Told,
    count: Arc<AtomicU64>,
    begun: Arc<AtomicU64>,
}

impl Watcher {
    async fn run(mut self, stop: CancellationToken) -> Told {
        while stop.run_until_cancelled(self.watch()).await.is_some() {
            self.home += 1;
            if stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                break;
            }
        }
        self.told
    }

    /// One stream, to its end.
    async fn watch(&mut self) {
        let request = pb::WatchGroupEventsRequest { resume_token: self.token.clone(), ..Default::default() };
        let home = self.home % self.homes.len();
        let opening = self.homes[home].watch_group_events(request);
        let status = match timeout(Duration::from_secs(10), opening).await {
            Ok(Ok(stream)) => {
                self.begun.fetch_add(1, Ordering::Relaxed);
                self.read(stream.into_inner()).await
            }
            Ok(Err(status)) => status,
            Err(late) => tonic::Status::from_error(late.into()),
        };
        *self.told.ends.entry(reason(&status)).or_default() += 1;
    }

    async fn read(&mut self, mut stream: tonic::Streaming<pb::WatchGroupEventsResponse>) -> tonic::Status {
        loop {
            match stream.message().await {
                Ok(Some(response)) => self.take(response),
                Ok(None) => return tonic::Status::ok("a stream has no such end"),
                Err(status) => return status,
            }
        }
    }

    fn take(&mut self, response: pb::WatchGroupEventsResponse) {
        self.token = response.resume_token;
        match response.item {
            Some(Item::Event(event)) => {
                self.told.ids.push(number(&event.event_id));
                self.count.fetch_add(1, Ordering::Relaxed);
            }
            Some(Item::Gap(gap)) => self.told.gaps.push(span(&gap)),
            Some(Item::Checkpoint(_)) | None => {}
        }
    }
}

/// A connection of its own; made when it is first used, made again when it is lost.
pub fn connect(addr: SocketAddr) -> Events {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address");
    GroupEventServiceClient::new(endpoint.connect_timeout(Duration::from_secs(2)).connect_lazy())
}

/// The simulator's ids of events are 128 bits in hexadecimal digits.
pub fn number(id: &str) -> u128 {
    u128::from_str_radix(id, 16).unwrap_or_else(|_| panic!("{id} is no id of the simulator's"))
}

pub fn span(gap: &pb::Gap) -> (u64, u64) {
    let [start, end] = [&gap.start_time, &gap.end_time].map(|time| time.as_ref().map_or(0, millis));
    (start, end)
}

pub fn millis(time: &Timestamp) -> u64 {
    u64::try_from(time.seconds * 1000 + i64::from(time.nanos) / 1_000_000).expect("after 1970")
}
