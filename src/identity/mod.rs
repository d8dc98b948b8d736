//! Who calls, and what they may do. Knows proofs and policy; neither gRPC's codes nor what an RPC is about.

mod config;
mod fetch;
mod jwt;
mod keys;
mod methods;
mod mtls;
mod policy;
mod tokens;
mod watch;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header::AUTHORIZATION};
use rustls::pki_types::CertificateDer;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

pub use self::{
    config::{AuthConfig, CallerConfig, Fault, IssuerConfig, Mode, Modes},
    methods::{METHODS, Method},
    policy::{Grant, Known},
    tokens::new_token,
};
use self::{jwt::Jwt, mtls::Certificates, policy::Policy, tokens::Tokens};

/// Why nobody is known. The details are for the log of the gateway, not for whoever calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing was shown.
    #[error("no proof of identity")]
    NoProof,
    /// What was shown proves nothing.
    #[error("{0}")]
    BadProof(String),
    /// It proves an identity that no caller has.
    #[error("no caller has the identity {0}")]
    Nobody(String),
}

impl Refused {
    fn bad(text: impl Into<String>) -> Self {
        Refused::BadProof(text.into())
    }
}

/// Finds out who calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    policy: Policy,
    certificates: Option<Certificates>,
    jwt: Option<Jwt>,
    tokens: Option<TokensFile>,
}

impl Authenticator {
    /// Takes a configuration without faults; none where everybody is let in.
    pub async fn open(config: &AuthConfig) -> Result<Option<Self>, String> {
        if config.mode.is_none() {
            return Ok(None);
        }
        let certificates = config.mode.has(Mode::Mtls).then(Certificates::new);
        let jwt = if config.mode.has(Mode::Jwt) { Some(Jwt::open(config.jwt.values()).await?) } else { None };
        let has_tokens = config.mode.has(Mode::Static);
        let tokens = has_tokens.then(|| TokensFile::open(&config.static_tokens.tokens_file)).transpose()?;
        Ok(Some(Self(Arc::new(Inner { policy: Policy::new(config), certificates, jwt, tokens }))))
    }

    /// Who calls, by what comes with the request: a token, or else the leaf of the client's certificates. What is shown
    /// has to be right: nobody falls back from a bad token to something better.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        leaf: Option<&CertificateDer<'_>>,
    ) -> Result<Known, Refused> {
        let Inner { policy, certificates, jwt, tokens } = &*self.0;
        if jwt.is_some() || tokens.is_some() {
            match (bearer(headers)?, jwt, tokens) {
                (Some(token), Some(jwt), _) if token.matches('.').count() == 2 => {
                    return jwt.verify(token, policy).await;
                }
                (Some(token), _, Some(tokens)) => return tokens.known(token, policy),
                (Some(_), _, None) => return Err(Refused::bad("the token is no JSON Web Token")),
                (None, ..) => {}
            }
        }
        let (Some(certificates), Some(leaf)) = (certificates, leaf) else { return Err(Refused::NoProof) };
        certificates.verify(leaf, policy, now())
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The token of `authorization: Bearer <token>`; none without the header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut stated = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = stated.next() else { return Ok(None) };
    if stated.next().is_some() {
        return Err(Refused::bad("there are several authorization headers"));
    }
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Refused::bad("the authorization header holds no bearer token")),
    }
}

/// The tokens of a file that may be replaced.
#[derive(Debug)]
struct TokensFile {
    tokens: Arc<RwLock<Tokens>>,
    _watch: AbortOnDropHandle<()>,
}

impl TokensFile {
    fn open(file: &PathBuf) -> Result<Self, String> {
        let content = fs::read(file).ok();
        let tokens = Arc::new(RwLock::new(Tokens::read(file)?));
        let (watched, kept) = (file.clone(), tokens.clone());
        let changed = move || match Tokens::read(&watched) {
            Ok(tokens) => {
                *kept.write().unwrap_or_else(PoisonError::into_inner) = tokens;
                info!(file = %watched.display(), "the tokens file was read again");
            }
            Err(fault) => warn!(%fault, "the tokens file was not read again, the old tokens stay"),
        };
        let watch = tokio::spawn(watch::follow(file.clone(), content, changed));
        Ok(Self { tokens, _watch: AbortOnDropHandle::new(watch) })
    }

    fn known(&self, token: &str, policy: &Policy) -> Result<Known, Refused> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let owner = tokens.owner(token).ok_or_else(|| Refused::bad("the token is not in the tokens file"))?;
        policy.find(owner).cloned().ok_or_else(|| Refused::Nobody(format!("{owner:?}")))
    }
}
