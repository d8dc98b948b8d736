//! Where an app is pushed to by HTTP, and one request there.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::Deserialize;
use serde_json::json;

use super::envelope::Envelope;
use super::rules::Spelling;

/// More than any answer that is right.
const MAX_ANSWER: usize = 64 << 10;

/// The client of all callbacks.
pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

/// Where an app is pushed to by HTTP, as set up in the developer console.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// Where to; without TLS.
    pub url: String,
    /// Signs both ways.
    pub token: String,
    /// 43 letters and digits.
    pub aes_key: String,
    /// Whom messages say they are for: the app key, as a rule; the organization, where an app registered itself.
    pub owner_key: String,
    /// Which query parameters have the signature.
    #[serde(default)]
    pub signature: SignatureParameter,
    /// Which query parameter has the time.
    #[serde(default)]
    pub timestamp: TimestampParameter,
    /// How events are spelt.
    #[serde(default)]
    pub spelling: Spelling,
}

/// Which query parameters have the signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureParameter {
    /// `signature` and `msg_signature`, as was seen of DingTalk.
    #[default]
    Both,
    /// `signature`.
    Signature,
    /// `msg_signature`.
    MsgSignature,
}

/// Which query parameter has the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum TimestampParameter {
    /// `timestamp`.
    #[default]
    #[serde(rename = "timestamp")]
    Lower,
    /// `timeStamp`.
    #[serde(rename = "timeStamp")]
    Camel,
}

/// A request to a callback, ready to be sent, or spoilt first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRequest {
    /// With the query.
    pub url: String,
    /// JSON with the envelope.
    pub body: String,
}

/// Why a push by HTTP did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallbackError(pub(super) String);

// By hand, so that no key gets into a log or a panic.
impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Callback {
    /// With both signatures, `timestamp` and the current spelling.
    pub fn new(url: &str, token: &str, aes_key: &str, owner_key: &str) -> Callback {
        Callback {
            url: url.to_owned(),
            token: token.to_owned(),
            aes_key: aes_key.to_owned(),
            owner_key: owner_key.to_owned(),
            signature: SignatureParameter::Both,
            timestamp: TimestampParameter::Lower,
            spelling: Spelling::Current,
        }
    }

    /// The request that pushes a text at a time.
    pub fn request(&self, text: &str, unix_ms: u64) -> Result<CallbackRequest, CallbackError> {
        let envelope = self.envelope()?;
        let (timestamp, nonce) = (unix_ms.to_string(), nonce());
        let encrypt = envelope.seal(text, rand::random());
        let signature = envelope.sign(&timestamp, &nonce, &encrypt);
        let names: &[&str] = match self.signature {
            SignatureParameter::Both => &["signature", "msg_signature"],
            SignatureParameter::Signature => &["signature"],
            SignatureParameter::MsgSignature => &["msg_signature"],
        };
        let time = match self.timestamp {
            TimestampParameter::Lower => "timestamp",
            TimestampParameter::Camel => "timeStamp",
        };
        let mut pairs: Vec<String> = names.iter().map(|name| format!("{name}={signature}")).collect();
        pairs.push(format!("{time}={timestamp}"));
        pairs.push(format!("nonce={}", utf8_percent_encode(&nonce, NON_ALPHANUMERIC)));
        let joint = if self.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{joint}{}", self.url, pairs.join("&"));
        Ok(CallbackRequest { url, body: json!({"encrypt": encrypt}).to_string() })
    }

    /// The message in an envelope.
    pub fn open(&self, encrypt: &str) -> Result<String, CallbackError> {
        self.envelope()?.open(encrypt).map_err(|error| failed(&error.to_string()))
    }

    /// Pushes a text; only the encrypted word `success` tells that it arrived.
    pub(crate) async fn push(
        &self,
        http: &Http,
        text: &str,
        unix_ms: u64,
        limit: Duration,
    ) -> Result<(), CallbackError> {
        let request = self.request(text, unix_ms)?;
        let answer = tokio::time::timeout(limit, send(http, request)).await;
        let answer = answer.map_err(|_| failed("no answer in time"))??;
        self.check(&answer)
    }

    fn check(&self, answer: &[u8]) -> Result<(), CallbackError> {
        #[derive(Deserialize)]
        struct Reply {
            msg_signature: String,
            #[serde(rename = "timeStamp")]
            timestamp: String,
            nonce: String,
            encrypt: String,
        }
        let envelope = self.envelope()?;
        let reply: Reply =
            serde_json::from_slice(answer).map_err(|error| failed(&format!("the answer: {error}")))?;
        if envelope.sign(&reply.timestamp, &reply.nonce, &reply.encrypt) != reply.msg_signature {
            return Err(failed("the answer: the signature does not match"));
        }
        match envelope.open(&reply.encrypt) {
            Ok(word) if word == "success" => Ok(()),
            Ok(_) => Err(failed("the answer: not the word success")),
            Err(error) => Err(failed(&format!("the answer: {error}"))),
        }
    }

    fn envelope(&self) -> Result<Envelope<'_>, CallbackError> {
        let envelope = Envelope::new(&self.token, &self.aes_key, &self.owner_key);
        envelope.map_err(|error| failed(&error.to_string()))
    }
}

/// A client for callbacks.
pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn send(http: &Http, request: CallbackRequest) -> Result<Bytes, CallbackError> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(request.url)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(request.body))
        .map_err(|error| failed(&error.to_string()))?;
    let response = http.request(request).await.map_err(|error| failed(&format!("not reached: {error}")))?;
    if response.status() != StatusCode::OK {
        return Err(failed(&format!("answered {}", response.status())));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| failed(&format!("the answer: {error}")))
}

fn failed(why: &str) -> CallbackError {
    CallbackError(why.to_owned())
}

fn nonce() -> String {
    let mut random = rand::rng();
    (0..8).map(|_| char::from(random.sample(Alphanumeric))).collect()
}
