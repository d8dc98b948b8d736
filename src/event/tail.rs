//! The newest part of an app's log, read once for all watchers of this replica.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{
    pages::{Logged, Pages, ReadError},
    record::Cause,
    token::Cursor,
};
use crate::metrics::Metrics;

/// How far behind a watcher may fall: by so many records ...
const MAX_COUNT: usize = 8192;
/// ... of so many bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Records read at a time.
const PAGE: usize = 500;
/// A log that cannot be read is tried again after this long.
const AGAIN: Duration = Duration::from_millis(250);
/// A log that says nothing is read after this long all the same.
const SILENCE: Duration = Duration::from_secs(5);
/// Waking a watcher costs about so much; they are not woken more often than there is time for.
const WAKING: Duration = Duration::from_micros(20);
/// But they do not wait longer than this for what is there.
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// The newest records of an app.
#[derive(Debug)]
pub(super) struct Tail {
    metrics: Metrics,
    ring: RwLock<Ring>,
    /// Changes when there is more.
    grown: watch::Sender<()>,
}

/// Records by number; numbers are this replica's own.
#[derive(Debug, Default)]
struct Ring {
    records: VecDeque<Arc<Logged>>,
    bytes: usize,
    /// The number of the first.
    first: u64,
    /// The place before the first.
    floor: Option<Cursor>,
}

impl Ring {
    fn push(&mut self, logged: Arc<Logged>) {
        self.bytes += logged.size;
        self.records.push_back(logged);
        while self.records.len() > MAX_COUNT || (self.bytes > MAX_BYTES && self.records.len() > 1) {
            let gone = self.records.pop_front().expect("it is not empty");
            self.bytes -= gone.size;
            self.first += 1;
            self.floor = Some(gone.cursor);
        }
    }

    fn end(&self) -> Option<Cursor> {
        self.records.back().map(|last| last.cursor).or(self.floor)
    }

    /// The number of the first record behind a place; none if the ring does not reach back to it.
    fn behind(&self, cursor: Cursor) -> Option<u64> {
        if self.end()?.epoch != cursor.epoch {
            return None;
        }
        let is_before = |logged: &Arc<Logged>| {
            logged.cursor.epoch != cursor.epoch || logged.cursor.position <= cursor.position
        };
        let index = self.records.partition_point(is_before);
        let before = index.checked_sub(1).map(|last| self.records[last].cursor).or(self.floor)?;
        let reaches = before.epoch == cursor.epoch && before.position <= cursor.position;
        reaches.then_some(self.first + index as u64)
    }
}

/// What a watcher gets from the ring.
pub(super) enum Taken {
    /// The next ones, none if there are none yet.
    Records(Vec<Arc<Logged>>),
    /// They have left the ring.
    Lapped,
}

impl Tail {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, ring: RwLock::default(), grown: watch::channel(()).0 }
    }

    /// Tells when there is more.
    pub(super) fn grown(&self) -> watch::Receiver<()> {
        self.grown.subscribe()
    }

    /// The number of the first record behind a place; none if only the log knows.
    pub(super) fn behind(&self, cursor: Cursor) -> Option<u64> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).behind(cursor)
    }

    /// Records from a number on.
    pub(super) fn take(&self, number: u64, limit: usize) -> Taken {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = number.checked_sub(ring.first) else { return Taken::Lapped };
        let begin = usize::try_from(index).unwrap_or(usize::MAX).min(ring.records.len());
        Taken::Records(ring.records.range(begin..).take(limit).cloned().collect())
    }

    /// Follows the log for as long as it is polled.
    pub(super) async fn follow(&self, pages: Pages) {
        let mut changes = pages.log.changes(&pages.app);
        let mut cursor = loop {
            match pages.end().await {
                Ok(end) => break end,
                Err(_) => sleep(AGAIN).await,
            }
        };
        self.ring.write().unwrap_or_else(PoisonError::into_inner).floor = Some(cursor);
        self.grown.send_replace(());
        loop {
            changes.mark_unchanged();
            let more = match pages.after(Some(cursor), PAGE).await {
                Ok(batch) => {
                    if batch.lost {
                        self.lost(&pages.app);
                    }
                    cursor = batch.next;
                    self.publish(batch.items).await;
                    batch.more
                }
                Err(ReadError::Expired { oldest }) => {
                    self.lost(&pages.app);
                    let gap = Logged::lost(oldest, cursor.position);
                    cursor = oldest;
                    self.publish(vec![Arc::new(gap)]).await;
                    true
                }
                // Whoever looks after the store says why.
                Err(ReadError::Unavailable(_)) => {
                    sleep(AGAIN).await;
                    true
                }
            };
            if !more && timeout(SILENCE, changes.changed()).await.is_ok_and(|change| change.is_err()) {
                return info!(app = &*pages.app, "nobody writes the event log any more");
            }
        }
    }

    fn lost(&self, app: &Arc<str>) {
        warn!(
            app = &**app,
            "events may be lost: the log has begun again, or forgot some before they were read here"
        );
        self.metrics.event_gap(app.clone(), Cause::LogLost.into());
    }

    /// Gives records to the watchers, and them the time to read: what comes meanwhile, they get together.
    async fn publish(&self, records: Vec<Arc<Logged>>) {
        if records.is_empty() {
            return;
        }
        {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            records.into_iter().for_each(|logged| ring.push(logged));
        }
        self.grown.send_replace(());
        let watchers = u32::try_from(self.grown.receiver_count()).unwrap_or(u32::MAX);
        sleep(WAKING.saturating_mul(watchers).min(MAX_PAUSE)).await;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::pages::Logged;

    /// A ring that began at a place and has met these records.
    pub(in crate::event) fn ring(begin: Cursor, records: impl Iterator<Item = Cursor>) -> Tail {
        let tail = Tail::new(Metrics::off());
        let mut ring = tail.ring.write().unwrap();
        ring.floor = Some(begin);
        records.for_each(|cursor| ring.push(Arc::new(Logged::lost(cursor, cursor.position))));
        drop(ring);
        tail
    }
}
