//! Takes one value after the other over the defaults, so that each fault has its place and hides no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::Path,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    APP_DEFAULTS, Config, DEFAULTS, LISTS, List, Loaded, OTEL, PREFIX, file,
    report::{Fault, Faults, Keys, Origin, SECRET, Setting, keys},
};
use crate::{
    dingtalk::{App, app::AppConfig},
    operation::{self, chunks},
};

/// What humantime can express beyond this, a clock cannot.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
const SECRET_FILE: &str = "app_secret_file";

/// The configuration so far, which is always a whole one.
pub(super) struct Loader {
    values: Table,
    config: Config,
    pub(super) apps: BTreeMap<String, Draft>,
    /// Where each table of a list was first mentioned, apps aside.
    announced: BTreeMap<Keys, Origin>,
    settings: Vec<Setting>,
    faults: Vec<Fault>,
}

/// An app so far, which may still miss something.
#[derive(Clone)]
pub(super) struct Draft {
    table: Table,
    pub(super) config: AppConfig,
    /// Where it was first mentioned.
    origin: Origin,
}

impl Default for Loader {
    fn default() -> Self {
        let values: Table = DEFAULTS.parse().expect("config/default.toml is checked by the tests");
        let config =
            Config::deserialize(values.clone()).expect("config/default.toml is checked by the tests");
        let entries = file::entries(DEFAULTS).expect("config/default.toml is checked by the tests");
        let settings =
            entries.into_iter().map(|entry| Setting::new(entry.path, &entry.value, Origin::Default));
        let settings = settings.collect();
        Self {
            values,
            config,
            apps: BTreeMap::new(),
            announced: BTreeMap::new(),
            settings,
            faults: Vec::new(),
        }
    }
}

impl Loader {
    /// Takes the values of a file.
    pub(super) fn file(&mut self, file: &Path) {
        let place = |line| Origin::File { file: file.to_owned(), line };
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return self.fault(place(None), Keys::new(), format!("cannot be read: {error}")),
        };
        match file::entries(&text) {
            Ok(entries) => entries
                .into_iter()
                .for_each(|entry| self.set(entry.path, &[entry.value], place(Some(entry.line)))),
            Err((line, text)) => self.fault(place(Some(line)), Keys::new(), format!("not TOML: {text}")),
        }
    }

    /// Takes the value of a variable: as a string where the key wants one, otherwise as a TOML value; a table only
    /// where it is a value of an app, not a section, and a list only below auth.
    pub(super) fn variable(&mut self, variable: &str, value: &OsStr) {
        let standard = OTEL.iter().find(|(name, ..)| *name == variable);
        let unit = standard.map_or("", |(.., unit)| unit);
        let own =
            variable.strip_prefix(PREFIX).map(|rest| rest.split("__").map(str::to_ascii_lowercase).collect());
        let Some(mut path) = standard.map(|(_, path, _)| keys(path)).or(own) else { return };
        let origin = Origin::Environment { variable: variable.to_owned() };
        let Some(text) = value.to_str() else {
            return self.fault(origin, path, "is not UTF-8".to_owned());
        };
        if let [list @ .., name, _] = &mut path[..]
            && super::list(list).is_some()
        {
            match self.name_of_variable(list, name) {
                Ok(known) => *name = known,
                Err(text) => return self.fault(origin, path, text),
            }
        }
        let mut candidates = vec![Value::String(format!("{text}{unit}"))];
        let (of_app, of_auth) = (path.len() == 3 && path[0] == "apps", path[0] == "auth");
        let fits = |value: &Value| {
            (of_app || !value.is_table()) && (of_auth || !value.is_array()) && !value.is_str()
        };
        candidates.extend(text.parse().ok().filter(fits));
        self.set(path, &candidates, origin);
    }

    /// Variables name an app by its alias and a caller by its name, in which they cannot spell a dash.
    fn name_of_variable(&self, list: &[String], name: &str) -> Result<String, String> {
        let callers =
            self.announced.keys().filter(|path| path.split_last().is_some_and(|(_, of)| of == list));
        let callers = callers.filter_map(|path| path.last());
        if list == ["auth", "jwt"] {
            return Ok(format!("#{}", name.trim_start_matches('#')));
        }
        let of_apps = list == ["apps"];
        let names = self.apps.keys().filter(|_| of_apps).chain(callers);
        let meant: Vec<_> = names.filter(|known| known.replace(['-', '.'], "_") == name).collect();
        let what = if of_apps { "app" } else { "caller" };
        match &meant[..] {
            [] => Ok(name.to_owned()),
            [one] => Ok((*one).clone()),
            [one, other, ..] => Err(format!("may mean {what} {one} or {what} {other}: set it in the file")),
        }
    }

    /// Takes the first of the values that fits. If none does, the fault of the last one is reported.
    pub(super) fn set(&mut self, path: Keys, candidates: &[Value], origin: Origin) {
        let mut text = String::new();
        if let Some(table) = LISTS[1..].iter().find_map(|list| table_of(list, &path)) {
            self.announced.entry(table.to_vec()).or_insert_with(|| origin.clone());
        }
        for value in candidates {
            match self.attempt(&path, value, &origin) {
                // A section, or the announcement of an app or caller: what it holds comes on its own.
                Ok(()) if value.is_table() && (path.len() < 3 || self.announced.contains_key(&path)) => {
                    return;
                }
                Ok(()) => {
                    self.settings.retain(|other| other.path != path);
                    return self.settings.push(Setting::new(path, value, origin));
                }
                Err(fault) => text = fault,
            }
        }
        self.fault(origin, path, text);
    }

    /// Puts the value over what is there, if the whole still makes a configuration.
    fn attempt(&mut self, path: &[String], value: &Value, origin: &Origin) -> Result<(), String> {
        match path {
            [apps, name] if apps == "apps" && value.is_table() => {
                let app = self.app(name, origin);
                self.apps.insert(name.clone(), app);
            }
            [apps, name, key] if apps == "apps" => {
                let mut app = self.app(name, origin);
                app.table.insert(key.clone(), value.clone());
                app.config = AppConfig::deserialize(app.table.clone()).map_err(|error| {
                    if key == SECRET { "must be a string".to_owned() } else { readable(&error) }
                })?;
                self.apps.insert(name.clone(), app);
            }
            [apps, ..] if apps == "apps" => {
                return Err(
                    "must be tables: [[apps]] in a file, DINGGATE__APPS__<ALIAS>__<KEY> in the environment"
                        .into(),
                );
            }
            [auth, list] | [auth, list, _] if auth == "auth" && is_list(path) && !value.is_table() => {
                return Err(format!(
                    "must be tables: [[auth.{list}]] in a file, DINGGATE__AUTH__{}__... in the environment",
                    list.to_ascii_uppercase()
                ));
            }
            _ => {
                let mut values = self.values.clone();
                insert(&mut values, path, value)?;
                if self.is_duration(path) && duration(value).is_some_and(|value| value > LONGEST) {
                    return Err("must be at most 365 days".to_owned());
                }
                self.config = Config::deserialize(values.clone()).map_err(|error| {
                    let known = self.values.contains_key(&path[0]);
                    readable(&error) + if known { "" } else { " or [[apps]]" }
                })?;
                self.values = values;
            }
        }
        Ok(())
    }

    /// A key that has a duration by default takes nothing else.
    fn is_duration(&self, path: &[String]) -> bool {
        let (first, rest) = path.split_first().expect("a value has a key");
        let default = self.values.get(first);
        rest.iter().fold(default, |value, key| value?.get(key)).and_then(duration).is_some()
    }

    /// The app of this name so far. A new one has it as its alias, unless it is only its place in a file.
    fn app(&self, name: &str, origin: &Origin) -> Draft {
        self.apps.get(name).cloned().unwrap_or_else(|| {
            let alias = if name.starts_with('#') { "" } else { name }.to_owned();
            let table = Table::from_iter([("alias".to_owned(), Value::String(alias.clone()))]);
            Draft { table, config: AppConfig { alias, ..AppConfig::default() }, origin: origin.clone() }
        })
    }

    /// Looks at the whole, reads the secrets, and ends with a configuration or with everything that is wrong with it.
    pub(super) fn finish(mut self) -> Result<Loaded, Faults> {
        if self.refused(&[]) {
            // Of a file that says nothing, nothing follows.
            return Err(Faults(self.faults));
        }
        let Config {
            server,
            auth,
            dingtalk,
            limits,
            token,
            retry,
            breaker,
            cache,
            store,
            events,
            telemetry,
            ..
        } = &self.config;
        let faults = [
            server.faults(auth),
            dingtalk.faults(),
            limits.faults(),
            token.faults(),
            retry.faults(),
            breaker.faults(),
            cache.faults(),
            store.faults(),
            telemetry.faults(),
        ];
        let aliases = self.apps.values().map(|app| app.config.alias.as_str()).collect();
        let (of_auth, of_events) = (auth.faults(&aliases), events.faults(&aliases));
        for (path, text) in faults.into_iter().flatten() {
            self.consequence(keys(path), &Origin::Default, text);
        }
        for (path, text) in of_auth {
            let missing = LISTS.iter().find_map(|list| self.announced.get(table_of(list, &path)?));
            let missing = missing.cloned().unwrap_or(Origin::Default);
            self.consequence(path, &missing, text);
        }
        for (path, text) in of_events {
            self.consequence(keys(&path), &Origin::Default, text);
        }
        let apps = self.finish_apps();
        if self.faults.is_empty() {
            let warnings = self.config.server.tls.warnings().into_iter().map(|(path, text)| {
                let path = keys(path);
                Fault::new(self.origin(&path, &Origin::Default), path, &text)
            });
            let warnings = warnings.collect();
            self.settings.sort_by_key(|setting| (setting.path[0] == "apps", setting.path.clone()));
            return Ok(Loaded { config: self.config, apps, settings: self.settings, warnings });
        }
        self.faults.sort_by(|one, other| one.origin.cmp(&other.origin));
        Err(Faults(self.faults))
    }

    fn finish_apps(&mut self) -> Vec<App> {
        let mut entries: Vec<_> = std::mem::take(&mut self.apps).into_iter().collect();
        // The second of two with the same alias is known by its place, and has the fault.
        entries.sort_by_key(|(name, _)| name.starts_with('#'));
        let (mut apps, mut aliases) = (Vec::new(), BTreeSet::new());
        for (name, Draft { config, origin, .. }) in entries {
            let path = |key: &str| vec!["apps".to_owned(), name.clone(), key.to_owned()];
            let mut faults = config.faults();
            faults.extend(chunks::fault(&config.chunk_sizes).map(|text| ("chunk_sizes", text)));
            faults
                .extend(operation::unknown(config.limits.per_second_of.keys()).map(|text| ("limits", text)));
            let secret = secret(&config).map_err(|fault| faults.push(fault));
            if !aliases.insert(config.alias.clone()) && !config.alias.is_empty() {
                faults.push(("alias", "is another app's alias already".to_owned()));
            }
            if self.refused(&path(SECRET)) {
                // It is there, if not as it should be.
                faults.retain(|(key, _)| *key != SECRET_FILE);
            }
            if let (Ok(Some(secret)), true) = (secret, faults.is_empty()) {
                apps.push(App::new(&config, secret));
            }
            for (key, text) in faults {
                self.consequence(path(key), &origin, text);
            }
            for (key, value) in APP_DEFAULTS {
                if self.settings.iter().all(|setting| setting.path != path(key)) {
                    self.settings.push(Setting::new(path(key), &Value::from(value), Origin::Default));
                }
            }
        }
        if aliases.is_empty()
            && !self.faults.iter().any(|fault| fault.path.first().is_some_and(|key| key == "apps"))
        {
            let text =
                "there is none: at least one [[apps]] with alias, app_key and app_secret_file is needed";
            self.consequence(keys("apps"), &Origin::Default, text.to_owned());
        }
        apps
    }

    fn fault(&mut self, origin: Origin, path: Keys, text: String) {
        self.faults.push(Fault::new(origin, path, &text));
    }

    fn refused(&self, path: &[String]) -> bool {
        self.faults.iter().any(|fault| fault.path == path)
    }

    /// A fault of the whole, reported where the value came from, or else where it is missing. Nothing follows from a
    /// value that has been refused.
    fn consequence(&mut self, path: Keys, missing: &Origin, text: String) {
        if self.refused(&path) {
            return;
        }
        self.fault(self.origin(&path, missing), path, text);
    }

    /// Where a value came from, or else where it is missing.
    fn origin(&self, path: &[String], missing: &Origin) -> Origin {
        let setting = self.settings.iter().find(|setting| setting.path == path);
        setting.map_or(missing, |setting| &setting.origin).clone()
    }
}

/// The secret of an app, if it has one. White space around it is ignored: files end with a new line.
pub(super) fn secret(app: &AppConfig) -> Result<Option<SecretString>, (&'static str, String)> {
    let (key, text) = match (&app.app_secret, &app.app_secret_file) {
        (Some(secret), _) => (SECRET, secret.expose_secret().to_owned()),
        (None, Some(file)) => {
            let unreadable = |error| (SECRET_FILE, format!("{} cannot be read: {error}", file.display()));
            (SECRET_FILE, fs::read_to_string(file).map_err(unreadable)?)
        }
        (None, None) => return Ok(None),
    };
    if text.trim().is_empty() { Err((key, "is empty".to_owned())) } else { Ok(Some(text.trim().into())) }
}

/// Whether a path is that of a list, or of a table of one.
fn is_list(path: &[String]) -> bool {
    super::list(path).is_some() || path.split_last().is_some_and(|(_, list)| super::list(list).is_some())
}

/// The path of the table of this list that a path leads into, or to.
fn table_of<'a>(list: &List, path: &'a [String]) -> Option<&'a [String]> {
    path.get(..=list.path.len()).filter(|table| table[..list.path.len()] == *list.path)
}

fn duration(value: &Value) -> Option<Duration> {
    humantime::parse_duration(value.as_str()?).ok()
}

/// Puts a value at its path. A section may be opened again, but not replaced.
fn insert(table: &mut Table, path: &[String], value: &Value) -> Result<(), String> {
    let [key, rest @ ..] = path else { return Ok(()) };
    match (table.get_mut(key), rest) {
        (Some(Value::Table(section)), [_, ..]) => insert(section, rest, value)?,
        (Some(Value::Table(_)), []) if value.is_table() => {}
        (Some(Value::Table(_)), []) => return Err("is a section, not a value".to_owned()),
        (_, []) => {
            table.insert(key.clone(), value.clone());
        }
        (_, [_, ..]) => {
            let mut section = Table::new();
            insert(&mut section, rest, value)?;
            table.insert(key.clone(), Value::Table(section));
        }
    }
    Ok(())
}

/// The endings of serde's messages, and what they mean to people who write a configuration.
const ALLOWED: &[(&str, &str)] = &[
    ("expected socket address", ADDRESS),
    ("invalid socket address syntax", ADDRESS),
    ("expected a duration", r#"must be a duration, such as "500ms", "10s" or "2m""#),
    ("expected parsable string", SIZE),
    ("expected integer overflow", SIZE),
    ("expected u32", "must be a whole number, 0 or more"),
    ("expected usize", "must be a whole number, 0 or more"),
    ("expected f64", "must be a number"),
    ("expected a sequence", r#"must be a list, such as ["one", "two"]"#),
    ("expected a map", r#"must be a table, such as { "group.update" = 20 }"#),
    ("expected a boolean", "must be true or false"),
    ("expected a string", "must be a string"),
    ("expected path string", "must be a string"),
    ("expected string only", "must be a string"),
];
const ADDRESS: &str = r#"must be an IP address and a port, such as "127.0.0.1:50051""#;
const SIZE: &str = r#"must be a size, such as "4MiB""#;

/// What is allowed instead.
fn readable(error: &toml::de::Error) -> String {
    let message = error.message();
    let allowed = ALLOWED.iter().find(|(ending, _)| message.ends_with(ending)).map(|(_, allowed)| *allowed);
    let named = || {
        message.replacen("unknown field", "unknown key", 1).replacen("unknown variant", "unknown value", 1)
    };
    allowed.map_or_else(named, ToOwned::to_owned)
}
