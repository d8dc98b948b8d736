//! Events on their way to apps: which were made, which were pushed, which came to be acknowledged, and when the others
//! are pushed again. `rules` has how, `event` what. Over Stream connections: `stream`, with `connections`, `frame`, the
//! `socket` that does as it is told, and the `clock` that wakes up in time. By HTTP: `posts`, with `callback` and
//! `envelope`. `trouble` is for tests.

pub(crate) mod burst;
mod callback;
pub(crate) mod clock;
mod connections;
mod counters;
mod envelope;
mod event;
mod frame;
pub(crate) mod posts;
mod rules;
pub(crate) mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub use self::callback::{Callback, CallbackError, CallbackRequest, SignatureParameter, TimestampParameter};
use self::connections::Connections;
pub(crate) use self::connections::Order;
pub use self::connections::Silence;
pub use self::counters::{PushCounters, PushedEvent};
pub(crate) use self::event::Event;
pub(crate) use self::posts::Post;
use self::posts::Posts;
pub use self::rules::{Offline, PushRules, Sharing, Spelling};
use crate::quotas::{Gate, Moment};

/// The failed pushes in one answer.
pub(crate) const FAILED_PAGE: usize = 200;
/// Older events are forgotten, so that a simulator may run for months; the counters go on.
const MAX_RECORDS: usize = 200_000;

/// All events and connections. Numbers of events count up from 1.
#[derive(Debug)]
pub(crate) struct Pushes {
    rules: PushRules,
    records: VecDeque<Record>,
    forgotten: u64,
    /// When something is to be done about which event.
    due: BTreeSet<(Instant, u64)>,
    /// The events that wait to be released, while pushes are held back.
    held: Option<Vec<u64>>,
    connections: Connections,
    posts: Posts,
    counters: BTreeMap<String, PushCounters>,
    /// Makes the ids of messages of this simulator unlike those of others.
    run: u32,
    messages: u64,
    /// Tells the clock that `due` begins with something else.
    wake: Arc<Notify>,
    /// Tells that counters have changed.
    changed: watch::Sender<()>,
}

/// An event and how far it has come.
#[derive(Debug)]
struct Record {
    event: Event,
    /// By stream.
    state: State,
    /// How often it was pushed by stream, or would have been had there been a connection.
    attempts: usize,
    due: Option<Instant>,
    /// By HTTP.
    callback: State,
}

/// How far an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does not go this way.
    Off,
    /// It was not pushed yet.
    Waiting,
    /// It was pushed, and no acknowledgement has come yet.
    Pushed,
    /// The app has acknowledged it.
    Acked,
    /// The last acknowledgement that was waited for did not come.
    Lost,
    /// The month of the organization was used up: an empty event was pushed in its place.
    OverQuota,
}

impl Record {
    /// Whether it may still be pushed by stream.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Pushed)
    }
}

impl Pushes {
    /// What is to be pushed by HTTP goes to `sender`.
    pub(crate) fn new(sender: UnboundedSender<Post>) -> Pushes {
        Pushes {
            rules: PushRules::default(),
            records: VecDeque::new(),
            forgotten: 0,
            due: BTreeSet::new(),
            held: None,
            connections: Connections::default(),
            posts: Posts::new(sender),
            counters: BTreeMap::new(),
            run: rand::random(),
            messages: 0,
            wake: Arc::default(),
            changed: watch::Sender::new(()),
        }
    }

    /// As new; all connections are cut.
    pub(crate) fn reset(&mut self) {
        let (wake, changed) = (self.wake.clone(), self.changed.clone());
        // Numbers go on, so that connections and acknowledgements still under way find nothing of theirs.
        let (forgotten, messages) = (self.forgotten + self.records.len() as u64, self.messages);
        self.connections.cut_all();
        let connections = std::mem::take(&mut self.connections);
        let fresh = Pushes::new(self.posts.sender.clone());
        *self = Pushes { forgotten, messages, connections, wake, changed, ..fresh };
        self.changed();
    }

    pub(crate) fn rules(&self) -> &PushRules {
        &self.rules
    }

    pub(crate) fn set_rules(&mut self, rules: PushRules) {
        self.rules = rules;
    }

    /// Takes an event in, and pushes it unless the rules say that it has to wait.
    pub(crate) fn push(&mut self, event: Event, gate: &mut Gate, now: Moment) {
        if self.records.len() == MAX_RECORDS {
            self.forget_oldest();
        }
        let by_http = self.has_callback(&event.app_key);
        // Who has a callback and never registered for Stream mode does not want it.
        let by_stream = !by_http || self.counters(&event.app_key).tickets > 0;
        self.count(&event.app_key).made += 1;
        let state = if by_stream { State::Waiting } else { State::Off };
        self.records.push_back(Record { event, state, attempts: 0, due: None, callback: State::Off });
        let number = self.forgotten + self.records.len() as u64;
        if by_http {
            self.post(number, gate, now);
        }
        let delay = self.rules.delay();
        if by_stream && delay.is_zero() {
            self.attempt(number, gate, now);
        } else if by_stream {
            self.schedule(number, now.instant + delay);
        }
        self.changed();
    }

    /// Does what is due by now; when the next thing is.
    pub(crate) fn run_due(&mut self, gate: &mut Gate, now: Moment) -> Option<Instant> {
        while let Some(&(at, number)) = self.due.first() {
            if at > now.instant {
                return Some(at);
            }
            self.due.pop_first();
            let tries = 1 + self.rules.redelivery_ms.len();
            let Some(record) = self.record_mut(number) else { continue };
            record.due = None;
            if record.attempts < tries {
                self.attempt(number, gate, now);
            } else {
                self.lose(number);
            }
            self.changed();
        }
        None
    }

    /// Pushes an event, if there is anybody to push it to.
    pub(crate) fn attempt(&mut self, number: u64, gate: &mut Gate, now: Moment) {
        // An acknowledgement may have come while it was held back.
        let open = self.record(number).filter(|record| record.is_open());
        let Some(event) = open.map(|record| record.event.clone()) else { return };
        if let Some(held) = &mut self.held {
            if !held.contains(&number) {
                held.push(number);
            }
            return;
        }
        if self.connections.choose(&event.app_key, self.rules.sharing).is_none() {
            self.count(&event.app_key).unserved += 1;
            match self.rules.offline {
                Offline::Retry => self.attempted(number, now),
                Offline::Drop => self.lose(number),
                Offline::Keep => {}
            }
            return;
        }
        let first = self.record(number).is_some_and(|record| record.state == State::Waiting);
        if first && !gate.admit_push(&event.corp_id, now) {
            self.count(&event.app_key).over_quota += 1;
            self.set_state(number, State::OverQuota);
            self.send(number, &event, now, true);
            return;
        }
        if !first {
            self.count(&event.app_key).redelivered += 1;
        }
        self.set_state(number, State::Pushed);
        self.send(number, &event, now, false);
        if rand::rng().random_bool(self.rules.duplicates) {
            self.send(number, &event, now, false);
        }
        self.attempted(number, now);
    }

    /// Plans what comes after an attempt: the next one, or the end of waiting.
    fn attempted(&mut self, number: u64, now: Moment) {
        let Some(record) = self.record_mut(number) else { return };
        record.attempts += 1;
        let attempts = record.attempts;
        let wait = self.rules.redelivery_ms.get(attempts - 1).copied().unwrap_or(self.rules.ack_ms);
        self.schedule(number, now.instant + Duration::from_millis(wait));
    }

    fn schedule(&mut self, number: u64, at: Instant) {
        self.unschedule(number);
        if let Some(record) = self.record_mut(number) {
            record.due = Some(at);
            self.due.insert((at, number));
            if self.due.first() == Some(&(at, number)) {
                self.wake.notify_one();
            }
        }
    }

    fn unschedule(&mut self, number: u64) {
        if let Some(at) = self.record_mut(number).and_then(|record| record.due.take()) {
            self.due.remove(&(at, number));
        }
    }

    fn lose(&mut self, number: u64) {
        self.set_state(number, State::Lost);
        if let Some(app_key) = self.record(number).map(|record| record.event.app_key.clone()) {
            self.count(&app_key).lost += 1;
        }
    }

    fn record(&self, number: u64) -> Option<&Record> {
        let index = number.checked_sub(self.forgotten + 1)?;
        self.records.get(usize::try_from(index).ok()?)
    }

    fn record_mut(&mut self, number: u64) -> Option<&mut Record> {
        let index = number.checked_sub(self.forgotten + 1)?;
        self.records.get_mut(usize::try_from(index).ok()?)
    }

    fn set_state(&mut self, number: u64, state: State) {
        if let Some(record) = self.record_mut(number) {
            record.state = state;
        }
    }

    fn callback_state(&self, number: u64) -> Option<State> {
        self.record(number).map(|record| record.callback)
    }

    fn set_callback_state(&mut self, number: u64, state: State) {
        if let Some(record) = self.record_mut(number) {
            record.callback = state;
        }
    }

    fn forget_oldest(&mut self) {
        self.unschedule(self.forgotten + 1);
        self.records.pop_front();
        self.forgotten += 1;
    }

    pub(crate) fn changed(&self) {
        self.changed.send_replace(());
    }

    /// Gets a word whenever counters have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What the clock waits for.
    pub(crate) fn waker(&self) -> Arc<Notify> {
        self.wake.clone()
    }
}
