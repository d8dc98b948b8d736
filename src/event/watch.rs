//! A watcher: what it lets through, from where it reads, and how it ends.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep, sleep_until},
};
use tokio_stream::{Stream, wrappers::WatchStream};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    pages::{Batch, Logged, Pages, ReadError},
    record::{ChangeKind, Record},
    tail::{Tail, Taken},
    token::Cursor,
};
use crate::{group::GroupRef, metrics::Present};

/// Records taken from the ring, and read from the log, at a time.
const TAKEN: usize = 64;
/// A log that has nothing new, and is not where the ring is, is read again after this long.
const AGAIN: Duration = Duration::from_millis(100);

/// What is wanted. Gaps are for everybody.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Ids of groups, of either kind; none: all groups.
    groups: Option<HashSet<String>>,
    /// Types, each by its bit; none: all types.
    kinds: Option<u32>,
}

impl Filter {
    /// Only these groups, known by any id of theirs.
    #[must_use]
    pub fn groups(mut self, groups: &[GroupRef]) -> Self {
        self.groups = Some(groups.iter().flat_map(GroupRef::ids).map(ToOwned::to_owned).collect());
        self
    }

    /// Only these types.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = ChangeKind>) -> Self {
        self.kinds = Some(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u32));
        self
    }

    /// Whether a record is wanted.
    pub fn passes(&self, record: &Record) -> bool {
        let Record::Event(event) = record else { return true };
        self.kinds.is_none_or(|bits| bits & 1 << event.change.kind() as u32 != 0)
            && self.groups.as_ref().is_none_or(|groups| event.group.ids().any(|id| groups.contains(id)))
    }
}

/// What a watcher gets.
#[derive(Debug)]
pub enum Item {
    /// Something that the filter lets through.
    Record(Arc<Logged>),
    /// Nothing: all up to here was delivered or kept back.
    Checkpoint(Cursor),
    /// Nothing more. The place is where to go on.
    Ended(Ended, Cursor),
}

/// Why a watcher ends.
#[derive(Debug, Clone)]
pub enum Ended {
    /// It read too slowly.
    TooSlow,
    /// The gateway stops.
    Closed,
    /// The log cannot go on for it.
    Unreadable(ReadError),
}

type Reading = Pin<Box<dyn Future<Output = Result<Batch, ReadError>> + Send>>;

/// From where it reads.
enum Source {
    /// The log, until it has caught up.
    Log(Reading),
    /// The ring, from this number on.
    Ring(u64),
    Ended,
}

/// A stream of what happens. It ends only with an [`Item::Ended`].
pub struct Watcher {
    pages: Pages,
    tail: Arc<Tail>,
    filter: Filter,
    /// All up to here was delivered or kept back.
    cursor: Cursor,
    source: Source,
    /// Taken and not yet looked at.
    taken: VecDeque<Arc<Logged>>,
    grown: WatchStream<()>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// It begins with a checkpoint.
    greets: bool,
    interval: Duration,
    /// When there is to be a checkpoint, unless something else is sent before.
    due: Instant,
    timer: Pin<Box<Sleep>>,
    /// One of so many, and counted; none for the gateway itself.
    _place: Option<(OwnedSemaphorePermit, Present)>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("app", &self.pages.app).field("cursor", &self.cursor).finish()
    }
}

impl Watcher {
    /// Goes on behind what was read to begin with; after a checkpoint, where nobody knows yet where that is.
    pub(super) fn new(
        (pages, tail): (Pages, Arc<Tail>),
        filter: Filter,
        (begin, batch): (Cursor, Batch),
        (greets, interval): (bool, Duration),
        closed: WaitForCancellationFutureOwned,
        place: Option<(OwnedSemaphorePermit, Present)>,
    ) -> Self {
        let due = Instant::now() + interval;
        let mut watcher = Self {
            grown: WatchStream::from_changes(tail.grown()),
            pages,
            tail,
            filter,
            cursor: begin,
            source: Source::Ended,
            taken: VecDeque::new(),
            closed: Box::pin(closed),
            greets,
            interval,
            due,
            timer: Box::pin(sleep_until(due)),
            _place: place,
        };
        watcher.go_on(batch);
        watcher
    }

    /// All up to here was delivered or kept back.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Takes what was read; the rest is in the ring, or still to be read.
    fn go_on(&mut self, batch: Batch) {
        let in_ring = if batch.more { None } else { self.tail.behind(batch.next) };
        let pause = if batch.more || !batch.items.is_empty() { Duration::ZERO } else { AGAIN };
        self.source = in_ring.map_or_else(|| Source::Log(self.read(batch.next, pause)), Source::Ring);
        self.taken.extend(batch.items);
    }

    fn read(&self, cursor: Cursor, pause: Duration) -> Reading {
        let pages = self.pages.clone();
        Box::pin(async move {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            pages.after(Some(cursor), TAKEN).await
        })
    }

    /// The next record that is wanted of those that were taken.
    fn next_taken(&mut self) -> Option<Arc<Logged>> {
        while let Some(logged) = self.taken.pop_front() {
            // The ring may begin before the place where it was entered.
            let known =
                logged.cursor.epoch == self.cursor.epoch && logged.cursor.position <= self.cursor.position;
            if known {
                continue;
            }
            self.cursor = logged.cursor;
            if self.filter.passes(&logged.record) {
                return Some(logged);
            }
        }
        None
    }

    /// Takes more; true if there may be something now.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        match &mut self.source {
            Source::Log(reading) => {
                let read = ready!(reading.as_mut().poll(cx));
                self.go_on(read.map_err(Ended::Unreadable)?);
                Poll::Ready(Ok(()))
            }
            Source::Ring(number) => loop {
                match self.tail.take(*number, TAKEN) {
                    Taken::Lapped => return Poll::Ready(Err(Ended::TooSlow)),
                    Taken::Records(records) if !records.is_empty() => {
                        *number += records.len() as u64;
                        self.taken.extend(records);
                        return Poll::Ready(Ok(()));
                    }
                    // A change that came since it was looked is found by looking again.
                    Taken::Records(_) => drop(ready!(Pin::new(&mut self.grown).poll_next(cx))),
                }
            },
            Source::Ended => Poll::Pending,
        }
    }

    fn end(&mut self, why: Ended) -> Poll<Option<Item>> {
        self.source = Source::Ended;
        Poll::Ready(Some(Item::Ended(why, self.cursor)))
    }
}

impl Stream for Watcher {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let watcher = &mut *self;
        if matches!(watcher.source, Source::Ended) {
            return Poll::Ready(None);
        }
        if watcher.closed.as_mut().poll(cx).is_ready() {
            return watcher.end(Ended::Closed);
        }
        if std::mem::take(&mut watcher.greets) {
            return Poll::Ready(Some(Item::Checkpoint(watcher.cursor)));
        }
        loop {
            if let Some(logged) = watcher.next_taken() {
                watcher.due = Instant::now() + watcher.interval;
                return Poll::Ready(Some(Item::Record(logged)));
            }
            match watcher.poll_more(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(why)) => return watcher.end(why),
                Poll::Pending => break,
            }
        }
        loop {
            ready!(watcher.timer.as_mut().poll(cx));
            let now = Instant::now();
            if watcher.due <= now {
                watcher.due = now + watcher.interval;
                return Poll::Ready(Some(Item::Checkpoint(watcher.cursor)));
            }
            // Something was sent since it was set.
            watcher.timer.as_mut().reset(watcher.due);
        }
    }
}
