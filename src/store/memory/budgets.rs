//! Budgets in memory. The arithmetic is that of `redis/reserve.lua`, in the same order and the same words: times are
//! microseconds since 1970.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foldhash::HashMap;

use crate::store::{
    Ask, Budgets, Limit, Reserved, SLACK, Slot, Unavailable, Usage,
    calendar::{Clock, Month},
    degrade::{Seen, Spent},
    micros,
    spacing::Spacing,
};

/// Budgets of this process.
#[derive(Debug, Default)]
pub struct MemoryBudgets {
    clock: Clock,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    slots: u64,
    /// Nothing goes out within a window of this.
    born: u64,
    apps: HashMap<Arc<str>, App>,
    platform_paused: HashMap<&'static str, u64>,
    egress_tat: u64,
    egress_paused: u64,
}

#[derive(Debug, Default)]
struct App {
    month: u64,
    month_calls: u64,
    /// What the month had at the beginning of this book.
    month_known: u64,
    month_paused: u64,
    operations: HashMap<&'static str, Operation>,
}

#[derive(Debug, Default)]
struct Operation {
    /// The first to be released comes first.
    places: VecDeque<Place>,
    /// The theoretical arrival time of the generic cell rate algorithm.
    tat: u64,
    /// When somebody was last told to come again.
    awaited: u64,
    paused: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    slot: Slot,
    at: u64,
    release: u64,
}

impl App {
    /// Its month, after a look at the calendar.
    fn turn_to(&mut self, month: Month) {
        if self.month != month.number {
            (self.month, self.month_calls, self.month_known) = (month.number, 0, 0);
        }
    }
}

impl Operation {
    /// When fewer than `calls` places are held. Places ahead count as held: whoever has one was here before.
    fn free(&mut self, now: u64, calls: u32) -> u64 {
        while self.places.front().is_some_and(|place| place.release <= now) {
            self.places.pop_front();
        }
        let above = self.places.len().checked_sub(calls as usize);
        above.map_or(now, |above| self.places[above].release)
    }

    fn insert(&mut self, place: Place) {
        // Mostly it is the last.
        if self.places.back().is_none_or(|last| last.release <= place.release) {
            return self.places.push_back(place);
        }
        let index = self.places.partition_point(|other| other.release <= place.release);
        self.places.insert(index, place);
    }

    fn remove(&mut self, slot: Slot) -> Option<Place> {
        // Whoever asks has had it for a moment only, and they are in the order of time.
        let index = self.places.iter().rposition(|place| place.slot == slot)?;
        self.places.remove(index)
    }
}

impl Book {
    fn reserve(&mut self, now: u64, ask: &Ask) -> Reserved {
        let month = Month::at(now);
        let spacing = Spacing::of_operation(ask.rate);
        let egress = Spacing::of_egress(ask.egress);
        let platform_paused = self.platform_paused.get(ask.operation).copied().unwrap_or_default();
        let app = self.apps.entry(ask.app.clone()).or_default();
        app.turn_to(month);
        if ask.month.is_some_and(|limit| app.month_calls >= limit) {
            return Reserved::Later { wait: between(now, month.ends), limit: Limit::Month };
        }
        let operation = app.operations.entry(ask.operation).or_default();

        let born = self.born + micros(ask.rate.per);
        let pauses = [
            (Limit::Operation, born),
            (Limit::Operation, operation.paused),
            (Limit::Platform, platform_paused),
            (Limit::Egress, self.egress_paused),
            (Limit::Month, app.month_paused),
        ];
        let budgets = [
            (Limit::Operation, operation.free(now, ask.rate.calls)),
            (Limit::Operation, operation.tat.saturating_sub(spacing.allowance())),
            (Limit::Egress, self.egress_tat.saturating_sub(egress.allowance())),
        ];
        let (mut at, mut limit) = (now, Limit::Operation);
        for (other, earliest) in budgets.into_iter().chain(pauses) {
            if earliest > at {
                (at, limit) = (earliest, other);
            }
        }

        let wait = between(now, at);
        if wait > ask.horizon {
            operation.awaited = if operation.awaited > now { operation.awaited.min(at) } else { at };
            return Reserved::Later { wait, limit };
        }
        // Who had to wait starts no burst; nor does who comes out of a pause, or comes again as told.
        let awaited = if operation.awaited <= now { operation.awaited } else { 0 };
        let waited = pauses.into_iter().fold(awaited, |latest, (_, until)| latest.max(until));
        let rested = operation.tat.max(waited + spacing.allowance()).max(now);
        operation.tat = spacing.each + if at > now { at + spacing.allowance() } else { rested };
        // Counted when it is reserved: a place far ahead must not close the address for everybody else until then.
        self.egress_tat = self.egress_tat.max(now) + egress.each;
        app.month_calls += 1;
        self.slots += 1;
        let slot = Slot(self.slots);
        operation.insert(Place { slot, at, release: at + micros(ask.rate.per + SLACK) });
        Reserved::Place { slot, wait, limit, waiting: ask.waiting }
    }

    fn operation(&mut self, ask: &Ask) -> &mut Operation {
        self.apps.entry(ask.app.clone()).or_default().operations.entry(ask.operation).or_default()
    }

    fn extend(&mut self, now: u64, ask: &Ask, slot: Slot, late: Duration) {
        let operation = self.operation(ask);
        if let Some(place) = operation.remove(slot) {
            let release = place.release.max(place.at + micros(ask.rate.per + late));
            if release > now {
                operation.insert(Place { release, ..place });
            }
        }
    }

    fn give_back(&mut self, now: u64, ask: &Ask, slot: Slot) {
        let spacing = Spacing::of_operation(ask.rate);
        let operation = self.operation(ask);
        if let Some(place) = operation.remove(slot)
            && operation.tat == place.at + spacing.allowance() + spacing.each
        {
            // The last of those who wait: nobody is behind it yet.
            operation.tat -= spacing.each;
        }
        self.uncount(now, ask);
    }

    fn uncount(&mut self, now: u64, ask: &Ask) {
        let app = self.apps.entry(ask.app.clone()).or_default();
        app.turn_to(Month::at(now));
        app.month_calls = app.month_calls.saturating_sub(1);
    }

    fn pause(&mut self, ask: &Ask, limit: Limit, until: u64) {
        let paused = match limit {
            Limit::Operation => &mut self.operation(ask).paused,
            Limit::Platform => self.platform_paused.entry(ask.operation).or_default(),
            Limit::Month => &mut self.apps.entry(ask.app.clone()).or_default().month_paused,
            Limit::Egress => &mut self.egress_paused,
        };
        *paused = until.max(*paused);
    }

    fn usage(&self, now: u64, app: &str, operation: &str) -> Usage {
        let platform_paused = self.platform_paused.get(operation).copied().unwrap_or_default();
        let mut usage = Usage {
            paused: between(now, platform_paused),
            egress_paused: between(now, self.egress_paused),
            egress_ahead: between(now, self.egress_tat),
            ..Usage::default()
        };
        let Some(app) = self.apps.get(app) else { return usage };
        if app.month == Month::at(now).number {
            usage.month_calls = app.month_calls;
        }
        usage.month_paused = between(now, app.month_paused);
        if let Some(operation) = app.operations.get(operation) {
            let taken = operation.places.iter().filter(|place| place.release > now).count();
            usage.taken = u32::try_from(taken).unwrap_or(u32::MAX);
            usage.ahead = between(now, operation.tat);
            usage.paused = usage.paused.max(between(now, operation.paused));
        }
        usage
    }
}

fn between(now: u64, then: u64) -> Duration {
    Duration::from_micros(then.saturating_sub(now))
}

impl MemoryBudgets {
    /// Budgets for somebody who has been elsewhere: the last place that was taken there lies `late` ahead, and the
    /// months have had this much.
    pub(in crate::store) fn after(late: Duration, months: &HashMap<Arc<str>, Seen>) -> Self {
        let budgets = Self::default();
        let (mut book, now) = budgets.open();
        book.born = now + micros(late);
        for (name, seen) in months {
            let app = book.apps.entry(name.clone()).or_default();
            app.turn_to(seen.month);
            (app.month_calls, app.month_known) = (seen.calls, seen.calls);
        }
        drop(book);
        budgets
    }

    /// [`Budgets::reserve`], which here needs nobody to be waited for.
    pub(in crate::store) fn take(&self, ask: &Ask) -> Reserved {
        let (mut book, now) = self.open();
        book.reserve(now, ask)
    }

    /// [`Budgets::pause`], likewise.
    pub(in crate::store) fn close(&self, ask: &Ask, limit: Limit, pause: Duration) {
        let (mut book, now) = self.open();
        book.pause(ask, limit, now.saturating_add(micros(pause)));
    }

    /// What has been spent here.
    pub(in crate::store) fn spent(&self) -> Spent {
        let (book, now) = self.open();
        let places = book.apps.values().flat_map(|app| app.operations.values()).flat_map(|one| &one.places);
        let held = places.filter(|place| place.release > now);
        let late = held.map(|place| place.at).max().map(|at| between(now, at));
        let calls = book
            .apps
            .iter()
            .map(|(name, app)| (name.clone(), app.month_calls.cast_signed() - app.month_known.cast_signed()));
        Spent { late, calls: calls.collect() }
    }

    /// The book and the time, read while it is locked so that time does not go back.
    fn open(&self) -> (MutexGuard<'_, Book>, u64) {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        (book, now)
    }
}

#[async_trait]
impl Budgets for MemoryBudgets {
    async fn reserve(&self, ask: &Ask) -> Result<Reserved, Unavailable> {
        Ok(self.take(ask))
    }

    async fn extend(&self, ask: &Ask, slot: Slot, late: Duration) -> Result<(), Unavailable> {
        let (mut book, now) = self.open();
        book.extend(now, ask, slot, late);
        Ok(())
    }

    async fn give_back(&self, ask: &Ask, slot: Slot) -> Result<(), Unavailable> {
        let (mut book, now) = self.open();
        book.give_back(now, ask, slot);
        Ok(())
    }

    async fn uncount(&self, ask: &Ask) -> Result<(), Unavailable> {
        let (mut book, now) = self.open();
        book.uncount(now, ask);
        Ok(())
    }

    async fn pause(&self, ask: &Ask, limit: Limit, pause: Duration) -> Result<(), Unavailable> {
        self.close(ask, limit, pause);
        Ok(())
    }

    fn month_calls(&self, app: &str) -> Option<u64> {
        let (mut book, now) = self.open();
        let app = book.apps.get_mut(app)?;
        app.turn_to(Month::at(now));
        Some(app.month_calls)
    }

    async fn usage(&self, app: &str, operation: &str) -> Result<Usage, Unavailable> {
        let (book, now) = self.open();
        Ok(book.usage(now, app, operation))
    }
}

#[cfg(test)]
mod tests;
