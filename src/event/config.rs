//! `[events]` of the configuration.

use std::time::Duration;

use serde::Deserialize;

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

impl EventsConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |path, text: &str| faults.push((path, text.to_owned()));
        if self.retention.is_zero() {
            fault("events.retention", "must be longer than zero");
        }
        if self.retention_count == 0 {
            fault("events.retention_count", "must be at least 1");
        }
        if self.max_watchers == 0 {
            fault("events.max_watchers", "must be at least 1");
        }
        faults
    }

    /// What is kept of each log.
    pub(super) fn keep(&self) -> Retention {
        Retention { time: self.retention, count: self.retention_count }
    }
}
