//! What people read of a configuration: where a value came from, and what is wrong with it. Never a secret.

use std::{fmt, path::PathBuf};

use toml::Value;

/// The keys from the root to a value; `["apps", alias, key]` for apps.
pub(super) type Keys = Vec<String>;

/// The keys of a dotted path.
pub(super) fn keys(path: &str) -> Keys {
    path.split('.').map(ToOwned::to_owned).collect()
}

/// Where a value came from, in the order in which faults are reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    File { file: PathBuf, line: Option<usize> },
    Environment { variable: String },
    CommandLine,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line: Some(line) } => write!(f, "{}:{line}", file.display()),
            Origin::File { file, line: None } => write!(f, "{}", file.display()),
            Origin::Environment { variable } => f.write_str(variable),
            Origin::CommandLine => f.write_str("command line"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) origin: Origin,
    /// Empty where the fault is not one of a value.
    pub(super) path: Keys,
    text: String,
}

impl Fault {
    pub(super) fn new(origin: Origin, path: Keys, text: &str) -> Self {
        Self { origin, path, text: without_passwords(text) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { String::new() } else { self.path.join(".") + ": " };
        // Keys and values are quoted from a file that may hold anything; a fault is one line all the same.
        let line = format!("{}: {path}{}", self.origin, self.text);
        line.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug)]
pub struct Faults(pub(super) Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} fault(s):", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// A value as it may be shown, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) path: Keys,
    pub(super) shown: String,
    pub(super) origin: Origin,
}

impl Setting {
    pub(super) fn new(path: Keys, value: &Value, origin: Origin) -> Self {
        // A password may hold anything, also what looks like the end of a URL's first part.
        let guarded = path.join(".") == "store.url" && value.as_str().is_some_and(|url| url.contains('@'));
        let secret = guarded || path.last().is_some_and(|key| key == SECRET);
        let shown = if secret { "[redacted]".to_owned() } else { without_passwords(&value.to_string()) };
        Self { path, shown, origin }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}  # {}", self.path.join("."), self.shown, self.origin)
    }
}

/// The key whose values are never shown.
pub(super) const SECRET: &str = "app_secret";

/// The text with `user:password@` taken out of its URLs.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let authority = part.find(['/', '?', '#', '"', '`', ' ']).unwrap_or(part.len());
        let host = part[..authority].rfind('@').map_or(0, |at| at + 1);
        shown += if host > 0 { "://[redacted]@" } else { "://" };
        shown += &part[host..];
    }
    shown
}
