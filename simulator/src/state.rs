//! The one lock of the simulator: world, faults and log, and what happens to a request under it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::call::{Answer, Call};
use crate::faults::{Fault, Faults};
use crate::log::Log;
use crate::reference::{Generation, Route, TokenPlace};
use crate::seed::Seed;
use crate::world::World;
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
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
}

impl Shared {
    pub(crate) fn new(seed: Seed) -> Shared {
        let state = State { world: World::new(&seed), seed, faults: Faults::default(), log: Log::default() };
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
    /// Counts and logs a request and draws its fault.
    pub(crate) fn receive(&mut self, call: &Call) -> (u64, Option<Fault>) {
        let fault = self.faults.take(call.route.operation_id());
        let app = self.app_of(call);
        (self.log.received(call, app, fault.as_ref()), fault)
    }

    /// Carries a request out.
    pub(crate) fn apply(&mut self, call: &Call) -> Answer {
        match call.generation() {
            Generation::New => new::answer(&mut self.world, call),
            Generation::Legacy => legacy::answer(&mut self.world, call),
        }
    }

    /// The world as the seed describes it, without tokens, groups, faults, records and counts.
    pub(crate) fn reset(&mut self, seed: Option<Seed>) {
        self.seed = seed.unwrap_or_else(|| self.seed.clone());
        self.world = World::new(&self.seed);
        self.faults.clear();
        self.log.clear();
    }

    fn app_of(&self, call: &Call) -> Option<String> {
        let Route::Operation(operation, _) = &call.route else { return None };
        match operation.token {
            TokenPlace::Header => Some(self.world.caller(new::token(&call.headers)?)?.app_key),
            TokenPlace::Query => Some(self.world.caller(legacy::token(&call.query)?)?.app_key),
            TokenPlace::None => {
                let body = call.json().unwrap_or_default();
                let key = ["appKey", "client_id"].iter().find_map(|name| body.get(*name));
                let key = key.or_else(|| call.query.get("appkey"))?;
                key.as_str().map(str::to_owned)
            }
        }
    }
}
