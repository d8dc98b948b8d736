//! Logs that replicas share: entries in one order, each once, as long as they are kept.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{Fence, Unavailable};

/// A place in a log: that of an entry, or before the first one. Later places are greater, also across logs that were
/// lost and begun again, as far as the clock goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// When the entry was appended, in milliseconds since 1970.
    pub millis: u64,
    /// Which of this millisecond.
    pub number: u64,
}

impl Position {
    /// Before every entry.
    pub const START: Self = Self { millis: 0, number: 0 };

    /// The place of the next entry.
    pub(super) fn next(self, now: u64) -> Self {
        if now > self.millis {
            Self { millis: now, number: 0 }
        } else {
            Self { number: self.number + 1, ..self }
        }
    }
}

/// What is to be appended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// An entry whose id the log has met before is left out. None: it is always appended.
    pub id: Option<String>,
    /// What it says.
    pub body: Bytes,
}

/// How long entries are kept. Ids are remembered for at least a day, but of no more than four times as many entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// No longer than this.
    pub time: Duration,
    /// No more than this.
    pub count: usize,
}

impl Retention {
    const IDS: Duration = Duration::from_secs(24 * 3600);

    /// How many ids are remembered.
    pub(super) fn ids_count(&self) -> usize {
        self.count.saturating_mul(4)
    }

    /// How long ids are remembered.
    pub(super) fn ids(&self) -> Duration {
        self.time.max(Self::IDS)
    }
}

/// Why nothing was appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The lease that the fence belongs to has run out, or is another's.
    #[error("the lease is lost")]
    Deposed,
    /// It may have been appended all the same; a repeat does it only once, by the ids.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Another one than before: entries may have been lost, and the log began again. Never 0.
    pub epoch: u64,
    /// The last place of earlier epochs.
    pub began: Position,
    /// The last entry that is kept no more. All entries behind it are there.
    pub trimmed: Position,
    /// The last entry.
    pub last: Position,
}

/// A stretch of a log.
#[derive(Debug, Clone)]
pub struct Page {
    /// Entries in their order.
    pub entries: Vec<(Position, Bytes)>,
    /// What the log held at that moment.
    pub extent: Extent,
}

/// Logs by name.
#[async_trait]
pub trait Log: Debug + Send + Sync {
    /// Appends in one step what the log has not met yet, and forgets what is not to be kept. The answer has the place of
    /// each entry, none where it is a duplicate.
    async fn append(
        &self,
        log: &str,
        fence: Option<&Fence>,
        entries: &[Entry],
        keep: Retention,
    ) -> Result<Vec<Option<Position>>, AppendError>;

    /// The entries behind a place, at most `limit` of them, and fewer where they are large; the first of them in any
    /// case. A log that nobody has appended to is empty.
    async fn read(&self, log: &str, after: Position, limit: usize) -> Result<Page, Unavailable>;

    /// Changes when any replica may have appended something.
    fn changes(&self, log: &str) -> watch::Receiver<u64>;
}

/// A page is not made longer than this.
pub(super) const PAGE_MAX_BYTES: usize = 1024 * 1024;
