//! Budgets when Redis is lost: each replica goes on with its share until Redis is back.
//!
//! Lost: nothing goes out for one window, so that what all replicas have sent is over; then this replica spends its
//! share on its own. Back: what was spent alone is added to the months, and if anything was, all replicas begin anew
//! with the pause of one window. A short interruption in which nothing was spent alone costs no pause.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foldhash::HashMap;
use tokio::{sync::watch, time::Instant};

use super::{
    Ask, Budgets, Limit, Reserved, Slot, Unavailable, Usage, calendar::Month, memory::MemoryBudgets,
    parts::part, redis::RedisBudgets,
};

/// What a month had when it was last seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The month.
    pub(super) month: Month,
    /// Its calls.
    pub(super) calls: u64,
}

/// What was spent alone.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// When the last place begins whose window is not over; none if all are over.
    pub(super) late: Option<Duration>,
    /// Calls of each app in this month, less those that were given back.
    pub(super) calls: HashMap<Arc<str>, i64>,
}

/// The answer while it is not clear yet whether Redis is lost.
const AGAIN: Reserved = Reserved::Later { wait: Duration::from_millis(50), limit: Limit::Operation };

/// Budgets in Redis as long as it is there.
#[derive(Debug)]
pub(super) struct Degrade {
    shared: Arc<RedisBudgets>,
    replicas: watch::Receiver<u32>,
    /// The fewest replicas that a share is made for.
    floor: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// When the last place begins that Redis has given to this replica.
    latest: Instant,
    /// What this replica was told to pause, and until when.
    pauses: Vec<(Ask, Limit, Instant)>,
}

#[derive(Debug, Clone)]
enum Mode {
    Shared,
    Alone(Arc<MemoryBudgets>),
    /// What was spent alone is on its way to Redis; nothing goes out meanwhile.
    Returning(Arc<MemoryBudgets>),
}

impl Degrade {
    /// Begins alone: whether Redis is there remains to be seen.
    pub(super) fn new(shared: Arc<RedisBudgets>, replicas: watch::Receiver<u32>, floor: u32) -> Self {
        let state = State { mode: Mode::Shared, latest: Instant::now(), pauses: Vec::new() };
        let degrade = Self { shared, replicas, floor, state: Mutex::new(state) };
        degrade.lost();
        degrade
    }

    /// Redis cannot be reached.
    pub(super) fn lost(&self) {
        let mut state = self.state();
        state.mode = match &state.mode {
            Mode::Alone(alone) | Mode::Returning(alone) => Mode::Alone(alone.clone()),
            Mode::Shared => {
                let alone = MemoryBudgets::after(remaining(state.latest), &self.shared.months());
                for (ask, limit, until) in &state.pauses {
                    alone.close(ask, *limit, remaining(*until));
                }
                Mode::Alone(Arc::new(alone))
            }
        };
    }

    /// Redis is there again.
    pub(super) async fn resume(&self) -> Result<(), Unavailable> {
        let (alone, pauses) = {
            let mut state = self.state();
            let alone = match &state.mode {
                Mode::Alone(alone) | Mode::Returning(alone) => Some(alone.clone()),
                Mode::Shared => None,
            };
            if let Some(alone) = &alone {
                state.mode = Mode::Returning(alone.clone());
            }
            (alone, state.pauses.clone())
        };
        let spent = alone.map(|alone| alone.spent()).unwrap_or_default();
        self.shared.resume(&spent).await?;
        for (ask, limit, until) in pauses.into_iter().filter(|(_, _, until)| *until > Instant::now()) {
            self.shared.pause(&ask, limit, remaining(until)).await?;
        }
        self.state().mode = Mode::Shared;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is asked now.
    fn current(&self) -> Arc<dyn Budgets> {
        match &self.state().mode {
            Mode::Shared => self.shared.clone(),
            Mode::Alone(alone) | Mode::Returning(alone) => alone.clone(),
        }
    }

    /// The same wish against this replica's share.
    fn share(&self, ask: &Ask) -> Ask {
        let replicas = self.floor.max(*self.replicas.borrow());
        Ask { rate: part(ask.rate, replicas), egress: part(ask.egress, replicas), ..ask.clone() }
    }
}

fn remaining(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[async_trait]
impl Budgets for Degrade {
    async fn reserve(&self, ask: &Ask) -> Result<Reserved, Unavailable> {
        match &self.state().mode {
            Mode::Alone(alone) => return Ok(alone.take(&self.share(ask))),
            Mode::Returning(_) => return Ok(AGAIN),
            Mode::Shared => {}
        }
        let Ok(reserved) = self.shared.reserve(ask).await else { return Ok(AGAIN) };
        if let Reserved::Place { wait, .. } = reserved {
            let mut state = self.state();
            state.latest = state.latest.max(Instant::now() + wait);
        }
        Ok(reserved)
    }

    // What cannot be told to Redis now is of no use to it later: places pass by themselves, and the months are told
    // by `resume`.

    async fn extend(&self, ask: &Ask, slot: Slot, late: Duration) -> Result<(), Unavailable> {
        drop(self.current().extend(ask, slot, late).await);
        Ok(())
    }

    async fn give_back(&self, ask: &Ask, slot: Slot) -> Result<(), Unavailable> {
        drop(self.current().give_back(ask, slot).await);
        Ok(())
    }

    async fn uncount(&self, ask: &Ask) -> Result<(), Unavailable> {
        drop(self.current().uncount(ask).await);
        Ok(())
    }

    async fn pause(&self, ask: &Ask, limit: Limit, pause: Duration) -> Result<(), Unavailable> {
        let now = Instant::now();
        {
            let mut state = self.state();
            let same = |other: &Ask| other.app == ask.app && other.operation == ask.operation;
            state.pauses.retain(|(other, of, until)| {
                *until > now && !(same(other) && *of == limit && *until <= now + pause)
            });
            state.pauses.push((ask.clone(), limit, now + pause));
        }
        drop(self.current().pause(ask, limit, pause).await);
        Ok(())
    }

    fn month_calls(&self, app: &str) -> Option<u64> {
        self.current().month_calls(app)
    }

    async fn usage(&self, app: &str, operation: &str) -> Result<Usage, Unavailable> {
        self.current().usage(app, operation).await
    }
}
