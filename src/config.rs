//! The configuration: embedded defaults, a TOML file, the environment. Every value knows where it came from, and every
//! fault is reported at its place, all at once. The only code that reads environment variables.

use std::{ffi::OsString, fmt, path::PathBuf};

use serde::Deserialize;
use toml::Value;

use self::{
    load::Loader,
    report::{Fault, Origin, Setting, keys},
};
use crate::{
    audit::AuditConfig,
    dingtalk::{
        App, DingtalkConfig, LimitsConfig, breaker::BreakerConfig, retry::RetryConfig, token::TokenConfig,
    },
    event::EventsConfig,
    group::CacheConfig,
    identity::AuthConfig,
    server::ServerConfig,
    store::StoreConfig,
    telemetry::TelemetryConfig,
};

mod file;
mod finish;
mod load;
mod report;

pub use self::report::Faults;

const DEFAULTS: &str = include_str!("../config/default.toml");
/// What an app has that says nothing of it.
const APP_DEFAULTS: [(&str, &str); 3] =
    [("corp_id", ""), ("region", "com"), ("token_endpoint", "access_token")];
/// A list of tables.
struct List {
    /// The keys from the root to it.
    path: &'static [&'static str],
    /// The key by which its tables are told apart.
    name: &'static str,
}
/// Issuers have URLs for names, which are no keys: they are known by their places.
const LISTS: [List; 3] = [
    List { path: &["apps"], name: "alias" },
    List { path: &["auth", "callers"], name: "name" },
    List { path: &["auth", "jwt"], name: "" },
];

/// The list at a path.
fn list(path: &[String]) -> Option<&'static List> {
    LISTS.iter().find(|list| list.path == path)
}

const PREFIX: &str = "DINGGATE__";
/// The standard variables of OpenTelemetry, the settings they win over, and the unit that their values leave out.
const OTEL: [(&str, &str, &str); 9] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint", ""),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "telemetry.otlp_traces_endpoint", ""),
    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "telemetry.otlp_metrics_endpoint", ""),
    ("OTEL_TRACES_EXPORTER", "telemetry.traces_exporter", ""),
    ("OTEL_METRICS_EXPORTER", "telemetry.metrics_exporter", ""),
    ("OTEL_METRIC_EXPORT_INTERVAL", "telemetry.metrics_interval", "ms"),
    ("OTEL_TRACES_SAMPLER", "telemetry.sampler", ""),
    ("OTEL_TRACES_SAMPLER_ARG", "telemetry.sampler_arg", ""),
    ("OTEL_SERVICE_NAME", "telemetry.service_name", ""),
];

/// The least that works, for people who have nothing yet.
pub const EXAMPLE: &str = r#"[server]
grpc_addr = "127.0.0.1:50051"           # callers on this machine only

[[apps]]
alias = "orders"                        # the name callers use
app_key = "dingxxxxxxxx"                # AppKey (Client ID) from DingTalk's developer console
app_secret_file = "/run/secrets/orders" # a file with the AppSecret (Client Secret)
"#;

/// Everything that can be set, apps aside. Each part lives beside the component it configures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[dingtalk]`
    pub dingtalk: DingtalkConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[token]`
    pub token: TokenConfig,
    /// `[retry]`
    pub retry: RetryConfig,
    /// `[breaker]`
    pub breaker: BreakerConfig,
    /// `[cache]`
    pub cache: CacheConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[events]`
    pub events: EventsConfig,
    /// `[telemetry]`
    pub telemetry: TelemetryConfig,
}

/// A configuration and where its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The apps, with their secrets read.
    pub apps: Vec<App>,
    settings: Vec<Setting>,
    warnings: Vec<Fault>,
}

impl Loaded {
    /// What can be used and may yet surprise, a line each, with its place.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(Fault::to_string)
    }
}

impl fmt::Display for Loaded {
    /// Every value with its origin, secrets hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.iter().try_for_each(|setting| writeln!(f, "{setting}"))
    }
}

/// Where to look for values, weakest first.
#[derive(Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    environment: Vec<(String, OsString)>,
    command_line: Vec<(String, Value)>,
}

impl fmt::Debug for Sources {
    /// Without values: there are secrets among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sources {
    /// A file, under the environment of this process.
    pub fn file_and_environment(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::environment() }
    }

    /// Only the environment of this process.
    pub fn environment() -> Self {
        Self { environment: ours(std::env::vars_os()), ..Self::default() }
    }

    /// Nothing but the defaults: what tests start from.
    pub fn defaults() -> Self {
        Self::default()
    }

    /// A value that wins over all others, by its dotted path.
    #[must_use]
    pub fn with(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.command_line.push((path.to_owned(), value.into()));
        self
    }

    /// Loads, validates, and reads the secrets.
    pub fn load(&self) -> Result<Loaded, Faults> {
        let mut loader = Loader::default();
        if let Some(file) = &self.file {
            loader.file(file);
        }
        for (variable, value) in &self.environment {
            loader.variable(variable, value);
        }
        for (path, value) in &self.command_line {
            loader.set(keys(path), std::slice::from_ref(value), Origin::CommandLine);
        }
        loader.finish()
    }
}

/// The file to use when none is named: `DINGGATE_CONFIG`, then `./dinggate.toml` if it is there.
pub fn default_file() -> Option<PathBuf> {
    let named = std::env::var_os("DINGGATE_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from("dinggate.toml")).filter(|file| file.exists()))
}

/// The variables that configure us; the standard ones come last and win. An empty standard one is not set.
fn ours(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, OsString)> {
    let rank = |name: &str| OTEL.iter().position(|(standard, ..)| *standard == name);
    let mut ours: Vec<_> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) || (rank(name).is_some() && !value.is_empty()))
        .collect();
    ours.sort_by_key(|(name, _)| (rank(name), name.clone()));
    ours
}

#[cfg(test)]
mod tests;
