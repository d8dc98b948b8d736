//! Logs in memory. They end with the process: the next one has an epoch of its own.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::watch, time::Instant};

use super::MemoryLeases;
use crate::store::{
    AppendError, Entry, Extent, Fence, Log, Page, Position, Retention, Unavailable, log::PAGE_MAX_BYTES,
};

/// Logs of this process.
#[derive(Debug)]
pub struct MemoryLog {
    leases: Arc<MemoryLeases>,
    logs: Mutex<HashMap<String, Kept>>,
}

#[derive(Debug)]
struct Kept {
    epoch: u64,
    trimmed: Position,
    last: Position,
    entries: VecDeque<(Position, Instant, Bytes)>,
    ids: HashSet<Arc<str>>,
    /// The same in the order in which they came.
    met: VecDeque<(Instant, Arc<str>)>,
    changed: watch::Sender<u64>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            epoch: rand::random_range(1..=u64::MAX),
            trimmed: Position::START,
            last: Position::START,
            entries: VecDeque::new(),
            ids: HashSet::new(),
            met: VecDeque::new(),
            changed: watch::channel(0).0,
        }
    }
}

impl Kept {
    fn append(&mut self, entry: &Entry, now: Instant) -> Option<Position> {
        if let Some(id) = &entry.id {
            let id: Arc<str> = id.as_str().into();
            if !self.ids.insert(id.clone()) {
                return None;
            }
            self.met.push_back((now, id));
        }
        self.last = self.last.next(millis_now());
        self.entries.push_back((self.last, now, entry.body.clone()));
        Some(self.last)
    }

    fn trim(&mut self, keep: Retention, now: Instant) {
        let is_over = |at: &Instant, time: Duration| now.duration_since(*at) >= time;
        while let Some((position, at, _)) = self.entries.front()
            && (self.entries.len() > keep.count || is_over(at, keep.time))
        {
            self.trimmed = *position;
            self.entries.pop_front();
        }
        while let Some((at, id)) = self.met.front()
            && (self.met.len() > keep.ids_count() || is_over(at, keep.ids()))
        {
            self.ids.remove(id);
            self.met.pop_front();
        }
    }

    fn page(&self, after: Position, limit: usize) -> Page {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let begin = self.entries.partition_point(|(position, ..)| *position <= after);
        for (position, _, body) in self.entries.range(begin..).take(limit) {
            bytes += body.len();
            if bytes > PAGE_MAX_BYTES && !entries.is_empty() {
                break;
            }
            entries.push((*position, body.clone()));
        }
        let extent =
            Extent { epoch: self.epoch, began: Position::START, trimmed: self.trimmed, last: self.last };
        Page { entries, extent }
    }
}

impl MemoryLog {
    /// Logs guarded by these leases.
    pub fn new(leases: Arc<MemoryLeases>) -> Self {
        Self { leases, logs: Mutex::default() }
    }

    fn with<T>(&self, log: &str, work: impl FnOnce(&mut Kept) -> T) -> T {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        work(logs.entry(log.to_owned()).or_default())
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn append(
        &self,
        log: &str,
        fence: Option<&Fence>,
        entries: &[Entry],
        keep: Retention,
    ) -> Result<Vec<Option<Position>>, AppendError> {
        self.with(log, |kept| {
            if fence.is_some_and(|fence| !self.leases.is_current(fence)) {
                return Err(AppendError::Deposed);
            }
            let now = Instant::now();
            let positions = entries.iter().map(|entry| kept.append(entry, now)).collect();
            kept.trim(keep, now);
            kept.changed.send_modify(|count| *count += 1);
            Ok(positions)
        })
    }

    async fn read(&self, log: &str, after: Position, limit: usize) -> Result<Page, Unavailable> {
        Ok(self.with(log, |kept| kept.page(after, limit)))
    }

    fn changes(&self, log: &str) -> watch::Receiver<u64> {
        self.with(log, |kept| kept.changed.subscribe())
    }
}

fn millis_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
