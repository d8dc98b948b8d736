//! `[events]` of the configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use secrecy::SecretString;
use serde::Deserialize;

use super::callback::crypto::Crypto;
use crate::store::Retention;

/// `[events]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsConfig {
    /// How DingTalk pushes.
    pub mode: Mode,
    /// How long events are kept.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// And how many of each app.
    pub retention_count: usize,
    /// Watchers of one replica at the same time.
    pub max_watchers: usize,
    /// Where pushes by HTTP are taken, an address; empty: on the HTTP port.
    pub callback_addr: String,
    /// The secrets of pushes by HTTP, by alias of the app.
    #[serde(default)]
    pub callback: BTreeMap<String, CallbackConfig>,
}

/// `[events.callback.ALIAS]` of the configuration: what DingTalk's console shows of an app's HTTP push.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackConfig {
    /// A file that holds the token; white space around it is ignored.
    pub token_file: PathBuf,
    /// A file that holds the aes_key.
    pub aes_key_file: PathBuf,
    /// For whom messages may be: the app key, the corp id.
    pub owner_keys: Vec<String>,
}

impl CallbackConfig {
    /// Reads the files. A fault has the key it is about.
    fn crypto(&self) -> Result<Crypto, (&'static str, String)> {
        if self.owner_keys.is_empty() {
            return Err(("owner_keys", "must name the app key or the corp id".to_owned()));
        }
        let read = |key, file: &PathBuf| {
            if file.as_os_str().is_empty() {
                return Err((key, "is required".to_owned()));
            }
            let text = fs::read_to_string(file);
            let text = text.map_err(|error| (key, format!("{} cannot be read: {error}", file.display())))?;
            Ok(SecretString::from(text.trim()))
        };
        let (token, aes_key) =
            (read("token_file", &self.token_file)?, read("aes_key_file", &self.aes_key_file)?);
        let crypto = Crypto::new(token, &aes_key, self.owner_keys.clone());
        crypto.map_err(|fault| ("aes_key_file", format!("what it holds {fault}")))
    }
}

/// How DingTalk pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not at all.
    Off,
    /// Over a connection that the gateway opens.
    Stream,
    /// By calls to the gateway.
    Callback,
    /// Both ways.
    Both,
}

impl Mode {
    /// Whether the gateway opens connections.
    pub fn has_stream(self) -> bool {
        matches!(self, Self::Stream | Self::Both)
    }

    /// Whether the gateway is called.
    pub fn has_callbacks(self) -> bool {
        matches!(self, Self::Callback | Self::Both)
    }
}

impl EventsConfig {
    /// What keeps this from being used by apps of these aliases, as (path, fault).
    pub fn faults(&self, aliases: &BTreeSet<&str>) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault = |path: &str, text: &str| faults.push((path.to_owned(), text.to_owned()));
        if self.retention.is_zero() {
            fault("events.retention", "must be longer than zero");
        }
        if self.retention_count == 0 {
            fault("events.retention_count", "must be at least 1");
        }
        if self.max_watchers == 0 {
            fault("events.max_watchers", "must be at least 1");
        }
        if !self.callback_addr.is_empty() && self.callback_addr().is_none() {
            fault("events.callback_addr", "must be an address such as \"0.0.0.0:8443\", or empty");
        }
        if self.mode.has_callbacks() && self.callback.is_empty() {
            fault("events.mode", "takes callbacks, and no [events.callback.ALIAS] has their secrets");
        }
        for (alias, config) in &self.callback {
            let path = |key| format!("events.callback.{alias}.{key}");
            if !aliases.contains(alias.as_str()) {
                fault(&format!("events.callback.{alias}"), "is not the alias of an app");
            }
            if let Err((key, text)) = config.crypto() {
                fault(&path(key), &text);
            }
        }
        faults
    }

    /// Where pushes by HTTP are taken, if not on the HTTP port.
    pub fn callback_addr(&self) -> Option<SocketAddr> {
        self.callback_addr.parse().ok()
    }

    /// Reads the secrets of pushes by HTTP, by alias; empty where there are to be none.
    pub fn callbacks(&self) -> Result<BTreeMap<String, Crypto>, String> {
        let wanted = self.callback.iter().filter(|_| self.mode.has_callbacks());
        let read = |(alias, config): (&String, &CallbackConfig)| match config.crypto() {
            Ok(crypto) => Ok((alias.clone(), crypto)),
            Err((key, text)) => Err(format!("events.callback.{alias}.{key}: {text}")),
        };
        wanted.map(read).collect()
    }

    /// What is kept of each log.
    pub(super) fn keep(&self) -> Retention {
        Retention { time: self.retention, count: self.retention_count }
    }
}
