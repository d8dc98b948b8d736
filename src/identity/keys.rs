//! The keys of an issuer: from a file that is watched, or from a URL that is asked again from time to time, and when a
//! token names a key that nobody has heard of. While they cannot be had, the old ones go on.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{
    config::{IssuerConfig, is_empty},
    fetch::Fetch,
    watch,
};

/// How often a URL is asked without a reason, ...
const PERIOD: Duration = Duration::from_secs(300);
/// ... after a failure, ...
const RETRY: Duration = Duration::from_secs(30);
/// ... and at most for tokens that name an unknown key: whoever makes tokens up may not make us ask.
const PAUSE: Duration = Duration::from_secs(10);

/// A public key of an issuer.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    pub(super) key: DecodingKey,
}

/// All keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    /// The keys of a JWK set. One that cannot sign for others, or is of a kind that is not known here, is left out.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|error| format!("is no JWK set: {error}"))?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(key).collect();
        if keys.is_empty() { Err("holds no public key that signs tokens".to_owned()) } else { Ok(Self(keys)) }
    }

    /// The keys of a file.
    pub(super) fn of_file(file: &Path) -> Result<Self, String> {
        let content =
            fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        Self::parse(&content).map_err(|fault| format!("{} {fault}", file.display()))
    }

    /// The keys that a token may have been signed with. A token that names a key is not tried with others.
    pub(super) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let named = |key: &&Key| match (id, &key.id) {
            (Some(id), Some(key)) => id == key,
            _ => true,
        };
        let fits = |key: &&Key| {
            let stated = key.algorithm.as_deref();
            key.key.family().algorithms().contains(&algorithm)
                && stated
                    .is_none_or(|stated| stated.parse().is_ok_and(|stated: Algorithm| stated == algorithm))
        };
        self.0.iter().filter(named).filter(fits).collect()
    }
}

fn key(json: serde_json::Value) -> Option<Key> {
    let text = |name: &str| json.get(name).and_then(|value| value.as_str()).map(ToOwned::to_owned);
    let (id, algorithm) = (text("kid"), text("alg"));
    // Symmetric keys have no place in a set that others can read.
    if !matches!(text("kty")?.as_str(), "RSA" | "EC" | "OKP")
        || text("use").is_some_and(|usage| usage != "sig")
    {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    Some(Key { id, algorithm, key: DecodingKey::from_jwk(&jwk).ok()? })
}

/// The keys of an issuer, as they are now.
#[derive(Debug)]
pub(super) struct Keys {
    state: Arc<State>,
    /// When a token last made us ask; locked while it does.
    asked: Arc<Mutex<Option<Instant>>>,
    fetch: Option<Arc<Fetch>>,
    _renewal: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct State {
    issuer: String,
    current: RwLock<(Arc<KeySet>, Vec<u8>)>,
    /// How often the keys have changed.
    generation: AtomicU64,
}

impl Keys {
    /// Reads the file, or asks the URL once and goes on without keys if it does not answer.
    pub(super) async fn open(config: &IssuerConfig) -> Result<Self, String> {
        let current = RwLock::new((Arc::default(), Vec::new()));
        let state = State { issuer: config.issuer.clone(), current, generation: AtomicU64::new(0) };
        let state = Arc::new(state);
        let (fetch, renewal) = match config.url()? {
            Some(url) => {
                let file = |path: &PathBuf| Some(path.clone()).filter(|path| !is_empty(path));
                let (ca_file, token_file) = (file(&config.jwks_ca_file), file(&config.jwks_token_file));
                let fetch = Arc::new(Fetch { url, ca_file, token_file });
                let answered = state.ask(&fetch).await;
                (Some(fetch.clone()), tokio::spawn(renew(state.clone(), fetch, answered)))
            }
            None => {
                let file = config.jwks_file.clone();
                let content = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                state.replace(content.clone()).map_err(|fault| format!("{} {fault}", file.display()))?;
                let (watched, kept) = (file.clone(), state.clone());
                let changed = move || {
                    let read = fs::read(&watched).map_err(|error| error.to_string());
                    kept.take(read);
                };
                (None, tokio::spawn(watch::follow(file, Some(content), changed)))
            }
        };
        Ok(Self { state, asked: Arc::default(), fetch, _renewal: AbortOnDropHandle::new(renewal) })
    }

    /// The keys, and how often they have changed.
    pub(super) fn current(&self) -> (Arc<KeySet>, u64) {
        let current = self.state.current.read().unwrap_or_else(PoisonError::into_inner);
        (current.0.clone(), self.generation())
    }

    /// How often the keys have changed.
    pub(super) fn generation(&self) -> u64 {
        self.state.generation.load(Ordering::Acquire)
    }

    /// Takes the keys away without telling anybody.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.state.current.write().unwrap_or_else(PoisonError::into_inner).0 = Arc::default();
    }

    /// The keys after the URL has been asked, unless that was a moment ago. All who want to know share one question,
    /// which is asked to its end when the first of them leaves.
    pub(super) async fn renewed(&self) -> (Arc<KeySet>, u64) {
        let Some(fetch) = self.fetch.clone() else { return self.current() };
        let mut asked = self.asked.clone().lock_owned().await;
        if asked.is_none_or(|at| at.elapsed() >= PAUSE) {
            let state = self.state.clone();
            let question = tokio::spawn(async move {
                *asked = Some(Instant::now());
                state.ask(&fetch).await;
                drop(asked);
            });
            drop(question.await);
        }
        self.current()
    }
}

impl State {
    /// Whether the URL has answered with keys.
    async fn ask(&self, fetch: &Fetch) -> bool {
        self.take(fetch.get().await)
    }

    fn take(&self, content: Result<Vec<u8>, String>) -> bool {
        let issuer = &self.issuer;
        match content.and_then(|content| self.replace(content)) {
            Ok(true) => info!(issuer, "the keys of an issuer are new"),
            Ok(false) => {}
            Err(fault) => {
                warn!(issuer, fault, "the keys of an issuer cannot be had, the old ones stay");
                return false;
            }
        }
        true
    }

    /// Whether they are others than before.
    fn replace(&self, content: Vec<u8>) -> Result<bool, String> {
        let set = KeySet::parse(&content)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.1 != content;
        if changed {
            *current = (Arc::new(set), content);
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(changed)
    }
}

async fn renew(state: Arc<State>, fetch: Arc<Fetch>, mut answered: bool) {
    loop {
        sleep(if answered { PERIOD } else { RETRY }).await;
        answered = state.ask(&fetch).await;
    }
}
