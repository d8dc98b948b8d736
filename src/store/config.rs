//! `[store]` of the configuration.

use std::{fs, path::PathBuf, time::Duration};

use redis::IntoConnectionInfo as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// `[store]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Where it is.
    pub kind: StoreKind,
    /// Where Redis is. There may be a password in it.
    pub url: SecretString,
    /// A file that holds the URL; white space around it is ignored. Empty: none.
    pub url_file: PathBuf,
    /// The authorities that may vouch for Redis, as PEM. Empty: those that the system trusts.
    pub ca_file: PathBuf,
    /// What the names of all keys begin with.
    pub prefix: String,
    /// How long a command may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The fewest replicas that shares are made for.
    pub replicas: u32,
    /// What happens without Redis.
    pub on_failure: OnFailure,
}

/// Where the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// In the process: for one replica.
    Memory,
    /// In Redis: for many.
    Redis,
}

/// What happens without Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Each replica goes on with its share of the budgets.
    Degrade,
    /// Nothing goes.
    Fail,
}

/// A path in the configuration, and what is wrong there.
type Fault = (&'static str, String);

impl StoreConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.prefix.is_empty()
            || self.prefix.contains(['{', '}'])
            || self.prefix.contains(char::is_whitespace)
        {
            faults.push(("store.prefix", "must be a word without braces".to_owned()));
        }
        if self.timeout.is_zero() {
            faults.push(("store.timeout", "must be longer than zero".to_owned()));
        }
        if self.replicas == 0 {
            faults.push(("store.replicas", "must be at least 1".to_owned()));
        }
        if self.kind == StoreKind::Redis {
            faults.extend(self.secret_url().err());
            faults.extend(self.authority().err());
        }
        faults
    }

    /// The URL, wherever it stands.
    pub(super) fn secret_url(&self) -> Result<SecretString, Fault> {
        let written = !self.url.expose_secret().is_empty();
        let filed = !self.url_file.as_os_str().is_empty();
        let (path, url) = match (written, filed) {
            (true, false) => ("store.url", self.url.clone()),
            (false, true) => {
                let unreadable = |error| ("store.url_file", format!("cannot be read: {error}"));
                ("store.url_file", fs::read_to_string(&self.url_file).map_err(unreadable)?.trim().into())
            }
            (true, true) => {
                return Err(("store.url_file", "is given beside url: keep one of them".to_owned()));
            }
            (false, false) => {
                return Err((
                    "store.url",
                    "is missing: store.kind = \"redis\" needs it, or url_file".to_owned(),
                ));
            }
        };
        // The fault does not quote the URL: there may be a password in it.
        let wrong = |_| {
            (
                path,
                "must be a URL such as \"redis://host:6379\" or \"rediss://user:password@host\"".to_owned(),
            )
        };
        url.expose_secret().into_connection_info().map_err(wrong)?;
        Ok(url)
    }

    /// The authorities of `ca_file`.
    pub(super) fn authority(&self) -> Result<Option<Vec<u8>>, Fault> {
        if self.ca_file.as_os_str().is_empty() {
            return Ok(None);
        }
        if !self.secret_url().is_ok_and(|url| url.expose_secret().starts_with("rediss://")) {
            return Err(("store.ca_file", "is of use with a rediss:// URL only".to_owned()));
        }
        fs::read(&self.ca_file)
            .map(Some)
            .map_err(|error| ("store.ca_file", format!("cannot be read: {error}")))
    }
}
