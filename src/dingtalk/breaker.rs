//! A circuit breaker for each app and operation. After some failures of DingTalk itself in a row, nothing is sent for
//! a moment; then one call, the probe, goes ahead of all others to find out.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use foldhash::HashMap;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    endpoint::Spec,
    error::{Applied, Error},
    reason::Reason,
};

/// A caller who waits less than this for an answer learns nothing about DingTalk, whose own limit is about 3 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// `[breaker]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row that open a breaker.
    pub failures: usize,
    /// How long it stays open at first; twice as long after each probe that fails.
    #[serde(with = "humantime_serde")]
    pub open: Duration,
    /// The longest it stays open.
    #[serde(with = "humantime_serde")]
    pub open_max: Duration,
}

impl BreakerConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.failures == 0 {
            faults.push(("breaker.failures", "must be at least 1".to_owned()));
        }
        if self.open.is_zero() {
            faults.push(("breaker.open", "must be longer than zero".to_owned()));
        }
        if self.open > self.open_max {
            faults.push(("breaker.open", "is longer than breaker.open_max".to_owned()));
        }
        faults
    }
}

/// A breaker that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circuit {
    /// The operation's id.
    pub operation: &'static str,
    /// Whether the probe is under way.
    pub probing: bool,
    /// How long until the next call is let through to try.
    pub probe_in: Duration,
}

/// The breakers of all apps. Cheap to clone. An operation that works has no entry.
#[derive(Debug, Clone)]
pub(super) struct Breakers {
    config: BreakerConfig,
    states: Arc<Mutex<HashMap<Key, State>>>,
}

/// The app's alias, the operation's id.
type Key = (Arc<str>, &'static str);

#[derive(Debug, Clone, Copy)]
enum State {
    /// Calls pass; this many have failed in a row.
    Closed { failures: usize },
    /// Calls are refused until then.
    Open { until: Instant, pause: Duration },
    /// Calls are refused, except the one that is under way.
    HalfOpen { pause: Duration },
}

/// The right to one attempt, which owes a verdict. Dropped without one, it says nothing of DingTalk; should it have
/// been the probe, the next call is.
#[derive(Debug)]
pub(super) struct Pass {
    breakers: Breakers,
    key: Key,
    since: Instant,
    probe: bool,
    settled: bool,
}

/// What an attempt says of DingTalk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It answers, be it with a refusal.
    Works,
    /// It does not do its part.
    Fails,
    /// Nothing.
    Unclear,
}

impl Breakers {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, states: Arc::default() }
    }

    /// Lets an attempt through, or says when to come back.
    pub(super) fn enter(&self, app: Arc<str>, spec: &Spec) -> Result<Pass, Error> {
        let (key, now) = ((app, spec.id), Instant::now());
        let mut states = self.states();
        self.refusal(states.get(&key), now)?;
        let open = match states.get(&key) {
            Some(State::Open { pause, .. }) => Some(*pause),
            _ => None,
        };
        let probe = open.is_some();
        if let Some(pause) = open {
            states.insert(key.clone(), State::HalfOpen { pause });
        }
        drop(states);
        Ok(Pass { breakers: self.clone(), key, since: now, probe, settled: false })
    }

    /// Whether an attempt would be let through now. Takes nothing, so the probe stays to be had.
    pub(super) fn check(&self, app: Arc<str>, spec: &Spec) -> Result<(), Error> {
        let states = self.states();
        if states.is_empty() {
            return Ok(());
        }
        self.refusal(states.get(&(app, spec.id)), Instant::now())
    }

    fn refusal(&self, state: Option<&State>, now: Instant) -> Result<(), Error> {
        match state {
            Some(State::Open { until, .. }) if now < *until => {
                Err(Error::CircuitOpen { retry_after: *until - now })
            }
            Some(State::HalfOpen { .. }) => Err(Error::CircuitOpen { retry_after: self.config.open }),
            _ => Ok(()),
        }
    }

    /// The breakers of an app that are not closed.
    pub(super) fn circuits(&self, app: &str) -> Vec<Circuit> {
        let now = Instant::now();
        let circuit = |operation, state: &State| match *state {
            State::Closed { .. } => None,
            State::Open { until, .. } => {
                Some(Circuit { operation, probing: false, probe_in: until.saturating_duration_since(now) })
            }
            State::HalfOpen { .. } => Some(Circuit { operation, probing: true, probe_in: Duration::ZERO }),
        };
        let states = self.states();
        let of_app = states.iter().filter(|((alias, _), _)| **alias == *app);
        let mut circuits: Vec<_> =
            of_app.filter_map(|((_, operation), state)| circuit(*operation, state)).collect();
        circuits.sort_by_key(|circuit| circuit.operation);
        circuits
    }

    /// An attempt that was sent before the breaker opened changes nothing any more: only the probe does.
    fn settle(&self, key: &Key, probe: bool, verdict: Verdict) {
        let mut states = self.states();
        let (app, operation) = (&*key.0, key.1);
        let open = |pause| State::Open { until: Instant::now() + pause, pause };
        match (states.get(key).copied(), verdict) {
            (Some(State::HalfOpen { .. }), Verdict::Works) if probe => {
                states.remove(key);
                info!(app, operation, "the operation works again");
            }
            (Some(State::HalfOpen { pause }), Verdict::Fails) if probe => {
                states.insert(key.clone(), open((pause * 2).min(self.config.open_max)));
            }
            (Some(State::HalfOpen { pause }), Verdict::Unclear) if probe => {
                states.insert(key.clone(), State::Open { until: Instant::now(), pause });
            }
            (Some(State::Closed { .. }), Verdict::Works) => {
                states.remove(key);
            }
            (None, Verdict::Fails) => self.count(&mut states, key, 1),
            (Some(State::Closed { failures }), Verdict::Fails) => self.count(&mut states, key, failures + 1),
            _ => {}
        }
    }

    fn count(&self, states: &mut HashMap<Key, State>, key: &Key, failures: usize) {
        let mut state = State::Closed { failures };
        if failures >= self.config.failures {
            let pause = self.config.open;
            state = State::Open { until: Instant::now() + pause, pause };
            warn!(
                app = &*key.0,
                operation = key.1,
                failures,
                "the operation fails and is left alone for a moment"
            );
        }
        states.insert(key.clone(), state);
    }

    fn states(&self) -> MutexGuard<'_, HashMap<Key, State>> {
        // Nothing panics while holding it.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Says how the attempt ended.
    pub(super) fn settle<T>(mut self, outcome: &Result<T, Error>) {
        self.conclude(
            outcome.as_ref().err().map_or(Verdict::Works, |error| verdict(error, self.since.elapsed())),
        );
    }

    fn conclude(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.settled, true) {
            self.breakers.settle(&self.key, self.probe, verdict);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.conclude(Verdict::Unclear);
    }
}

fn verdict(error: &Error, waited: Duration) -> Verdict {
    match error {
        Error::Unreachable(_) | Error::Lost(_) | Error::Garbled { .. } => Verdict::Fails,
        Error::DeadlineExceeded { applied: Applied::Maybe } if waited >= PATIENCE => Verdict::Fails,
        Error::Api(api) => {
            let busy = api.row.map_or(api.status >= 500, |row| row.reason == Reason::UpstreamBusy);
            if busy { Verdict::Fails } else { Verdict::Works }
        }
        _ => Verdict::Unclear,
    }
}

#[cfg(test)]
mod tests;
