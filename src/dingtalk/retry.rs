//! Whether a failed attempt is followed by another one. `decide` is a pure function and `Budget` a number: the
//! loop in `client.rs` acts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use foldhash::HashMap;
use serde::Deserialize;

use super::{
    catalogue::{Retryable, Row},
    endpoint::Repeat,
    error::{Applied, Error},
    reason::Reason,
};

/// `[retry]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// The longest pause before the second attempt; it doubles with each further one.
    #[serde(with = "humantime_serde")]
    pub base: Duration,
    /// The longest pause of all, unless DingTalk names a longer one.
    #[serde(with = "humantime_serde")]
    pub max: Duration,
    /// Attempts of one call, the first one included.
    pub max_attempts: usize,
    /// Repeats per call that an app may make on average.
    pub budget: f64,
}

impl RetryConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.base > self.max {
            faults.push(("retry.base", "is longer than retry.max".to_owned()));
        }
        if self.max_attempts == 0 {
            faults.push(("retry.max_attempts", "must be at least 1".to_owned()));
        }
        if !(0.0..=1.0).contains(&self.budget) {
            faults.push(("retry.budget", "must be between 0 and 1".to_owned()));
        }
        faults
    }

    fn longest_pause(&self, failures: usize) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }
}

/// What to do after a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Give up.
    Never,
    /// Once more, with a new token.
    WithFreshToken,
    /// Once more, after a pause.
    After(Duration),
}

/// The failed attempts of one call.
#[derive(Debug, Default)]
pub(super) struct History {
    /// How many, refused tokens left aside.
    failures: usize,
    token_replaced: bool,
    /// The last failure after which the request may have been carried out.
    maybe: Option<Error>,
}

impl History {
    /// Takes a failure into the count, and says what is known of the call by now. That a repeat was refused does not
    /// undo what the attempt before it may have done.
    pub(super) fn failed(&mut self, repeat: Repeat, error: &Error) -> Error {
        self.failures += usize::from(!error.token_refused());
        self.token_replaced &= error.token_refused();
        if error.applied() == Applied::Maybe {
            self.maybe = Some(error.clone());
        }
        match &self.maybe {
            Some(earlier) if repeat != Repeat::Read && error.applied() == Applied::No => {
                let refused = matches!(error, Error::Api(_)) && !passes(error);
                if refused { Error::Unsettled { last: Box::new(error.clone()) } } else { earlier.clone() }
            }
            _ => error.clone(),
        }
    }

    /// A refused token is about to be replaced.
    pub(super) fn replaces_token(&mut self) {
        self.token_replaced = true;
    }
}

/// A refused token means that nothing was carried out, so even a write that acts twice may be replayed; but only
/// once in a row: DingTalk refusing the next token as well is a matter of configuration. Anything else is repeated where it
/// passes, a repeat is harmless, and the pause fits into what is `left` until the caller's deadline. `jitter`, from 0
/// to 1, is the share of the pause to take, so that those who failed together do not come back together.
pub(super) fn decide(
    config: &RetryConfig,
    repeat: Repeat,
    history: &History,
    error: &Error,
    left: Duration,
    jitter: f64,
) -> Retry {
    if error.token_refused() {
        return if history.token_replaced { Retry::Never } else { Retry::WithFreshToken };
    }
    let harmless = repeat != Repeat::Once || error.applied() == Applied::No;
    if !harmless || !passes(error) || history.failures >= config.max_attempts {
        return Retry::Never;
    }
    let pause = config.longest_pause(history.failures).mul_f64(jitter).max(asked_for(error));
    if pause < left { Retry::After(pause) } else { Retry::Never }
}

/// Whether the same request may fare better in a moment.
fn passes(error: &Error) -> bool {
    match error {
        Error::Unreachable(_) | Error::Lost(_) => true,
        // A redirect or a refusal by somebody in between comes again.
        Error::Garbled { status, .. } => !(300..500).contains(status),
        Error::Api(api) => api.row.map_or(api.status >= 500, row_passes),
        _ => false,
    }
}

/// Some codes pass, but not within moments: a barred address, or a group that has not settled, which is waited for
/// where it is known how old the group is.
fn row_passes(row: &Row) -> bool {
    let elsewhere =
        matches!(row.reason, Reason::EgressIpBlocked | Reason::GroupNotReady | Reason::TemplateNotAccessible);
    row.retryable == Retryable::AfterBackoff && !elsewhere
}

/// The pause that DingTalk asks for: in words, or by throttling.
fn asked_for(error: &Error) -> Duration {
    let throttled = matches!(error.reason(), Reason::AppRateLimited | Reason::PlatformRateLimited);
    let stated = error.api().and_then(|api| api.retry_after);
    stated.or_else(|| error.retry_after().filter(|_| throttled)).unwrap_or_default()
}

/// How many repeats each app may still make: an outage must not be answered with a multiple of the calls. Every call
/// earns a share of a repeat; what is not used is kept, up to what a hundred calls earn. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    ratio: f64,
    held: Arc<Mutex<HashMap<String, f64>>>,
}

impl Budget {
    pub(super) fn new(config: &RetryConfig) -> Self {
        Self { ratio: config.budget, held: Arc::default() }
    }

    /// A call is sent for the first time.
    pub(super) fn earn(&self, app: &str) {
        self.change(app, self.ratio);
    }

    /// Takes a repeat out, if there is one.
    pub(super) fn spend(&self, app: &str) -> bool {
        self.change(app, -1.0)
    }

    /// Whether the account covers the change; it is left alone if not.
    fn change(&self, app: &str, by: f64) -> bool {
        let most = self.ratio * 100.0;
        // Nothing panics while holding it.
        let mut accounts = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match accounts.get_mut(app) {
            Some(held) => held,
            None => accounts.entry(app.to_owned()).or_insert(most),
        };
        let covered = *held + by >= 0.0;
        if covered {
            *held = (*held + by).min(most);
        }
        covered
    }
}

#[cfg(test)]
mod tests;
