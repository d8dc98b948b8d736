//! Looks at the configuration as a whole, once all values have been taken.

use std::{collections::BTreeSet, fs};

use secrecy::{ExposeSecret, SecretString};
use toml::Value;

use super::{
    APP_DEFAULTS, LISTS, Loaded,
    load::{Draft, Loader, table_of},
    report::{Fault, Faults, Keys, Origin, SECRET, Setting, keys},
};
use crate::{
    dingtalk::{App, app::AppConfig},
    operation::{self, chunks},
};

const SECRET_FILE: &str = "app_secret_file";

impl Loader {
    /// Looks at the whole, reads the secrets, and ends with a configuration or with everything that is wrong with it.
    pub(super) fn finish(mut self) -> Result<Loaded, Faults> {
        if self.refused(&[]) {
            // Of a file that says nothing, nothing follows.
            return Err(Faults(self.faults));
        }
        let config = &self.config;
        let faults = [
            config.server.faults(&config.auth),
            config.dingtalk.faults(),
            config.limits.faults(),
            config.token.faults(),
            config.retry.faults(),
            config.breaker.faults(),
            config.cache.faults(),
            config.store.faults(),
            config.telemetry.faults(),
        ];
        let aliases = self.apps.values().map(|app| app.config.alias.as_str()).collect();
        let (of_auth, of_events) = (config.auth.faults(&aliases), config.events.faults(&aliases));
        let of_shares = config.limits.share_faults(!config.auth.mode.is_none());
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
        for (caller, text) in of_shares {
            let path = ["limits".to_owned(), "shares".to_owned(), caller];
            self.consequence(path.to_vec(), &Origin::Default, text);
        }
        let apps = self.finish_apps();
        if self.faults.is_empty() {
            let warnings = self.config.server.tls.warnings().into_iter().map(|(path, text)| {
                let path = keys(path);
                Fault::new(self.origin(&path, &Origin::Default), path, &text)
            });
            let warnings = warnings.collect();
            let mut settings: Vec<_> = self.settings.into_values().collect();
            settings.sort_by_key(|setting| setting.path[0] == "apps");
            return Ok(Loaded { config: self.config, apps, settings, warnings });
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
                let default = || Setting::new(path(key), &Value::from(value), Origin::Default);
                self.settings.entry(path(key)).or_insert_with(default);
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
        let setting = self.settings.get(path);
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
