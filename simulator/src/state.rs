//! The one lock of the simulator: world, limits, faults and log, and what happens to a request under it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::{Answer, Call};
use crate::faults::{Fault, Faults};
use crate::log::Log;
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
    pub(crate) fn new(seed: Seed, quotas: Quotas) -> Shared {
        let state = State {
            world: World::new(&seed),
            gate: Gate::new(seed.quotas.clone().unwrap_or_else(|| quotas.clone())),
            seed,
            quotas,
            faults: Faults::default(),
            log: Log::default(),
            latency: Duration::ZERO,
        };
        Shared { state: Mutex::new(state), connections: AtomicU64::new(0) }
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
            Generation::New => new::answer(&mut self.world, call),
            Generation::Legacy => legacy::answer(&mut self.world, call),
        }
    }

    /// The world and the limits as the seed describes them, without tokens, groups, faults, records and counts.
    pub(crate) fn reset(&mut self, seed: Option<Seed>) {
        self.seed = seed.unwrap_or_else(|| self.seed.clone());
        self.world = World::new(&self.seed);
        self.gate = Gate::new(self.seed.quotas.clone().unwrap_or_else(|| self.quotas.clone()));
        self.faults.clear();
        self.log.clear();
        self.latency = Duration::ZERO;
    }

    fn moment(&self) -> Moment {
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
