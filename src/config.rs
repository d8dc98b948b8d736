//! The configuration: embedded defaults, a TOML file, the environment. Every value knows where it came from, and every
//! fault is reported at its place, all at once. The only code that reads environment variables.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

use crate::{
    dingtalk::{App, DingtalkConfig, app::AppConfig, token::TokenConfig},
    server::{AuthConfig, ServerConfig},
    telemetry::TelemetryConfig,
};

const DEFAULTS: &str = include_str!("../config/default.toml");
const PREFIX: &str = "DINGGATE__";
/// The standard variables of OpenTelemetry, and the settings they win over; the later of two wins.
const OTEL: [(&str, &str); 5] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_TRACES_SAMPLER", "telemetry.sampler"),
    ("OTEL_TRACES_SAMPLER_ARG", "telemetry.sampler_arg"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
];

/// Everything that can be set. Each part lives beside the component it configures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[dingtalk]`
    pub dingtalk: DingtalkConfig,
    /// `[token]`
    pub token: TokenConfig,
    /// `[telemetry]`
    pub telemetry: TelemetryConfig,
    /// `[[apps]]`; filled after the rest.
    #[serde(skip)]
    pub apps: Vec<AppConfig>,
}

/// A configuration and where its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The apps, with their secrets read.
    pub apps: Vec<App>,
    settings: Vec<Setting>,
}

#[derive(Debug, Clone)]
struct Setting {
    path: Keys,
    value: Value,
    origin: Origin,
}

/// The keys from the root to a value; `["apps", index in the file or alias, key]` for apps.
type Keys = Vec<String>;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Default,
    File { file: PathBuf, line: usize },
    Environment { variable: String },
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { file, line } => write!(f, "{}:{line}", file.display()),
            Origin::Environment { variable } => f.write_str(variable),
            Origin::CommandLine => f.write_str("command line"),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} fault(s):", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// Where to look for values, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
    command_line: Vec<(String, Value)>,
}

impl Sources {
    /// A file, under the environment of this process.
    pub fn file_and_environment(file: PathBuf) -> Self {
        Self { file: Some(file), environment: environment(), command_line: Vec::new() }
    }

    /// Only the environment of this process.
    pub fn environment() -> Self {
        Self { environment: environment(), ..Self::default() }
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
        self.environment.iter().for_each(|(variable, value)| loader.variable(variable, value));
        for (path, value) in &self.command_line {
            let path = path.split('.').map(ToOwned::to_owned).collect();
            loader.set(Setting { path, value: value.clone(), origin: Origin::CommandLine });
        }
        loader.finish()
    }
}

/// The file to use when none is named: `DINGGATE_CONFIG`, then `./dinggate.toml` if it is there.
pub fn default_file() -> Option<PathBuf> {
    let named = std::env::var_os("DINGGATE_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from("dinggate.toml")).filter(|file| file.exists()))
}

/// The variables that configure us; the standard ones come last and win.
fn environment() -> Vec<(String, String)> {
    let mut own: Vec<_> = std::env::vars().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    own.sort();
    let standard = OTEL.iter().filter_map(|(name, _)| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    own.extend(standard.filter(|(_, value)| !value.is_empty()));
    own
}

/// Takes one value after the other over the defaults, so that each fault has its place and hides no other.
#[derive(Debug)]
struct Loader {
    values: Table,
    config: Option<Config>,
    apps: BTreeMap<String, (Table, AppConfig)>,
    settings: Vec<Setting>,
    faults: Vec<String>,
}

impl Default for Loader {
    fn default() -> Self {
        let values: Table = toml::from_str(DEFAULTS).expect("config/default.toml is checked by the tests");
        let config =
            Config::deserialize(values.clone()).expect("config/default.toml is checked by the tests");
        let mut settings = Vec::new();
        leaves(&values, &mut Vec::new(), &mut |path, value| {
            settings.push(Setting { path: path.clone(), value: value.clone(), origin: Origin::Default });
        });
        Self { values, config: Some(config), apps: BTreeMap::new(), settings, faults: Vec::new() }
    }
}

impl Loader {
    fn fault(&mut self, origin: &Origin, path: &[String], text: &str) {
        self.faults.push(format!("{origin}: {}: {text}", path.join(".")));
    }

    fn file(&mut self, file: &Path) {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return self.faults.push(format!("{}: cannot be read: {error}", file.display())),
        };
        let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
        let spans = match toml::de::DeTable::parse(&text) {
            Ok(spans) => spans,
            Err(error) => {
                // Its Display would quote the line, and the line may hold a secret.
                let line = line_of(error.span().map_or(0, |span| span.start));
                return self.faults.push(format!("{}:{line}: not TOML: {}", file.display(), error.message()));
            }
        };
        let Ok(values) = toml::from_str::<Table>(&text) else {
            return self.faults.push(format!("{}: not TOML", file.display()));
        };
        let mut found = Vec::new();
        leaves(&values, &mut Vec::new(), &mut |path, value| found.push((path.clone(), value.clone())));
        for (path, value) in found {
            let line = line_of(offset_of(spans.get_ref(), &path).unwrap_or(0));
            let origin = Origin::File { file: file.to_owned(), line };
            self.set(Setting { path, value, origin });
        }
    }

    /// A variable's text is taken as a string where the key wants one, otherwise as a TOML value.
    fn variable(&mut self, variable: &str, text: &str) {
        let otel = OTEL.iter().find(|(name, _)| *name == variable);
        let mut path: Keys = match (otel, variable.strip_prefix(PREFIX)) {
            (Some((_, path)), _) => path.split('.').map(ToOwned::to_owned).collect(),
            (None, Some(rest)) => rest.split("__").map(str::to_ascii_lowercase).collect(),
            (None, None) => return,
        };
        if let [apps, name, _] = &mut path[..]
            && apps == "apps"
        {
            *name = self.app_of_variable(name);
        }
        let origin = Origin::Environment { variable: variable.to_owned() };
        let string =
            Setting { path: path.clone(), value: Value::String(text.to_owned()), origin: origin.clone() };
        let typed = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
        let typed = typed.filter(|value| !value.is_table() && !value.is_array() && !value.is_str());
        match (self.attempt(&string), typed) {
            (Err(_), Some(value)) => self.set(Setting { path, value, origin }),
            _ => self.set(string),
        }
    }

    /// Variables name an app by its alias, in which they cannot spell a dash.
    fn app_of_variable(&self, name: &str) -> String {
        let spelt = |app: &AppConfig| app.alias.replace('-', "_");
        let known = self.apps.iter().find(|(_, (_, app))| spelt(app) == name);
        known.map_or_else(|| name.to_owned(), |(key, _)| key.clone())
    }

    fn set(&mut self, setting: Setting) {
        if let Err(text) = self.attempt(&setting) {
            let text = if is_secret(&setting.path) && !text.contains("unknown") {
                "must be a string"
            } else {
                &text
            };
            return self.fault(&setting.origin.clone(), &setting.path.clone(), text);
        }
        self.settings.retain(|other| other.path != setting.path);
        self.settings.push(setting);
    }

    /// Puts the value over what is there, if the whole still makes a configuration.
    fn attempt(&mut self, setting: &Setting) -> Result<(), String> {
        let readable = |error: toml::de::Error| error.message().replace("unknown field", "unknown key");
        match &setting.path[..] {
            [apps, name, key] if apps == "apps" => {
                let (mut table, _) = self.apps.get(name).cloned().unwrap_or_default();
                if !table.contains_key("alias") && name.parse::<usize>().is_err() {
                    table.insert("alias".to_owned(), Value::String(name.clone()));
                }
                table.insert(key.clone(), setting.value.clone());
                let app = AppConfig::deserialize(table.clone()).map_err(readable)?;
                self.apps.insert(name.clone(), (table, app));
                return Ok(());
            }
            [apps, ..] if apps == "apps" => {
                return Err(
                    "apps are tables: [[apps]] in the file, DINGGATE__APPS__<ALIAS>__<KEY> outside".into()
                );
            }
            _ => {}
        }
        let mut values = self.values.clone();
        insert(&mut values, &setting.path, setting.value.clone());
        self.config = Some(Config::deserialize(values.clone()).map_err(readable)?);
        self.values = values;
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, Faults> {
        let mut config = self.config.take().expect("the defaults are a configuration");
        let mut apps = Vec::new();
        for (path, text) in config.server.faults(&config.auth).into_iter().chain(config.telemetry.faults()) {
            let path: Keys = path.split('.').map(ToOwned::to_owned).collect();
            let origin = self.origin(&path);
            self.fault(&origin, &path, &text);
        }
        let mut aliases = BTreeMap::new();
        for (index, (_, app)) in std::mem::take(&mut self.apps) {
            let path = |key: &str| vec!["apps".to_owned(), index.clone(), key.to_owned()];
            let mut faults = app.faults();
            let secret = read_secret(&app).map_err(|text| faults.push(("app_secret_file", text)));
            if let Some(other) = aliases.insert(app.alias.clone(), index.clone()) {
                faults.push(("alias", format!("{:?} is taken by app {other}", app.alias)));
            }
            for (key, text) in &faults {
                let (path, fallback) = (path(key), vec!["apps".to_owned(), index.clone()]);
                let origin = self.origin_or(&path, &fallback);
                self.fault(&origin, &path, text);
            }
            if let (Ok(Some(secret)), true) = (secret, faults.is_empty()) {
                apps.push(App::new(&app, secret));
            }
            config.apps.push(app);
        }
        if config.apps.is_empty() {
            self.faults.push("apps: there is none; the gateway needs at least one:\n\n".to_owned() + EXAMPLE);
        }
        if self.faults.is_empty() {
            Ok(Loaded { config, apps, settings: self.settings })
        } else {
            Err(Faults(self.faults))
        }
    }

    fn origin(&self, path: &[String]) -> Origin {
        self.origin_or(path, path)
    }

    /// Where a value came from; for a missing one, where its neighbours did.
    fn origin_or(&self, path: &[String], fallback: &[String]) -> Origin {
        let exact = self.settings.iter().find(|setting| setting.path == path);
        let near = || self.settings.iter().find(|setting| setting.path.starts_with(fallback));
        exact.or_else(near).map_or(Origin::Default, |setting| setting.origin.clone())
    }
}

/// The least that works, for people who have nothing yet.
pub const EXAMPLE: &str = r#"    [[apps]]
    alias = "orders"                        # the name callers use
    app_key = "dingxxxxxxxx"                # AppKey (Client ID) from DingTalk's developer console
    app_secret_file = "/run/secrets/orders" # a file with the AppSecret (Client Secret)
"#;

fn read_secret(app: &AppConfig) -> Result<Option<SecretString>, String> {
    let Some(file) = &app.app_secret_file else { return Ok(app.app_secret.clone()) };
    match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => Err(format!("{} is empty", file.display())),
        Ok(text) => Ok(Some(text.trim().into())),
        Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
    }
}

fn is_secret(path: &[String]) -> bool {
    path.last().is_some_and(|key| key == "app_secret")
}

/// Visits every value that is not a table; the tables of `[[apps]]` are numbered.
fn leaves(table: &Table, path: &mut Keys, visit: &mut impl FnMut(&Keys, &Value)) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            Value::Table(inner) => leaves(inner, path, visit),
            Value::Array(items) if key == "apps" && items.iter().all(Value::is_table) => {
                for (index, item) in items.iter().filter_map(Value::as_table).enumerate() {
                    path.push(index.to_string());
                    leaves(item, path, visit);
                    path.pop();
                }
            }
            value => visit(path, value),
        }
        path.pop();
    }
}

/// Where in the text the key of a value stands.
fn offset_of(table: &toml::de::DeTable<'_>, path: &[String]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    if rest.is_empty() {
        return Some(key.span().start);
    }
    match value.get_ref() {
        toml::de::DeValue::Table(inner) => offset_of(inner, rest),
        toml::de::DeValue::Array(items) => {
            let (index, rest) = rest.split_first()?;
            match items.get(index.parse::<usize>().ok()?)?.get_ref() {
                toml::de::DeValue::Table(inner) => offset_of(inner, rest),
                _ => None,
            }
        }
        _ => None,
    }
}

fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Some(inner) = inner.as_table_mut() {
                insert(inner, rest, value);
            }
        }
    }
}

impl fmt::Display for Loaded {
    /// Every value with its origin, secrets hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut settings: Vec<_> = self.settings.iter().collect();
        settings.sort_by_key(|setting| (setting.path[0] == "apps", setting.path.clone()));
        for setting in settings {
            let value =
                if is_secret(&setting.path) { "[redacted]".to_owned() } else { setting.value.to_string() };
            writeln!(f, "{} = {value}  # {}", setting.path.join("."), setting.origin)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
