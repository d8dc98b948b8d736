//! Takes one value after the other over the defaults, so that each fault has its place and hides no other.

use std::{collections::BTreeMap, ffi::OsStr, fs, path::Path, time::Duration};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Config, DEFAULTS, LISTS, List, OTEL, PREFIX, file,
    report::{Fault, Keys, Origin, SECRET, Setting, keys},
};
use crate::{dingtalk::app::AppConfig, identity::CallerConfig};

/// What humantime can express beyond this, a clock cannot.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The configuration so far, which is always a whole one.
pub(super) struct Loader {
    values: Table,
    pub(super) config: Config,
    pub(super) apps: BTreeMap<String, Draft>,
    /// Where each table of a list was first mentioned, apps aside.
    pub(super) announced: BTreeMap<Keys, Origin>,
    pub(super) settings: BTreeMap<Keys, Setting>,
    pub(super) faults: Vec<Fault>,
}

/// An app so far, which may still miss something.
#[derive(Clone)]
pub(super) struct Draft {
    table: Table,
    pub(super) config: AppConfig,
    /// Where it was first mentioned.
    pub(super) origin: Origin,
}

impl Default for Loader {
    fn default() -> Self {
        let values: Table = DEFAULTS.parse().expect("config/default.toml is checked by the tests");
        let config =
            Config::deserialize(values.clone()).expect("config/default.toml is checked by the tests");
        let entries = file::entries(DEFAULTS).expect("config/default.toml is checked by the tests");
        let settings = entries
            .into_iter()
            .map(|entry| (entry.path.clone(), Setting::new(entry.path, &entry.value, Origin::Default)));
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
                    self.settings.insert(path.clone(), Setting::new(path, value, origin));
                    return;
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
            // By itself, like an app: there may be thousands.
            [auth, callers, name, key @ ..] if auth == "auth" && callers == "callers" => {
                let known = self.values["auth"].get("callers").and_then(|callers| callers.get(name));
                let mut caller = known.and_then(Value::as_table).cloned().unwrap_or_default();
                insert(&mut caller, key, value)?;
                let caller = CallerConfig::deserialize(caller).map_err(|error| readable(&error))?;
                insert(&mut self.values, path, value)?;
                self.config.auth.callers.insert(name.clone(), caller);
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

    pub(super) fn fault(&mut self, origin: Origin, path: Keys, text: String) {
        self.faults.push(Fault::new(origin, path, &text));
    }

    pub(super) fn refused(&self, path: &[String]) -> bool {
        self.faults.iter().any(|fault| fault.path == path)
    }
}

/// Whether a path is that of a list, or of a table of one.
fn is_list(path: &[String]) -> bool {
    super::list(path).is_some() || path.split_last().is_some_and(|(_, list)| super::list(list).is_some())
}

/// The path of the table of this list that a path leads into, or to.
pub(super) fn table_of<'a>(list: &List, path: &'a [String]) -> Option<&'a [String]> {
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
