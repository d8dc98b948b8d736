//! The one lock of the simulator: world, limits, faults and log, and what happens to a request under it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{Answer, Call};
use crate::faults::{Fault, Faults};
use crate::log::Log;
use crate::push::{Event, Order, Post, Pushes};
use crate::quotas::{BanPage, Gate, Limit, Moment, Quotas, Refusal};
use crate::reference::{Generation, Route, TokenPlace};
use crate::seed::Seed;
use crate::world::{Caller, World};
use crate::{legacy, new};

/// What all connections share. Never locked across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    connections: AtomicU64,
    /// The tasks that [`Simulator::stop`](crate::Simulator::stop) waits for.
    pub(crate) tasks: TaskTracker,
    /// Ends them.
    pub(crate) stop: CancellationToken,
}

#[derive(Debug)]
pub(crate) struct State {
    seed: Seed,
    /// Where the seed has none.
    quotas: Quotas,
    pub(crate) world: World,
    pub(crate) gate: Gate,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    pub(crate) pushes: Pushes,
    /// How long every answer takes.
    pub(crate) latency: Duration,
}

/// What becomes of a request on arrival.
#[derive(Debug)]
pub(crate) enum Received {
    /// A limit refuses it: nothing happens in the world.
    Refused(Answer),
    /// It goes on, perhaps into a fault; the number is for [`Log::answered`].
    Admitted { seq: u64, fault: Option<Fault> },
}

impl Shared {
    /// What is to be pushed by HTTP comes out of the receiver.
    pub(crate) fn new(seed: Seed, quotas: Quotas) -> (Shared, UnboundedReceiver<Post>) {
        let (sender, posts) = unbounded_channel();
        let state = State {
            world: World::new(&seed),
            gate: Gate::new(seed.quotas.clone().unwrap_or_else(|| quotas.clone())),
            seed,
            quotas,
            faults: Faults::default(),
            log: Log::default(),
            pushes: Pushes::new(sender),
            latency: Duration::ZERO,
        };
        let shared = Shared {
            state: Mutex::new(state),
            connections: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        (shared, posts)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl State {
    /// Holds a request against the limits, counts and logs it, and draws its fault.
    pub(crate) fn receive(&mut self, call: &Call) -> Received {
        let (now, caller) = (self.moment(), self.caller_of(call));
        let operation = call.route.operation_id();
        let admitted = self.gate.enter(call.peer, now).and_then(|()| match &caller {
            Some(caller) => self.gate.admit(caller, operation, now),
            None => Ok(()),
        });
        let fault = admitted.is_ok().then(|| self.faults.take(operation)).flatten();
        let limit = admitted.err().map(|refusal| refusal.limit);
        let seq = self.log.received(call, caller.as_ref(), fault.as_ref(), limit);
        if let Err(refusal) = admitted {
            let answer = refusal.answer(call, self.gate.quotas().ban_page);
            self.log.answered(seq, &answer);
            return Received::Refused(answer);
        }
        if let Some(caller) = caller.filter(|_| fault.as_ref().is_none_or(Fault::applied)) {
            self.gate.meter(&caller.corp_id, now);
        }
        Received::Admitted { seq, fault }
    }

    /// What a call meets where a fault says so, and no limit.
    pub(crate) fn throttled(&self, call: &Call) -> Answer {
        let at = self.world.now();
        let until = Some(at + Duration::from_secs(1));
        Refusal { limit: Limit::AppPerSecond, allowed: 20, at, until }.answer(call, BanPage::Json)
    }

    /// The calls of this month, by organization.
    pub(crate) fn metered(&self) -> BTreeMap<String, u64> {
        self.gate.months(self.moment())
    }

    /// Carries a request out.
    pub(crate) fn apply(&mut self, call: &Call) -> Answer {
        match call.generation() {
            Generation::New => new::answer(self, call),
            Generation::Legacy => legacy::answer(self, call),
        }
    }

    /// Does something to the world, and pushes what apps are told of it.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut World) -> T) -> T {
        let outcome = change(&mut self.world);
        for change in self.world.take_changes() {
            let born_ms = self.now_ms();
            let data = change.data(born_ms);
            for app_key in self.world.subscribers(&change.corp_id, change.kind()) {
                self.push(&app_key, change.kind(), data.clone(), born_ms);
            }
        }
        outcome
    }

    /// Pushes an event to an app, whatever it wants; the id, or `None` if there is no such app.
    pub(crate) fn push(&mut self, app_key: &str, kind: &str, data: String, born_ms: u64) -> Option<String> {
        let now = self.moment();
        let event = Event { data, ..Event::new(app_key, self.world.identity(app_key)?, kind, born_ms) };
        let id = event.id.clone();
        self.pushes.push(event, &mut self.gate, now);
        Some(id)
    }

    /// Pushes what is due; when to do that again.
    pub(crate) fn run_due(&mut self) -> Option<Instant> {
        let now = self.moment();
        self.pushes.run_due(&mut self.gate, now)
    }

    /// Opens a connection of Stream mode, and pushes what waited for one.
    pub(crate) fn open_connection(&mut self, ticket: &str) -> Option<(u64, UnboundedReceiver<Order>)> {
        let now = self.moment();
        let opened = self.pushes.open(ticket, now)?;
        for event in self.pushes.awaited(opened.0) {
            self.pushes.attempt(event, &mut self.gate, now);
        }
        self.pushes.changed();
        Some(opened)
    }

    /// Pushes what was held back.
    pub(crate) fn release(&mut self, reversed: bool) {
        let now = self.moment();
        self.pushes.release(reversed, &mut self.gate, now);
    }

    pub(crate) fn system_ping(&mut self) -> String {
        let now = self.moment();
        self.pushes.ping(now)
    }

    /// The events pushed in this month, by organization.
    pub(crate) fn pushes_metered(&self) -> BTreeMap<String, u64> {
        self.gate.push_months(self.moment())
    }

    /// The world and the limits as the seed describes them, without tokens, groups, faults, records and counts.
    pub(crate) fn reset(&mut self, seed: Option<Seed>) {
        self.seed = seed.unwrap_or_else(|| self.seed.clone());
        self.world = World::new(&self.seed);
        self.gate = Gate::new(self.seed.quotas.clone().unwrap_or_else(|| self.quotas.clone()));
        self.faults.clear();
        self.log.clear();
        self.pushes.reset();
        self.latency = Duration::ZERO;
    }

    /// In Unix milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        unix_ms(self.moment())
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { instant: Instant::now(), unix: self.world.now() }
    }

    /// Who calls, where the token says so.
    fn caller_of(&self, call: &Call) -> Option<Caller> {
        let Route::Operation(operation, _) = &call.route else { return None };
        self.world.caller(match operation.token {
            TokenPlace::Header => new::token(&call.headers)?,
            TokenPlace::Query => legacy::token(&call.query)?,
            TokenPlace::None => return None,
        })
    }
}

pub(crate) fn unix_ms(now: Moment) -> u64 {
    u64::try_from(now.unix.as_millis()).unwrap_or(u64::MAX)
}
