//! Who keeps the connection: takes the lease, holds it, connects again and again, and says what may have been missed.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    session::{Ending, Session},
    socket::{Socket, connect},
};
use crate::{
    dingtalk::{App, Client},
    event::{Cause, Feed},
    store::{Facts, Fence, Store, Unavailable},
};

/// How long an owner that is not heard of keeps its place. Takeover takes this, a [`LOOK`] and a connection.
const LEASE: Duration = Duration::from_secs(6);
/// How often it is renewed, and the time written down until which nothing can have been missed.
const RENEW: Duration = Duration::from_secs(2);
/// How often the others look whether the place is free.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after the first connection that failed. It doubles ...
const BACKOFF: Duration = Duration::from_secs(1);
/// ... so many times: up to a minute.
const DOUBLINGS: u32 = 6;
/// A connection that lived for this long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// How long a connection that DingTalk is about to close is still read from, when the next one is open.
const DRAIN: Duration = Duration::from_secs(10);

/// The connections of all apps.
#[derive(Debug)]
pub struct Streams {
    stop: CancellationToken,
    owners: JoinSet<()>,
}

impl Streams {
    /// Keeps a connection for each app, here or at another replica. To be called inside a runtime.
    pub fn open(apps: impl IntoIterator<Item = App>, client: &Client, feed: &Feed, store: &Store) -> Self {
        let stop = CancellationToken::new();
        let mut owners = JoinSet::new();
        for app in apps {
            let owner = Owner {
                lease: format!("events/{}", app.alias()),
                app,
                client: client.clone(),
                feed: feed.clone(),
                store: store.clone(),
                sure: AtomicU64::new(0),
            };
            let stop = stop.clone();
            owners.spawn(async move { owner.run(stop).await });
        }
        Self { stop, owners }
    }

    /// Closes the connections and leaves the place to other replicas.
    pub async fn close(mut self) {
        self.stop.cancel();
        while self.owners.join_next().await.is_some() {}
    }
}

/// What keeps one app's connection.
struct Owner {
    app: App,
    lease: String,
    client: Client,
    feed: Feed,
    store: Store,
    /// Until when nothing can have been missed, in milliseconds since 1970; 0 while that is not known.
    sure: AtomicU64,
}

impl Owner {
    async fn run(&self, stop: CancellationToken) {
        while let Some(fence) = stop.run_until_cancelled(self.take_place()).await {
            info!(app = self.app.alias(), number = fence.number, "owning the event stream");
            let at_work = async {
                tokio::select! {
                    () = self.hold(&fence) => {}
                    () = Box::pin(self.work(&fence)) => {}
                }
            };
            if stop.run_until_cancelled(at_work).await.is_none() {
                self.note_sure().await;
                // A lease that cannot be given back runs out.
                drop(self.store.leases.release(&fence).await);
                return;
            }
            warn!(app = self.app.alias(), "another replica owns the event stream now");
        }
    }

    async fn take_place(&self) -> Fence {
        loop {
            if let Ok(Some(fence)) = self.store.leases.acquire(&self.lease, LEASE).await {
                return fence;
            }
            // Also known here, should the store forget it.
            if let Ok(sure) = sure(&*self.store.facts, self.app.alias()).await {
                self.sure.fetch_max(sure, Ordering::Relaxed);
            }
            sleep(LOOK).await;
        }
    }

    /// Renews the lease for as long as that works.
    async fn hold(&self, fence: &Fence) {
        let mut held = Instant::now();
        loop {
            sleep(RENEW).await;
            match self.store.leases.renew(fence, LEASE).await {
                Ok(true) => held = Instant::now(),
                Ok(false) => return,
                // Whoever takes the place meanwhile has a greater number, so nothing can be written twice.
                Err(_) if held.elapsed() < LEASE => continue,
                Err(_) => return,
            }
            self.note_sure().await;
        }
    }

    /// Keeps a connection open until another replica has the place.
    async fn work(&self, fence: &Fence) {
        self.sure.fetch_max(self.recall_sure().await, Ordering::Relaxed);
        let session = Session { app: self.app.alias(), feed: &self.feed, fence, sure: &self.sure };
        let (mut cause, mut failures) = (Cause::OwnerChanged, 0);
        // The last one and how it ended, while there may still be something to read from it.
        let mut last: Option<(Socket, Ending)> = None;
        loop {
            let Some(mut socket) = self.connect().await else {
                last = None;
                failures += 1;
                sleep(pause(failures)).await;
                continue;
            };
            let opened = Instant::now();
            let unbroken = matches!(last, Some((_, Ending::Renewal)));
            if !unbroken && session.admit_gap(session.sure(), cause).await.is_err() {
                return;
            }
            // At once: whoever comes next must know that somebody listened, however short that was.
            self.note_sure().await;
            let reading = session.read(&mut socket);
            let ending = match last.take() {
                Some((old, _)) => tokio::join!(reading, session.drain(old, DRAIN)).0,
                None => reading.await,
            };
            cause = Cause::Reconnected;
            // One that ends right after its opening is as good as none.
            failures = if opened.elapsed() > GOOD { 0 } else { failures + 1 };
            match ending {
                Ending::Deposed => return,
                Ending::Broken => sleep(pause(failures.max(1))).await,
                Ending::Renewal | Ending::Disconnect => {
                    last = Some((socket, ending));
                    // The first time at once, as there is still something to read from it.
                    sleep(pause(failures.saturating_sub(1))).await;
                }
            }
        }
    }

    async fn connect(&self) -> Option<Socket> {
        let opened = match self.client.open_stream(&self.app).await {
            Ok(address) => connect(&address).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        opened
            .inspect(|_| info!(app = self.app.alias(), "the event stream is open"))
            .inspect_err(|error| warn!(app = self.app.alias(), error, "the event stream cannot be opened"))
            .ok()
    }

    /// For the next owner: until when this one heard everything.
    async fn note_sure(&self) {
        let sure = self.sure.load(Ordering::Relaxed);
        if sure > 0 {
            let fact = Bytes::copy_from_slice(&sure.to_be_bytes());
            // The next owner then admits a longer gap.
            drop(self.store.facts.remember(&sure_key(self.app.alias()), fact, None).await);
        }
    }

    async fn recall_sure(&self) -> u64 {
        loop {
            match sure(&*self.store.facts, self.app.alias()).await {
                Ok(sure) => return sure,
                Err(_) => sleep(LOOK).await,
            }
        }
    }
}

fn sure_key(app: &str) -> String {
    format!("events-sure/{app}")
}

/// Until when none of an app's events can have been missed, as its owner has written down; 0 if there never was one.
pub(in crate::event) async fn sure(facts: &dyn Facts, app: &str) -> Result<u64, Unavailable> {
    let fact = facts.recall(&sure_key(app)).await?;
    Ok(fact.and_then(|fact| fact[..].try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// What is waited after so many failures, in a row: not the same at all replicas.
fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => (BACKOFF * (1 << doublings.min(DOUBLINGS))).mul_f64(rand::random_range(0.5..1.0)),
    }
}
