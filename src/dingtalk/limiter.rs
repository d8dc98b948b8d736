//! `Limiter::acquire`: a call waits here for its place in what DingTalk allows, or is refused at once where no place
//! can come in time. The arithmetic is in `store::Budgets`, so that replicas share it; who goes next is decided here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use foldhash::HashMap;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::warn;

use super::{
    app::App,
    client::Context,
    endpoint::Spec,
    error::{ApiError, Error},
    reason::Reason,
};
use crate::store::{Ask, Budgets, Limit, Rate, Usage};

mod line;
mod permit;
mod queue;
mod state;

pub use self::line::Priority;
pub(super) use self::permit::Permit;
use self::queue::Queue;

/// A caller with more would hardly wait for anybody.
const SHARE_MAX: u32 = 1000;

/// `[limits]` of the configuration: what holds for all apps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Calls of all apps from this egress address ...
    pub egress_calls: u32,
    /// ... in any window of this length.
    #[serde(with = "humantime_serde")]
    pub egress_window: Duration,
    /// Calls that may wait at the same time, for each app; batch calls leave the last tenth to the others.
    pub queue_max: usize,
    /// Turns of callers for one turn of everybody else, by their names.
    pub shares: BTreeMap<String, u32>,
}

impl LimitsConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.egress_calls == 0 {
            faults.push(("limits.egress_calls", "must be at least 1".to_owned()));
        }
        if self.egress_window.is_zero() {
            faults.push(("limits.egress_window", "must be longer than zero".to_owned()));
        }
        faults
    }

    /// What keeps the shares from being used, as (caller, fault).
    pub fn share_faults(&self, callers_prove_who_they_are: bool) -> Vec<(String, String)> {
        let fault = |share: &u32| {
            if callers_prove_who_they_are {
                Some(
                    "would mean nothing with auth.mode: its share belongs in its [[auth.callers]]".to_owned(),
                )
            } else if !(1..=SHARE_MAX).contains(share) {
                Some(format!("must be 1 to {SHARE_MAX}"))
            } else {
                None
            }
        };
        self.shares.iter().filter_map(|(caller, share)| Some((caller.clone(), fault(share)?))).collect()
    }
}

/// Who calls and how patiently: what decides about its place in the line.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The caller's name; callers are served in turn.
    pub caller: Arc<str>,
    /// Turns of this caller for one turn of a caller with share 1.
    pub share: u32,
    /// How urgent it is.
    pub priority: Priority,
    /// Refuse at once instead of waiting.
    pub fail_fast: bool,
}

impl Default for Claimant {
    fn default() -> Self {
        Self { caller: Arc::default(), share: 1, priority: Priority::Interactive, fail_fast: false }
    }
}

/// The queues of all apps and operations. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Limiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budgets: Arc<dyn Budgets>,
    config: LimitsConfig,
    apps: RwLock<HashMap<Arc<str>, AppQueues>>,
}

#[derive(Debug, Default)]
struct AppQueues {
    by_operation: HashMap<&'static str, Arc<Queue>>,
    length: Arc<AtomicUsize>,
}

impl Limiter {
    pub(super) fn new(budgets: Arc<dyn Budgets>, config: LimitsConfig) -> Self {
        Self(Arc::new(Inner { budgets, config, apps: RwLock::default() }))
    }

    /// A place for one attempt. Whoever drops it unused gives it back.
    pub(super) async fn acquire(
        &self,
        context: &Context,
        app: &App,
        spec: &'static Spec,
    ) -> Result<Permit, Error> {
        self.queue(app, spec).acquire(&context.claimant, context.deadline).await
    }

    /// What a failed attempt means for the budgets: where DingTalk has throttled it, exactly the budget it names
    /// pauses; a call that was throttled or did not arrive is not counted for the month. True if it was throttled.
    pub(super) async fn failed(&self, app: &App, spec: &'static Spec, error: &Error) -> bool {
        let pause = pause_of(error);
        if let Some((limit, pause)) = pause {
            warn!(app = app.alias(), operation = spec.id, ?limit, ?pause, "throttled by dingtalk");
            self.close(app, spec, limit, pause);
        }
        if pause.is_some() || matches!(error, Error::Unreachable(_)) {
            self.queue(app, spec).uncounted(pause).await;
        }
        pause.is_some()
    }

    /// Closes the queues that the limit is about.
    fn close(&self, app: &App, spec: &Spec, limit: Limit, pause: Duration) {
        let until = Instant::now() + pause;
        let apps = self.0.apps.read().unwrap_or_else(PoisonError::into_inner);
        for (alias, queues) in apps.iter() {
            for (operation, queue) in &queues.by_operation {
                let (same_app, same_operation) = (**alias == *app.alias(), *operation == spec.id);
                let concerned = match limit {
                    Limit::Operation => same_app && same_operation,
                    Limit::Platform => same_operation,
                    Limit::Month => same_app,
                    Limit::Egress => true,
                };
                if concerned {
                    queue.close(until, limit);
                }
            }
        }
    }

    /// What an app has used of an operation.
    pub(super) async fn usage(&self, app: &App, operation: &str) -> Result<Usage, Error> {
        self.0.budgets.usage(app.alias(), operation).await.map_err(Error::Store)
    }

    /// What all apps together may spend from this egress address.
    pub(super) fn egress(&self) -> Rate {
        let LimitsConfig { egress_calls, egress_window, .. } = self.0.config;
        Rate { calls: egress_calls, per: egress_window }
    }

    /// Calls of the app that wait for the operation here.
    pub(super) fn waiting(&self, app: &App, operation: &str) -> usize {
        let apps = self.0.apps.read().unwrap_or_else(PoisonError::into_inner);
        let queue = apps.get(app.alias()).and_then(|queues| queues.by_operation.get(operation));
        queue.map_or(0, |queue| queue.waiting())
    }

    /// Calls of the app that wait here, for any operation.
    pub(super) fn length(&self, app: &App) -> usize {
        let apps = self.0.apps.read().unwrap_or_else(PoisonError::into_inner);
        apps.get(app.alias()).map_or(0, |queues| queues.length.load(Ordering::Relaxed))
    }

    /// Metered calls of the app in this month, as far as this replica has seen.
    pub(super) fn month_calls(&self, app: &App) -> Option<u64> {
        self.0.budgets.month_calls(app.alias())
    }

    fn queue(&self, app: &App, spec: &'static Spec) -> Arc<Queue> {
        let known = {
            let apps = self.0.apps.read().unwrap_or_else(PoisonError::into_inner);
            apps.get(app.alias()).and_then(|queues| queues.by_operation.get(spec.id)).cloned()
        };
        known.unwrap_or_else(|| self.new_queue(app, spec))
    }

    fn new_queue(&self, app: &App, spec: &'static Spec) -> Arc<Queue> {
        let Inner { budgets, config, apps } = &*self.0;
        let mut apps = apps.write().unwrap_or_else(PoisonError::into_inner);
        let alias: Arc<str> = Arc::from(app.alias());
        let queues = apps.entry(alias.clone()).or_default();
        let length = queues.length.clone();
        let queue = queues.by_operation.entry(spec.id).or_insert_with(|| {
            let ask = Ask {
                app: alias,
                operation: spec.id,
                rate: app.rate(spec.id),
                month: app.month(),
                egress: Rate { calls: config.egress_calls, per: config.egress_window },
                waiting: 0,
                horizon: Duration::ZERO,
            };
            Arc::new(Queue::new(ask, budgets.clone(), length, config.queue_max))
        });
        queue.clone()
    }
}

/// How long DingTalk closes what. Its legacy texts name the end of the penalty; `Retry-After` is honoured should it
/// ever come; else these are the windows that the codes are named after.
fn pause_of(error: &Error) -> Option<(Limit, Duration)> {
    if let Error::EgressBlocked { retry_after } = error {
        return Some((Limit::Egress, *retry_after));
    }
    let api = error.api()?;
    let (limit, usual) = match error.reason() {
        Reason::AppRateLimited if is_per_minute(api) => (Limit::Operation, Duration::from_secs(15)),
        Reason::AppRateLimited => (Limit::Operation, Duration::from_secs(1)),
        Reason::PlatformRateLimited => (Limit::Platform, Duration::from_secs(2)),
        // Asked again now and then, because a plan can be upgraded.
        Reason::MonthlyQuotaExhausted => (Limit::Month, Duration::from_secs(3600)),
        _ => return None,
    };
    let told = api.retry_after.or_else(|| penalty(&api.message, SystemTime::now()));
    Some((limit, told.unwrap_or(usual)))
}

/// How long a penalty lasts whose end stands in the text, as in `限制将在 2018-02-14 00:28:08 结束`: the last time in
/// it, in China. Clocks differ, so it is taken with a pinch of salt.
fn penalty(message: &str, now: SystemTime) -> Option<Duration> {
    const CHINA: Duration = Duration::from_secs(8 * 3600);
    const LENGTH: usize = "2018-02-14 00:28:08".len();
    let starts = message.char_indices().filter(|(_, first)| first.is_ascii_digit()).map(|(start, _)| start);
    let mut times =
        starts.filter_map(|start| humantime::parse_rfc3339_weak(message.get(start..start + LENGTH)?).ok());
    let left = (times.next_back()? - CHINA).duration_since(now).unwrap_or_default();
    Some(left.clamp(Duration::from_secs(1), Duration::from_secs(60)))
}

fn is_per_minute(api: &ApiError) -> bool {
    api.code.contains("QpmLimit")
}

#[cfg(test)]
mod tests;
