//! How events are pushed: what DingTalk publishes, what it leaves open, and trouble to order.

use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};

/// How events are pushed. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushRules {
    /// How long a ticket for a connection is good.
    pub ticket_ms: u64,
    /// How often a connection gets a SYSTEM ping.
    pub ping_ms: u64,
    /// After a SYSTEM disconnect the connection is closed when nothing has come for so long.
    pub close_ms: u64,
    /// Who gets an event where an app has several connections.
    pub sharing: Sharing,
    /// How long an acknowledgement is waited for before an event is given up, after its last push.
    pub ack_ms: u64,
    /// How long after each push an event that is not acknowledged is pushed again. DingTalk publishes no numbers.
    pub redelivery_ms: Vec<u64>,
    /// What becomes of an event for an app without a connection.
    pub offline: Offline,
    /// Whether a push that is repeated has a `messageId` of its own.
    pub fresh_message_ids: bool,
    /// How long an event waits before it is pushed first.
    pub delay_ms: u64,
    /// And up to so much longer, by lot: events overtake each other.
    pub jitter_ms: u64,
    /// The share of pushes that come twice.
    pub duplicates: f64,
    /// How long an answer of a callback is waited for.
    pub callback_ms: u64,
    /// How long after each push by HTTP that was not answered as it has to be it is pushed again.
    pub callback_retries_ms: Vec<u64>,
    /// How long after the last attempt an event gets into the list of the failed.
    pub failed_ms: u64,
}

/// Who gets an event where an app has several connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// One of them, by lot.
    #[default]
    Shared,
    /// The newest: the others are sent away when it comes.
    NewestWins,
}

/// What becomes of an event for an app without a connection. DingTalk does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offline {
    /// As if it had been pushed and nobody had answered.
    #[default]
    Retry,
    /// It is lost.
    Drop,
    /// It waits for a connection.
    Keep,
}

/// How an HTTP callback spells the fields of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spelling {
    /// `EventType`, `EventTime`, `CorpId`, `BizId` and `eventId` around the lower camel case of Stream frames.
    #[default]
    Current,
    /// Upper camel case, times as strings, no event id.
    Older,
}

impl PushRules {
    /// How long an event waits before it is pushed first.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms + rand::rng().random_range(0..=self.jitter_ms))
    }

    /// The value that cannot be.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !(0.0..=1.0).contains(&self.duplicates) {
            return Some("duplicates: a share is between 0 and 1");
        }
        (self.ping_ms == 0).then_some("ping_ms: not 0")
    }
}

impl Default for PushRules {
    /// What DingTalk publishes or was seen to do; no trouble.
    fn default() -> Self {
        PushRules {
            ticket_ms: 90_000,
            ping_ms: 30_000,
            close_ms: 10_000,
            sharing: Sharing::Shared,
            ack_ms: 3_000,
            redelivery_ms: vec![16_000, 60_000],
            offline: Offline::Retry,
            fresh_message_ids: false,
            delay_ms: 0,
            jitter_ms: 0,
            duplicates: 0.0,
            callback_ms: 2_500,
            callback_retries_ms: vec![10_000, 30_000],
            failed_ms: 180_000,
        }
    }
}
