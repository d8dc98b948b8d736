//! What DingTalk tells by itself: group events, taken in from their sources, kept in a log for each app, and given to
//! whoever watches or lists.
//!
//! A source calls [`Feed::accept`] and acknowledges a push only when that is done. One reader for each app follows the
//! log (`tail.rs`) and all watchers of this replica read from its ring, so that a thousand of them cost the store no
//! more than one.

pub mod callback;
mod config;
mod feed;
mod hearing;
mod model;
mod pages;
pub mod payload;
mod record;
pub mod stream;
mod tail;
mod token;
mod watch;

pub use self::{
    callback::{Callbacks, Pace, Recovery},
    config::{EventsConfig, Mode},
    feed::{Feed, Listed, Refusal},
    hearing::hear,
    model::{Change, Event},
    pages::{Logged, ReadError},
    record::{Cause, ChangeKind, Gap, Record},
    stream::Streams,
    token::Cursor,
    watch::{Ended, Filter, Item, Watcher},
};

use std::time::{SystemTime, UNIX_EPOCH};

/// The time in milliseconds since 1970, as DingTalk and the log tell it.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
