//! What can go wrong between the gateway and DingTalk, told apart by what can be done about it.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    catalogue::{Retryable, Row},
    reason::Reason,
};
use crate::store::{Limit, Unavailable};

/// Whether DingTalk can have carried out the request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// Certainly not.
    No,
    /// Nobody can tell from here.
    Maybe,
}

/// A failed upstream call. Cloneable, because one token fetch can fail for a crowd.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// DingTalk answered with an error of its own.
    #[error("dingtalk answered {0}")]
    Api(Box<ApiError>),
    /// No connection could be made: nothing was sent.
    #[error("dingtalk cannot be reached: {0}")]
    Unreachable(String),
    /// The request went out and its answer did not come back whole.
    #[error("the answer of dingtalk was lost: {0}")]
    Lost(String),
    /// What came back is not an answer of DingTalk.
    #[error("the answer of dingtalk is unreadable: {what} (http status {status})")]
    Garbled {
        /// What was wrong with it.
        what: String,
        /// The HTTP status it came with.
        status: u16,
    },
    /// DingTalk bars this egress address.
    #[error("dingtalk bars the egress address of this gateway")]
    EgressBlocked {
        /// How long it lasts, as far as known.
        retry_after: Duration,
    },
    /// The caller's deadline passed.
    #[error("the deadline passed {}", match applied {
        Applied::No => "before anything was sent to dingtalk",
        Applied::Maybe => "while waiting for the answer of dingtalk",
    })]
    DeadlineExceeded {
        /// Whether the request was on its way.
        applied: Applied,
    },
    /// No access token could be had; the call itself was not sent.
    #[error("no access token: {cause}")]
    NoToken {
        /// Why the fetch failed.
        cause: Arc<Error>,
        /// When the next fetch is due.
        retry_after: Duration,
    },
    /// DingTalk refuses a token that it has just handed out.
    #[error("dingtalk rejects the access token that it issued")]
    TokenRejected,
    /// Our own limiter has no place for the call in time; nothing was sent.
    #[error("{}", match limit {
        Limit::Operation => "the app has used its calls of this second, and the wait does not fit",
        Limit::Platform => "dingtalk throttles this operation for everybody, and the wait does not fit",
        Limit::Month => "the app has used its calls of this month",
        Limit::Egress => "the calls from this egress address are used up, and the wait does not fit",
    })]
    RateLimited {
        /// What there is too little of.
        limit: Limit,
        /// When there is a place again, as far as known.
        retry_after: Duration,
    },
    /// Whether this was sent before cannot be told or recorded, so it was not sent.
    #[error(transparent)]
    Store(Unavailable),
    /// Another replica has taken over the request that this call belongs to; it was not sent.
    #[error("another replica of the gateway has taken over this request")]
    ClaimLost,
    /// The operation failed so often of late that nothing is sent for a moment.
    #[error("the operation failed so often of late that dingtalk is left alone for a moment")]
    CircuitOpen {
        /// When the next call may be let through.
        retry_after: Duration,
    },
    /// DingTalk refused the repeat of an attempt that it may have carried out.
    #[error("{last}, after an attempt whose answer was lost")]
    Unsettled {
        /// The refusal.
        last: Box<Error>,
    },
    /// The gateway could not build the request.
    #[error("the request could not be built: {0}")]
    Request(String),
}

/// An error answer of DingTalk, of either generation.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}{} with http status {status}", sub_code.as_deref().map(|s| format!("/{s}")).unwrap_or_default())]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// `code` or `errcode` in DingTalk's spelling; `-` where only the status speaks.
    pub code: String,
    /// `sub_code`, if there is one.
    pub sub_code: Option<String>,
    /// DingTalk's text, usually Chinese. For people only.
    pub message: String,
    /// DingTalk's id of the request.
    pub request_id: Option<String>,
    /// Permission points that are missing, where DingTalk names them.
    pub required_scopes: Vec<String>,
    /// `Retry-After`, should DingTalk ever send it.
    pub retry_after: Option<Duration>,
    /// What the catalogue knows of the code.
    pub row: Option<&'static Row>,
}

impl Error {
    /// Whether DingTalk can have carried out the request.
    pub fn applied(&self) -> Applied {
        match self {
            Error::Api(error) => error.applied(),
            Error::Lost(_) | Error::Garbled { .. } | Error::Unsettled { .. } => Applied::Maybe,
            Error::DeadlineExceeded { applied } => *applied,
            Error::Unreachable(_)
            | Error::EgressBlocked { .. }
            | Error::NoToken { .. }
            | Error::TokenRejected
            | Error::RateLimited { .. }
            | Error::Store(_)
            | Error::CircuitOpen { .. }
            | Error::ClaimLost
            | Error::Request(_) => Applied::No,
        }
    }

    /// What callers are told, the repeatability of the operation left aside.
    pub fn reason(&self) -> Reason {
        match self {
            Error::Api(error) => error.row.map_or(Reason::UpstreamUnmapped, |row| row.reason),
            Error::Unreachable(_) => Reason::UpstreamUnreachable,
            Error::Lost(_) => Reason::UpstreamBusy,
            Error::Garbled { .. } => Reason::UpstreamGarbled,
            Error::EgressBlocked { .. } => Reason::EgressIpBlocked,
            Error::DeadlineExceeded { .. } => Reason::DeadlineExceeded,
            Error::NoToken { cause, .. } => cause.reason(),
            Error::TokenRejected => Reason::AppCredentialsRejected,
            Error::RateLimited { limit, .. } => match limit {
                Limit::Operation => Reason::AppRateLimited,
                Limit::Platform => Reason::PlatformRateLimited,
                Limit::Month => Reason::MonthlyQuotaExhausted,
                Limit::Egress => Reason::EgressIpBlocked,
            },
            Error::Store(_) => Reason::StoreUnavailable,
            Error::CircuitOpen { .. } => Reason::CircuitOpen,
            Error::Unsettled { last } => last.reason(),
            Error::ClaimLost => Reason::DuplicateInProgress,
            Error::Request(_) => Reason::GatewayInternal,
        }
    }

    /// How long to wait before another attempt makes sense; none where waiting does not help or nobody knows.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Api(error) => error.retry_after.or_else(|| {
                let helps = error.row.is_some_and(|row| row.retryable == Retryable::AfterBackoff);
                helps.then_some(Duration::from_secs(1))
            }),
            Error::EgressBlocked { retry_after }
            | Error::NoToken { retry_after, .. }
            | Error::RateLimited { retry_after, .. }
            | Error::CircuitOpen { retry_after } => Some(*retry_after),
            Error::Unsettled { last } => last.retry_after(),
            Error::Unreachable(_)
            | Error::Lost(_)
            | Error::Garbled { .. }
            | Error::Store(_)
            | Error::ClaimLost => Some(Duration::from_secs(1)),
            Error::DeadlineExceeded { .. } | Error::TokenRejected | Error::Request(_) => None,
        }
    }

    /// The error answer of DingTalk behind this failure, if DingTalk spoke.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Error::Api(error) => Some(error),
            Error::NoToken { cause, .. } => cause.api(),
            Error::Unsettled { last } => last.api(),
            _ => None,
        }
    }

    /// Whether DingTalk refused the token of the request.
    pub(super) fn token_refused(&self) -> bool {
        let row = match self {
            Error::Api(error) => error.row,
            _ => None,
        };
        row.is_some_and(|row| row.retryable == Retryable::AfterTokenRefresh)
    }

    /// A short name of bounded variety, for spans and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Api(_) => match self.reason() {
                Reason::UpstreamUnmapped => "unmapped",
                Reason::UpstreamBusy => "busy",
                Reason::AppRateLimited | Reason::PlatformRateLimited | Reason::MonthlyQuotaExhausted => {
                    "throttled"
                }
                _ => "refused",
            },
            Error::Unreachable(_) => "unreachable",
            Error::Lost(_) => "lost",
            Error::Garbled { .. } => "garbled",
            Error::EgressBlocked { .. } => "egress_blocked",
            Error::DeadlineExceeded { .. } => "deadline",
            Error::NoToken { .. } => "no_token",
            Error::TokenRejected => "token_rejected",
            Error::RateLimited { .. } => "rate_limited",
            Error::Store(_) => "store",
            Error::CircuitOpen { .. } => "circuit_open",
            Error::Unsettled { .. } => "unsettled",
            Error::ClaimLost => "claim_lost",
            Error::Request(_) => "request",
        }
    }
}

impl ApiError {
    /// A refusal was not applied; a server error, a code nobody documented, may have been.
    fn applied(&self) -> Applied {
        match self.row {
            Some(row) => row.applied,
            None if (400..500).contains(&self.status) => Applied::No,
            None => Applied::Maybe,
        }
    }
}
