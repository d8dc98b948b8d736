//! The shared access tokens: one fetch for a crowd, refreshed ahead of expiry in the background, dropped when
//! DingTalk refuses them, and left alone for a while when they cannot be had.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use foldhash::fast::RandomState;
use moka::{future::Cache, ops::compute::Op};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, debug, info_span, warn};

use super::{
    app::{App, TokenKey},
    error::{Applied, Error},
};
use crate::trace::Follow as _;

/// What DingTalk documents, should an answer not state a sensible lifetime.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(7200);
/// A shorter lifetime would turn every call into a fetch; a token that dies earlier is refused and replaced.
const MIN_LIFETIME: Duration = Duration::from_secs(60);
/// Nothing that DingTalk issues lives longer; a larger number is a mistake.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// `[token]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// How long before expiry a token is renewed.
    #[serde(with = "humantime_serde")]
    pub refresh_ahead: Duration,
    /// The pause after the first failed fetch; it doubles with each further one.
    #[serde(with = "humantime_serde")]
    pub backoff_min: Duration,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
}

impl TokenConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.backoff_min.is_zero() {
            faults.push(("token.backoff_min", "must be longer than zero".to_owned()));
        }
        if self.backoff_min > self.backoff_max {
            faults.push(("token.backoff_min", "is longer than token.backoff_max".to_owned()));
        }
        faults
    }
}

/// An access token as it was granted once: the same characters granted again are another token, which has yet to be
/// refused. Never printed.
#[derive(Clone)]
pub struct Token(Arc<SecretString>);

impl Token {
    /// Wraps a token as it came.
    pub fn new(value: String) -> Self {
        Token(Arc::new(value.into()))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a token endpoint answers.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token.
    pub token: Token,
    /// Seconds it claims to live.
    pub lifetime: Option<i64>,
}

/// Where tokens come from.
pub trait TokenSource: Send + Sync + 'static {
    /// Fetches a token, once.
    fn fetch(&self, app: &App) -> impl Future<Output = Result<Grant, Error>> + Send;
}

/// The tokens of all apps. Cheap to clone.
#[derive(Debug)]
pub struct Tokens<S>(Arc<Inner<S>>);

#[derive(Debug)]
struct Inner<S> {
    source: S,
    config: TokenConfig,
    held: Cache<Arc<TokenKey>, Arc<Held>, RandomState>,
    setbacks: Mutex<HashMap<Arc<TokenKey>, Setback>>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    refresh_at: Instant,
    expires_at: Instant,
    refreshing: AtomicBool,
}

/// What went wrong with the tokens of one app, until a fetch brings a token that was not refused.
#[derive(Debug, Default)]
struct Setback {
    failures: u32,
    /// Until then nothing is fetched, and who needs a token is told why.
    pause: Option<(Instant, Arc<Error>)>,
    refused: Option<Token>,
}

impl<S> Clone for Tokens<S> {
    fn clone(&self) -> Self {
        Tokens(self.0.clone())
    }
}

impl<S: TokenSource> Tokens<S> {
    /// No token is fetched before it is needed.
    pub fn new(source: S, config: TokenConfig) -> Self {
        let held = Cache::builder().build_with_hasher(RandomState::default());
        Tokens(Arc::new(Inner { source, config, held, setbacks: Mutex::default() }))
    }

    /// A token that has not expired. Renewal happens behind the caller's back; only a caller without any usable
    /// token waits, at most until the deadline.
    pub async fn get(&self, app: &App, deadline: Instant) -> Result<Token, Error> {
        let now = Instant::now();
        match self.0.held.get(app.token_key()).await {
            Some(held) if now < held.expires_at => {
                if now >= held.refresh_at {
                    self.refresh_behind(app, &held);
                }
                return Ok(held.token.clone());
            }
            Some(expired) => self.remove(app, &expired.token).await,
            None => {}
        }
        timeout_at(deadline, self.fetch_once(app).instrument(info_span!("token")))
            .await
            .unwrap_or(Err(Error::DeadlineExceeded { applied: Applied::No }))
    }

    /// Forgets this very token; one that has replaced it stays.
    pub async fn discard(&self, app: &App, token: &Token) {
        self.setbacks().entry(app.token_key().clone()).or_default().refused = Some(token.clone());
        self.remove(app, token).await;
    }

    async fn remove(&self, app: &App, token: &Token) {
        let same = |held: &Arc<Held>| held.token == *token;
        self.0
            .held
            .entry(app.token_key().clone())
            .and_compute_with(async |entry| match entry {
                Some(entry) if same(entry.value()) => Op::Remove,
                _ => Op::Nop,
            })
            .await;
    }

    /// One fetch for all who wait. It runs in a task of its own, so that it goes on when the first of them leaves.
    async fn fetch_once(&self, app: &App) -> Result<Token, Error> {
        let (tokens, app) = (self.clone(), app.clone());
        let fetch = async move {
            let fetched = tokens.0.held.try_get_with(app.token_key().clone(), tokens.fetch(&app)).await;
            fetched.map(|held| held.token.clone()).map_err(|error| Error::clone(&error))
        };
        match tokio::spawn(fetch.followed()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Request("the token fetch stopped".to_owned())),
        }
    }

    fn refresh_behind(&self, app: &App, held: &Arc<Held>) {
        if self.pause(app).is_some() || held.refreshing.swap(true, Ordering::Relaxed) {
            return;
        }
        let (tokens, app, held) = (self.clone(), app.clone(), held.clone());
        tokio::spawn(async move {
            match tokens.fetch(&app).await {
                Ok(new) => tokens.replace(&app, &held, new).await,
                Err(error) => {
                    warn!(app = app.alias(), %error, "the token is not renewed, the old one stays in use")
                }
            }
            held.refreshing.store(false, Ordering::Relaxed);
        });
    }

    /// Puts the new token in the place of the one it renews, unless that was refused and replaced meanwhile.
    async fn replace(&self, app: &App, old: &Held, new: Arc<Held>) {
        self.0
            .held
            .entry(app.token_key().clone())
            .and_compute_with(async |entry| match entry {
                Some(entry) if entry.value().token == old.token => Op::Put(new),
                _ => Op::Nop,
            })
            .await;
    }

    async fn fetch(&self, app: &App) -> Result<Arc<Held>, Error> {
        if let Some(error) = self.pause(app) {
            return Err(error);
        }
        let grant = self.0.source.fetch(app).await.map_err(|error| self.set_back(app, error))?;
        debug!(app = app.alias(), lifetime = grant.lifetime, "fetched an access token");
        if self.was_refused(app, &grant.token) {
            // DingTalk extends a token that it holds for good, so this one may be; but should it be refused again,
            // asking again at once would not help.
            self.set_back(app, Error::TokenRejected);
        }
        Ok(Arc::new(self.hold(grant)))
    }

    fn hold(&self, grant: Grant) -> Held {
        let stated =
            grant.lifetime.and_then(|seconds| u64::try_from(seconds).ok()).filter(|&seconds| seconds > 0);
        let lifetime = stated.map_or(DEFAULT_LIFETIME, Duration::from_secs).clamp(MIN_LIFETIME, MAX_LIFETIME);
        let ahead = self.0.config.refresh_ahead.min(lifetime / 3);
        // Replicas that started together should not all renew together.
        let jitter = (ahead / 4).mul_f64(rand::random());
        let now = Instant::now();
        Held {
            token: grant.token,
            refresh_at: now + lifetime - ahead - jitter,
            expires_at: now + lifetime,
            refreshing: AtomicBool::new(false),
        }
    }

    /// The failure that callers share until the next fetch is due.
    fn pause(&self, app: &App) -> Option<Error> {
        let setbacks = self.setbacks();
        let (until, cause) = setbacks.get(app.token_key())?.pause.as_ref()?;
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        Some(Error::NoToken { cause: cause.clone(), retry_after: left })
    }

    /// Starts the next pause, longer than the last unless that is long over.
    fn set_back(&self, app: &App, error: Error) -> Error {
        let TokenConfig { backoff_min, backoff_max, .. } = self.0.config;
        let (now, cause) = (Instant::now(), Arc::new(error));
        let mut setbacks = self.setbacks();
        let setback = setbacks.entry(app.token_key().clone()).or_default();
        if setback.pause.as_ref().is_some_and(|(until, _)| *until + backoff_max < now) {
            setback.failures = 0;
        }
        let doubled = backoff_min.saturating_mul(1 << setback.failures.min(16)).min(backoff_max);
        let retry_after = doubled.mul_f64(0.75 + 0.25 * rand::random::<f64>());
        setback.failures += 1;
        setback.pause = Some((now + retry_after, cause.clone()));
        Error::NoToken { cause, retry_after }
    }

    /// Whether the same characters were refused before; any other token ends the setback.
    fn was_refused(&self, app: &App, token: &Token) -> bool {
        let mut setbacks = self.setbacks();
        let refused = setbacks.get(app.token_key()).and_then(|setback| setback.refused.as_ref());
        let same = refused.is_some_and(|refused| refused.expose() == token.expose());
        if !same {
            setbacks.remove(app.token_key());
        }
        same
    }

    fn setbacks(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<TokenKey>, Setback>> {
        // Nothing panics while holding it; a half-written setback would only shorten a pause.
        self.0.setbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

mod lending;
mod standing;

pub use self::{
    lending::Lent,
    standing::{Lasting, Standing, TokenState},
};

#[cfg(test)]
mod tests;
