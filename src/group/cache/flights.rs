//! Reads on their way. Of the same read at most one has begun that may be joined, and at most one waits for its end;
//! once more so for batch work, behind whose calls nobody urgent waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use super::{Cache, Name, Read, Reply, Told};
use crate::{
    dingtalk::{Claimant, Priority, Stats},
    group::error::Error,
};

type Arrival = watch::Sender<Option<Told>>;

/// All that is on its way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<Board>);

/// Who waits for a read.
pub(super) struct Flight {
    /// How it ended, once it has.
    pub(super) arrival: watch::Receiver<Option<Told>>,
    /// Whether it was begun for this caller.
    pub(super) leads: bool,
}

/// How long a call is ready to wait in the queue, the most urgent first. A read joins only those that wait no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    FailFast,
    Interactive,
    Batch,
}

impl Urgency {
    pub(super) fn of(claimant: &Claimant) -> Self {
        match claimant.priority {
            _ if claimant.fail_fast => Urgency::FailFast,
            Priority::Interactive => Urgency::Interactive,
            Priority::Batch => Urgency::Batch,
        }
    }
}

/// The reads of each group that are on their way; one that was overtaken by a write is not among them any more.
#[derive(Debug, Default)]
pub(super) struct Board(HashMap<Name, Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    read: Read,
    /// How urgent its call is in the queue.
    urgency: Urgency,
    arrival: Arc<Arrival>,
    /// None while it waits for the one before it.
    begun: Option<Instant>,
}

impl Flights {
    pub(super) fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    /// A read on its way that tells nothing older than that, and does not wait longer in the queue.
    pub(super) fn join(
        &self,
        name: &Name,
        read: &Read,
        urgency: Urgency,
        accepted: Duration,
    ) -> Option<Flight> {
        let late_enough = |begun: Instant| !accepted.is_zero() && begun.elapsed() <= accepted;
        let fits = |entry: &&Entry| {
            entry.read == *read && entry.urgency <= urgency && entry.begun.is_none_or(late_enough)
        };
        let entry = self.0.get(name)?.iter().find(fits)?;
        Some(Flight { arrival: entry.arrival.subscribe(), leads: false })
    }

    /// A read of which nobody knew yet, after the one that is on its way if there is one.
    pub(super) fn depart(
        &mut self,
        cache: &Cache,
        name: &Name,
        read: &Read,
        urgency: Urgency,
    ) -> (Flight, Seat) {
        let (arrival, waiting) = watch::channel(None);
        let arrival = Arc::new(arrival);
        let entries = self.0.entry(name.clone()).or_default();
        let same = |entry: &&Entry| entry.read == *read && entry.urgency == urgency;
        let before = entries.iter().find(same).map(|entry| entry.arrival.subscribe());
        let begun = before.is_none().then(Instant::now);
        entries.push(Entry { read: read.clone(), urgency, arrival: arrival.clone(), begun });
        let seat = Seat { cache: cache.clone(), name: name.clone(), read: read.clone(), arrival, before };
        (Flight { arrival: waiting, leads: true }, seat)
    }

    /// What has begun on a group may tell what was true before now: it is neither joined nor kept.
    pub(super) fn overtake(&mut self, name: &Name) {
        if let Some(entries) = self.0.get_mut(name) {
            entries.retain(|entry| entry.begun.is_none());
        }
    }

    /// The same for every group.
    pub(super) fn overtake_all(&mut self) {
        for entries in self.0.values_mut() {
            entries.retain(|entry| entry.begun.is_none());
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn entry(&mut self, name: &Name, arrival: &Arc<Arrival>) -> Option<&mut Entry> {
        self.0.get_mut(name)?.iter_mut().find(|entry| Arc::ptr_eq(&entry.arrival, arrival))
    }

    fn remove(&mut self, name: &Name, arrival: &Arc<Arrival>) {
        let Some(entries) = self.0.get_mut(name) else { return };
        entries.retain(|entry| !Arc::ptr_eq(&entry.arrival, arrival));
        if entries.is_empty() {
            self.0.remove(name);
        }
    }
}

/// The task of a read, so that it goes on when its first caller leaves. Whatever becomes of the task, the entry goes
/// with it.
pub(super) struct Seat {
    cache: Cache,
    name: Name,
    read: Read,
    arrival: Arc<Arrival>,
    before: Option<watch::Receiver<Option<Told>>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.cache.0.flights.lock().remove(&self.name, &self.arrival);
    }
}

impl Seat {
    /// When all have left who waited, a call that was paid for still goes on to fill the cache; one that still waits
    /// for its turn is given up.
    pub(super) async fn fly(mut self, stats: Arc<Stats>, fetch: impl Future<Output = Result<Reply, Error>>) {
        let before = self.before.take();
        let paid = stats.upstream_calls();
        let mut unpaid = true;
        let work = self.work(before, fetch);
        tokio::pin!(work);
        let told = loop {
            tokio::select! {
                told = &mut work => break told,
                () = self.arrival.closed(), if unpaid => {
                    unpaid = stats.upstream_calls() == paid;
                    if unpaid && self.leave() {
                        return;
                    }
                }
            }
        };
        self.land(&told);
    }

    async fn work(
        &self,
        before: Option<watch::Receiver<Option<Told>>>,
        fetch: impl Future<Output = Result<Reply, Error>>,
    ) -> Told {
        if let Some(mut before) = before {
            // Whether it landed or was given up.
            let _ = before.wait_for(Option::is_some).await;
        }
        let begun = Instant::now();
        if let Some(entry) = self.cache.0.flights.lock().entry(&self.name, &self.arrival) {
            entry.begun = Some(begun);
        }
        let outcome = fetch.await.map(Arc::new);
        Told { outcome, begun, at: SystemTime::now() }
    }

    /// Nobody can come between the look and the leave.
    fn leave(&self) -> bool {
        let mut flights = self.cache.0.flights.lock();
        let alone = self.arrival.receiver_count() == 0;
        if alone {
            flights.remove(&self.name, &self.arrival);
        }
        alone
    }

    /// Keeps the answer unless it was overtaken, and hands it out.
    fn land(&self, told: &Told) {
        let mut flights = self.cache.0.flights.lock();
        if flights.entry(&self.name, &self.arrival).is_some() {
            self.cache.keep(&self.name, self.read.clone(), told);
            flights.remove(&self.name, &self.arrival);
        }
        drop(flights);
        self.arrival.send_replace(Some(told.clone()));
    }
}
