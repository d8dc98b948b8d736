//! Reading the log of an app, and noticing where it was lost.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::error;

use super::{
    now,
    record::{Cause, Gap, Record},
    token::Cursor,
};
use crate::store::{Extent, Log, Position, Unavailable};

/// An entry as it stands in the log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) received: u64,
    pub(super) record: Record,
}

/// A record in its place.
#[derive(Debug)]
pub struct Logged {
    /// Its place: where to go on after it.
    pub cursor: Cursor,
    /// When the gateway wrote it, in milliseconds since 1970.
    pub received: u64,
    /// What it says.
    pub record: Record,
    pub(super) size: usize,
    view: OnceLock<Bytes>,
}

impl Logged {
    fn new(cursor: Cursor, body: &[u8]) -> Self {
        let read = serde_json::from_slice(body).unwrap_or_else(|error| {
            // Written by a later version, which a rolling update has among us: what it says is missed here.
            error!(%error, "an entry of the event log is not understood");
            let millis = cursor.position.millis;
            let missed = Gap { from: millis, to: millis, cause: Cause::LogLost };
            Body { received: millis, record: Record::Gap(missed) }
        });
        let Body { received, record } = read;
        Self { cursor, received, record, size: body.len(), view: OnceLock::new() }
    }

    /// Stands where something may have been lost that came after an entry.
    pub(super) fn lost(cursor: Cursor, since: Position) -> Self {
        let received = now();
        let record = Record::Gap(Gap::since(since.millis, received, Cause::LogLost));
        Self { cursor, received, record, size: 0, view: OnceLock::new() }
    }

    /// What its readers make of it, which is made once for all of them.
    pub fn view(&self, make: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.view.get_or_init(|| make(self)).clone()
    }
}

/// Why there is nothing to read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Entries behind the place are kept no more.
    #[error("the log has forgotten what came after this place")]
    Expired {
        /// The first place from which all is kept.
        oldest: Cursor,
    },
    /// The log cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A stretch of the log.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) items: Vec<Arc<Logged>>,
    /// Where the next one begins.
    pub(super) next: Cursor,
    /// Whether there was more at that moment.
    pub(super) more: bool,
    /// Whether the log has begun again within the stretch.
    pub(super) lost: bool,
}

/// The log of an app.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    pub(super) log: Arc<dyn Log>,
    pub(super) app: Arc<str>,
}

impl Pages {
    /// The place behind all that is there now.
    pub(super) async fn end(&self) -> Result<Cursor, ReadError> {
        let end = Position { millis: u64::MAX >> 12, number: 0 };
        let extent = self.log.read(&self.app, end, 1).await?.extent;
        Ok(Cursor { epoch: extent.epoch, position: extent.last })
    }

    /// What stands behind this place; none: all that is kept. Whoever comes from an earlier epoch first gets what is
    /// left of that, and then the gap.
    pub(super) async fn after(&self, cursor: Option<Cursor>, limit: usize) -> Result<Batch, ReadError> {
        let read = cursor.map_or(Position::START, |cursor| cursor.position);
        let mut position = read;
        let mut page = self.log.read(&self.app, position, limit).await?;
        let crosses = cursor.is_some_and(|cursor| cursor.epoch != page.extent.epoch);
        if crosses && position > page.extent.began {
            // What was read up to there is no more, and the places behind may have been given again.
            position = page.extent.began;
            page = self.log.read(&self.app, position, limit).await?;
        }
        let extent = page.extent;
        let cursor = match cursor {
            Some(_) if position < extent.trimmed => {
                return Err(ReadError::Expired { oldest: at(&extent, extent.trimmed) });
            }
            Some(cursor) => Cursor { position, ..cursor },
            None => at(&extent, extent.trimmed),
        };
        let behind = cursor.epoch != extent.epoch;
        let more = page.entries.last().is_some_and(|(last, _)| *last < extent.last);
        let mut items = Vec::with_capacity(page.entries.len() + 1);
        let old = page.entries.partition_point(|(position, _)| behind && *position <= extent.began);
        let logged =
            |(position, body): &(Position, Bytes)| Arc::new(Logged::new(at(&extent, *position), body));
        items.extend(page.entries[..old].iter().map(logged));
        let lost = behind && (old < page.entries.len() || !more);
        if lost {
            let since = items.last().map_or(read, |last: &Arc<Logged>| last.cursor.position);
            let next = Cursor { epoch: extent.epoch, position: extent.began };
            items.push(Arc::new(Logged::lost(next, since)));
        }
        items.extend(page.entries[old..].iter().map(logged));
        let next = items.last().map_or(cursor, |last| last.cursor);
        Ok(Batch { items, next, more, lost })
    }
}

/// A place as it is told to readers: one before the present epoch says so, and whoever goes on from there learns what
/// lies between.
fn at(extent: &Extent, position: Position) -> Cursor {
    let earlier = position < extent.began || (position == extent.began && position != Position::START);
    Cursor { epoch: if earlier { EARLIER } else { extent.epoch }, position }
}

/// No log has this epoch.
const EARLIER: u64 = 0;
