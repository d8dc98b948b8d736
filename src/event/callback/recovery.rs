//! What DingTalk could not push while no replica took callbacks, or the log could not be written: admitted as a gap at
//! once, and asked for when DingTalk has it.
//!
//! A push that nobody takes is repeated after 10 s and after another 30 s, and some minutes later it is on a list. One
//! replica of all, by a lease, notes that callbacks are taken; a note that is old tells the next one of an absence. The
//! list is asked for once an absence and not now and then: each call counts against the month.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::{
    dingtalk::{App, Client, Context, Error},
    event::{
        Cause, Event, Feed, Gap, now,
        payload::{self, Cover},
    },
    operation::push::{FailedPush, ListFailedPushes},
    store::{AppendError, Fence, Store},
};

/// How long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two notes that callbacks are taken.
    pub note: Duration,
    /// An absence that loses nothing, as DingTalk repeats its pushes for 40 s.
    pub harmless: Duration,
    /// From the end of an absence until the list is complete: the last repetition, and the five minutes after it.
    pub listed: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            note: Duration::from_secs(5),
            harmless: Duration::from_secs(30),
            listed: Duration::from_secs(6 * 60),
        }
    }
}

/// Notes after which the lease of a replica that is not heard of is free.
const LEASE_NOTES: u32 = 3;
/// An event may have happened this much before it was pushed for the first time.
const UNDER_WAY: Duration = Duration::from_secs(60);
/// For one page of the list, waiting for its turn among the app's calls included.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the list is asked for in vain before its events are given up. The pause between is [`Pace::listed`].
const TRIES: u32 = 3;

/// Looks after the callbacks of one app.
#[derive(Debug)]
pub struct Recovery {
    app: App,
    client: Client,
    feed: Feed,
    store: Store,
    pace: Pace,
}

/// While no callbacks were taken, in milliseconds since 1970.
struct Absence {
    from: u64,
    to: u64,
    /// When its events can be asked for.
    due: Instant,
    tries: u32,
}

/// What the replica that has the lease knows.
struct Watch {
    fence: Fence,
    /// When callbacks were taken last, in milliseconds since 1970.
    seen: u64,
    absence: Option<Absence>,
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Call(#[from] Error),
    #[error("the events cannot be kept: {0}")]
    Log(#[from] AppendError),
}

impl Recovery {
    /// Of this app, whose events go there.
    pub fn new(app: App, client: &Client, feed: &Feed, store: &Store, pace: Pace) -> Self {
        Self { app, client: client.clone(), feed: feed.clone(), store: store.clone(), pace }
    }

    /// Does so for ever.
    pub async fn run(self) {
        let mut watch = None;
        loop {
            watch = self.hold(watch).await;
            if let Some(watch) = &mut watch {
                self.look(watch).await;
            }
            sleep(self.pace.note).await;
        }
    }

    /// Keeps the lease, or takes it if it is free.
    async fn hold(&self, held: Option<Watch>) -> Option<Watch> {
        let ttl = self.pace.note * LEASE_NOTES;
        if let Some(watch) = held
            && let Ok(true) = self.store.leases.renew(&watch.fence, ttl).await
        {
            return Some(watch);
        }
        let lease = format!("events-callback/{}", self.app.alias());
        let fence = self.store.leases.acquire(&lease, ttl).await.ok().flatten()?;
        let seen = self.store.facts.recall(&self.seen_key()).await.ok()?;
        let seen = seen.and_then(|fact| fact[..].try_into().ok()).map_or_else(now, u64::from_be_bytes);
        Some(Watch { fence, seen, absence: None })
    }

    /// Notes that callbacks are taken, and finds out whether they were not.
    async fn look(&self, watch: &mut Watch) {
        let now = now();
        if u128::from(now.saturating_sub(watch.seen)) > self.pace.harmless.as_millis() {
            let gap = Gap { from: watch.seen, to: now, cause: Cause::Reconnected };
            // Without the log nothing is taken: the absence goes on.
            let Ok(()) = self.feed.gap(self.app.alias(), None, gap).await else { return };
            let from = watch.absence.as_ref().map_or(watch.seen, |absence| absence.from);
            watch.absence = Some(Absence { from, to: now, due: Instant::now() + self.pace.listed, tries: 0 });
        }
        watch.seen = now;
        if let Some(absence) = &mut watch.absence {
            if absence.due > Instant::now() || !self.make_up_for(absence).await {
                return;
            }
            // Which may have taken a while.
            watch.seen = crate::event::now();
            watch.absence = None;
        }
        // Until what was missed is settled the note stays old, so that whoever takes over asks for it.
        drop(
            self.store
                .facts
                .remember(&self.seen_key(), Bytes::copy_from_slice(&watch.seen.to_be_bytes()), None)
                .await,
        );
    }

    /// Asks for what was missed; true if that is settled.
    async fn make_up_for(&self, absence: &mut Absence) -> bool {
        let app = self.app.alias();
        match self.recover(absence.from.saturating_sub(UNDER_WAY.as_millis() as u64), absence.to).await {
            Ok(count) => {
                info!(app, count, "events whose push had failed are recovered");
                true
            }
            Err(error) => {
                absence.tries += 1;
                absence.due = Instant::now() + self.pace.listed;
                let given_up = absence.tries >= TRIES;
                warn!(app, %error, given_up, "events whose push failed cannot be recovered");
                given_up
            }
        }
    }

    /// How many were new.
    async fn recover(&self, mut begin_time: u64, end_time: u64) -> Result<usize, Failed> {
        let mut count = 0;
        loop {
            let context = Context::until(Instant::now() + PATIENCE);
            let page =
                self.client.call(&context, &self.app, &ListFailedPushes { begin_time, end_time }).await?;
            let latest: Option<u64> =
                page.failed_list.iter().filter_map(|push| push.event_time?.try_into().ok()).max();
            let events: Vec<_> = page.failed_list.into_iter().filter_map(event).collect();
            count += self
                .feed
                .accept(self.app.alias(), None, events)
                .await?
                .into_iter()
                .filter(|new| *new)
                .count();
            match latest {
                // More of the same millisecond may follow; a page that is full of one millisecond has no next one.
                Some(latest) if page.has_more == Some(true) => begin_time = latest.max(begin_time + 1),
                _ => return Ok(count),
            }
        }
    }

    fn seen_key(&self) -> String {
        format!("events-callback-seen/{}", self.app.alias())
    }
}

fn event(push: FailedPush) -> Option<Event> {
    let born = push.event_time.and_then(|time| time.try_into().ok());
    payload::read(Cover { event_id: None, type_name: Some(push.type_name), born }, &push.content).ok()
}
