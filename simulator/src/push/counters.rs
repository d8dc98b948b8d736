//! What is known of pushes: counters over all of them, and the latest events one by one.

use serde::Serialize;

use super::{Pushes, Record, State};

/// What became of an app's events since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PushCounters {
    /// Events made for it.
    pub made: u64,
    /// Frames with an event that were handed to a connection, repeats included.
    pub pushed: u64,
    /// Events that were pushed once more because no acknowledgement came, or because that was asked for.
    pub redelivered: u64,
    /// Events acknowledged by stream: nothing but these may be counted on to have arrived.
    pub acked: u64,
    /// Acknowledgements of events that were acknowledged before.
    pub acked_again: u64,
    /// Acknowledgements that ask for the event again later.
    pub later: u64,
    /// Events given up; one may be acknowledged yet.
    pub lost: u64,
    /// Attempts to push an event to an app without a connection.
    pub unserved: u64,
    /// Events that came empty, or by HTTP not at all, because the month was used up.
    pub over_quota: u64,
    /// Requests to the callback, repeats included.
    pub posted: u64,
    /// Of these, how many were answered as they have to be.
    pub confirmed: u64,
    /// Of these, how many were not.
    pub unconfirmed: u64,
    /// Events given up, for the list of the failed.
    pub failed: u64,
    /// Tickets handed out.
    pub tickets: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections closed, by whichever side.
    pub closed: u64,
    /// SYSTEM pings answered as they have to be.
    pub pongs: u64,
    /// Texts that are no answer to anything.
    pub stray: u64,
}

/// An event and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushedEvent {
    /// The event id.
    pub id: String,
    /// The event type, such as `chat_add_member`.
    pub kind: String,
    /// When it was made, in Unix milliseconds.
    pub born_ms: u64,
    /// The `data` of its frames.
    pub data: String,
    /// How far it has come by stream.
    pub state: State,
    /// How far it has come by HTTP.
    pub callback: State,
    /// How often it was pushed by stream, or would have been had there been a connection.
    pub attempts: usize,
}

impl Pushes {
    pub(super) fn count(&mut self, app_key: &str) -> &mut PushCounters {
        if !self.counters.contains_key(app_key) {
            self.counters.insert(app_key.to_owned(), PushCounters::default());
        }
        self.counters.get_mut(app_key).expect("it was put there if it was not")
    }

    pub(crate) fn counters(&self, app_key: &str) -> PushCounters {
        self.counters.get(app_key).copied().unwrap_or_default()
    }

    /// By app.
    pub(crate) fn all_counters(&self) -> &std::collections::BTreeMap<String, PushCounters> {
        &self.counters
    }

    /// The latest events of an app, oldest first.
    pub(crate) fn events(&self, app_key: &str) -> Vec<PushedEvent> {
        let of_app = self.records.iter().filter(|record| record.event.app_key == app_key);
        of_app.map(Record::snapshot).collect()
    }
}

impl Record {
    fn snapshot(&self) -> PushedEvent {
        PushedEvent {
            id: self.event.id.clone(),
            kind: self.event.kind.clone(),
            born_ms: self.event.born_ms,
            data: self.event.data.clone(),
            state: self.state,
            callback: self.callback,
            attempts: self.attempts,
        }
    }
}
