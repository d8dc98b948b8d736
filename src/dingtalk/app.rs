//! An app: one set of DingTalk credentials, under the alias that callers use.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::endpoint::{Generation, Spec};
use crate::store::Rate;

/// `[[apps]]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppConfig {
    /// The name callers use.
    pub alias: String,
    /// AppKey, also called Client ID.
    pub app_key: String,
    /// AppSecret, also called Client Secret.
    pub app_secret: Option<SecretString>,
    /// A file that holds the secret; white space around it is ignored.
    pub app_secret_file: Option<PathBuf>,
    /// The organisation; needed by the `corp_token` endpoint.
    pub corp_id: String,
    /// Which of DingTalk's two sites.
    pub region: Region,
    /// Overrides the host of the new generation.
    pub api_url: Option<Url>,
    /// Overrides the host of the legacy generation.
    pub oapi_url: Option<Url>,
    /// Where tokens come from.
    pub token_endpoint: TokenEndpoint,
    /// Which operations serve where there are two.
    pub generation: Generation,
    /// Whether TokenService hands out its access token.
    pub expose_token: bool,
    /// How many people one call names at most, by operation, where it is not to be DingTalk's documented limit.
    pub chunk_sizes: BTreeMap<String, usize>,
    /// What it may spend.
    pub limits: AppLimits,
}

/// `apps.limits` of the configuration: what DingTalk lets the app spend.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppLimits {
    /// Calls to each operation in any second.
    pub per_second: u32,
    /// Other numbers for some operations, by their ids.
    pub per_second_of: BTreeMap<String, u32>,
    /// Metered calls in a month; 0 for no limit.
    pub per_month: u64,
}

impl Default for AppLimits {
    /// What an organisation of the standard edition has.
    fn default() -> Self {
        Self { per_second: 20, per_second_of: BTreeMap::new(), per_month: 5000 }
    }
}

/// DingTalk's sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// `dingtalk.com`, mainland China.
    #[default]
    Com,
    /// `dingtalk.io`, international.
    Io,
}

/// The token endpoints for internal apps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEndpoint {
    /// `POST /v1.0/oauth2/accessToken`.
    #[default]
    AccessToken,
    /// `POST /v1.0/oauth2/{corpId}/token`.
    CorpToken,
    /// `GET /gettoken`, legacy.
    #[serde(rename = "gettoken")]
    GetToken,
}

/// An app, ready to be used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    alias: Arc<str>,
    app_key: String,
    app_secret: RwLock<SecretString>,
    corp_id: String,
    api: Url,
    oapi: Url,
    token_endpoint: TokenEndpoint,
    region: Region,
    generation: Generation,
    expose_token: bool,
    chunk_sizes: BTreeMap<String, usize>,
    limits: AppLimits,
    token_key: Arc<TokenKey>,
}

/// Two aliases with the same key share tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenKey {
    host: String,
    app_key: String,
    corp_id: String,
    endpoint: TokenEndpoint,
}

impl App {
    /// Takes a configuration that [`AppConfig::faults`] found nothing wrong with, and its secret.
    pub fn new(config: &AppConfig, app_secret: SecretString) -> Self {
        let site = match config.region {
            Region::Com => "dingtalk.com",
            Region::Io => "dingtalk.io",
        };
        let host = |override_: &Option<Url>, name: &str| {
            override_.clone().unwrap_or_else(|| {
                Url::parse(&format!("https://{name}.{site}")).expect("both names are valid host names")
            })
        };
        let api = host(&config.api_url, "api");
        let token_key = TokenKey {
            host: api.to_string(),
            app_key: config.app_key.clone(),
            corp_id: config.corp_id.clone(),
            endpoint: config.token_endpoint,
        };
        App(Arc::new(Inner {
            alias: Arc::from(config.alias.as_str()),
            app_key: config.app_key.clone(),
            app_secret: RwLock::new(app_secret),
            corp_id: config.corp_id.clone(),
            api,
            oapi: host(&config.oapi_url, "oapi"),
            token_endpoint: config.token_endpoint,
            region: config.region,
            generation: config.generation,
            expose_token: config.expose_token,
            chunk_sizes: config.chunk_sizes.clone(),
            limits: config.limits.clone(),
            token_key: Arc::new(token_key),
        }))
    }

    /// The name callers use.
    pub fn alias(&self) -> &str {
        &self.0.alias
    }

    /// The same, to be kept.
    pub fn name(&self) -> Arc<str> {
        self.0.alias.clone()
    }

    /// Which of DingTalk's two sites.
    pub fn region(&self) -> Region {
        self.0.region
    }

    /// Whether TokenService hands out its access token.
    pub fn exposes_token(&self) -> bool {
        self.0.expose_token
    }

    /// Which operations serve where there are two.
    pub fn generation(&self) -> Generation {
        self.0.generation
    }

    /// Into chunks of how many people a job on this operation is cut.
    pub fn chunk_size(&self, spec: &Spec) -> usize {
        self.0.chunk_sizes.get(spec.id).copied().or(spec.max_members).unwrap_or(usize::MAX)
    }

    /// AppKey.
    pub fn app_key(&self) -> &str {
        &self.0.app_key
    }

    /// AppSecret, as it is now.
    pub(super) fn app_secret(&self) -> SecretString {
        self.0.app_secret.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the secret of the same app as it was read again. Tokens that are held stay in use.
    pub fn renew_secret(&self, from: &App) {
        *self.0.app_secret.write().unwrap_or_else(PoisonError::into_inner) = from.app_secret();
    }

    /// How often the app may call an operation.
    pub fn rate(&self, operation: &str) -> Rate {
        let limits = &self.0.limits;
        let calls = *limits.per_second_of.get(operation).unwrap_or(&limits.per_second);
        Rate { calls, per: Duration::from_secs(1) }
    }

    /// Metered calls that the app may make in a month, if they are limited.
    pub fn month(&self) -> Option<u64> {
        Some(self.0.limits.per_month).filter(|calls| *calls > 0)
    }

    pub(super) fn corp_id(&self) -> &str {
        &self.0.corp_id
    }

    pub(super) fn token_endpoint(&self) -> TokenEndpoint {
        self.0.token_endpoint
    }

    pub(super) fn base(&self, generation: Generation) -> &Url {
        match generation {
            Generation::New => &self.0.api,
            Generation::Legacy => &self.0.oapi,
        }
    }

    pub(super) fn token_key(&self) -> &Arc<TokenKey> {
        &self.0.token_key
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.alias)
    }
}

impl AppConfig {
    /// What keeps this app from being used, as (key, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |key, text: &str| faults.push((key, text.to_owned()));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.alias.is_empty() || self.alias.len() > 63 || !self.alias.chars().all(plain) {
            fault("alias", "must be 1 to 63 of a-z, 0-9, - and _: it is the name callers use");
        }
        if self.app_key.is_empty() {
            fault("app_key", "is missing: AppKey (Client ID) of the app in the developer console");
        }
        match (&self.app_secret, &self.app_secret_file) {
            (None, None) => fault("app_secret_file", "is missing: name the file that holds the AppSecret"),
            (Some(_), Some(_)) => fault("app_secret_file", "is given beside app_secret: keep one of them"),
            _ => {}
        }
        if self.token_endpoint == TokenEndpoint::CorpToken && self.corp_id.is_empty() {
            fault("corp_id", "is missing: token_endpoint = \"corp_token\" needs it");
        }
        for (key, url) in [("api_url", &self.api_url), ("oapi_url", &self.oapi_url)] {
            if url.as_ref().is_some_and(|url| !is_base(url)) {
                fault(key, "must be http or https, a host, and nothing after it");
            }
        }
        let Self { limits: AppLimits { per_second, per_second_of, .. }, .. } = self;
        if *per_second == 0 || per_second_of.values().any(|calls| *calls == 0) {
            fault("limits", "must allow at least 1 call a second");
        }
        faults
    }
}

fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}
