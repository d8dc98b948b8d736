//! Events that DingTalk posts to us over HTTP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tracing::warn;

use self::crypto::{Crypto, Refused, Sealed};
use super::{
    Feed, now,
    payload::{self, Cover},
};
use crate::metrics::Rejection;

pub mod crypto;
mod recovery;

pub use self::recovery::{Pace, Recovery};

/// No push is longer; one of a thousand people is about 64 KiB.
pub const BODY_MAX: usize = 512 * 1024;
/// A push is taken for this long after it was signed, and before, as clocks differ. DingTalk repeats it within a minute.
/// Who replays one later than that is refused; who does so earlier finds its event in the log already.
const WINDOW: Duration = Duration::from_secs(600);
/// What DingTalk posts to find out whether somebody is there.
const CHECKS: [&str; 3] = ["check_url", "check_create_suite_url", "check_update_suite_url"];
/// The word that DingTalk wants to read.
const SUCCESS: &[u8] = b"success";

/// The callbacks of all apps. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Callbacks {
    apps: Arc<BTreeMap<String, Crypto>>,
    feed: Feed,
}

/// The parameters in the address of a push: the documents give some of them one name or the other, and real pushes have
/// been seen with both.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    signature: Option<String>,
    msg_signature: Option<String>,
    timestamp: Option<String>,
    #[serde(rename = "timeStamp")]
    time_stamp: Option<String>,
    nonce: String,
}

/// The answer that DingTalk takes for a yes. The spelling of the names matters.
#[derive(Debug, Clone, Serialize)]
pub struct Reply {
    /// Over the rest.
    pub msg_signature: String,
    /// Of the answer.
    #[serde(rename = "timeStamp")]
    pub timestamp: String,
    /// Of the answer.
    pub nonce: String,
    /// The word.
    pub encrypt: String,
}

/// Why a push is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// No callbacks are configured for the name in the path.
    #[error("no callbacks are configured under this name")]
    UnknownApp,
    /// It is not what DingTalk posts.
    #[error("not a callback of dingtalk: {0}")]
    Malformed(&'static str),
    /// It was signed too long ago, or is from the future.
    #[error("the timestamp is not of these minutes: are the clocks right?")]
    Stale,
    /// Somebody else sent it, or a secret differs.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be kept now; DingTalk is to post it again.
    #[error("the event cannot be kept now")]
    NotKept,
}

impl Callbacks {
    /// The callbacks of these apps, by alias.
    pub fn new(apps: BTreeMap<String, Crypto>, feed: Feed) -> Self {
        Self { apps: Arc::new(apps), feed }
    }

    /// Takes a push. The answer is given when its event is kept, and not before.
    pub async fn take(&self, app: &str, query: Query, body: &[u8]) -> Result<Reply, Rejected> {
        let Some(crypto) = self.apps.get(app) else {
            self.refuse();
            return Err(Rejected::UnknownApp);
        };
        let outcome = self.open(app, crypto, query, body).await;
        if let Err(rejected) = &outcome {
            warn!(app, error = %rejected, "a callback is rejected");
            if !matches!(rejected, Rejected::NotKept) {
                self.refuse();
            }
        }
        let owner = outcome?;
        let (timestamp, nonce) = (now().to_string(), uuid::Uuid::new_v4().simple().to_string());
        let sealed = crypto.seal((SUCCESS, owner), &timestamp, &nonce, rand::random());
        Ok(Reply {
            msg_signature: sealed.signature,
            timestamp: sealed.timestamp,
            nonce: sealed.nonce,
            encrypt: sealed.encrypt,
        })
    }

    /// Counts one that DingTalk did not send. Nothing is logged of what its sender chose.
    pub fn refuse(&self) {
        self.feed.metrics().rejected(Rejection::Callback);
    }

    /// For whom the message was, when it is kept.
    async fn open<'c>(
        &self,
        app: &str,
        crypto: &'c Crypto,
        query: Query,
        body: &[u8],
    ) -> Result<&'c str, Rejected> {
        let sealed = Sealed {
            signature: query.signature.or(query.msg_signature).unwrap_or_default(),
            timestamp: query.timestamp.or(query.time_stamp).unwrap_or_default(),
            nonce: query.nonce,
            encrypt: encrypted(body)?,
        };
        let (message, owner) = crypto.open(&sealed)?;
        if !is_recent(&sealed.timestamp, now()) {
            return Err(Rejected::Stale);
        }
        let text =
            std::str::from_utf8(&message).map_err(|_| Rejected::Malformed("the message is not UTF-8"))?;
        let event = payload::read(Cover::default(), text)
            .map_err(|_| Rejected::Malformed("the message has no type of event"))?;
        if CHECKS.contains(&event.type_name.as_str()) {
            return Ok(owner);
        }
        // Every replica takes callbacks, whoever the load balancer chooses: no fence.
        self.feed.accept(app, None, vec![event]).await.map(|_| owner).map_err(|error| {
            warn!(app, %error, "an event cannot be kept");
            Rejected::NotKept
        })
    }
}

fn encrypted(body: &[u8]) -> Result<String, Rejected> {
    #[derive(Deserialize)]
    struct Body {
        encrypt: String,
    }
    let body: Result<Body, _> = serde_json::from_slice(body);
    body.map(|body| body.encrypt).map_err(|_| Rejected::Malformed("the body is no JSON with encrypt"))
}

/// DingTalk has been seen to write seconds and milliseconds.
fn is_recent(timestamp: &str, now: u64) -> bool {
    const FIRST_MILLIS: u64 = 100_000_000_000;
    let Ok(stated) = timestamp.parse::<u64>() else { return false };
    let millis = if stated < FIRST_MILLIS { stated * 1000 } else { stated };
    u128::from(millis.abs_diff(now)) <= WINDOW.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_of_these_minutes_in_either_unit() {
        let now = 1_760_000_000_000;
        for (timestamp, expected) in [
            ("1760000000000", true),
            ("1760000000", true),
            ("1759999400000", true),
            ("1759999399999", false),
            ("1760000600001", false),
            ("0", false),
            ("", false),
            ("-1", false),
            ("99999999999999999999", false),
        ] {
            assert_eq!(is_recent(timestamp, now), expected, "{timestamp}");
        }
    }

    #[test]
    fn parameters_go_by_either_name_or_both() {
        for text in [
            "signature=s&timestamp=1&nonce=n",
            "msg_signature=s&timeStamp=1&nonce=n",
            "msg_signature=s&signature=s&timestamp=1&timeStamp=1&nonce=n",
        ] {
            let query: Query = serde_urlencoded::from_str(text).unwrap();
            let signature = query.signature.or(query.msg_signature);
            let timestamp = query.timestamp.or(query.time_stamp);
            assert_eq!((signature.as_deref(), timestamp.as_deref()), (Some("s"), Some("1")), "{text}");
        }
    }
}
