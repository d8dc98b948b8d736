//! An upstream operation as data: [`Spec`] says everything about the call, [`Endpoint`] adds the typed request and
//! reply.

use std::borrow::Cow;

use ::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// DingTalk's two REST generations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    #[default]
    /// `api.*`: JSON, the token in a header, errors as HTTP status with `code`.
    New,
    /// `oapi.*`: the token in the query, always HTTP 200, errors as `errcode`.
    Legacy,
}

impl Generation {
    /// Its name in the configuration and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Generation::New => "new",
            Generation::Legacy => "legacy",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Generation::New => Generation::Legacy,
            Generation::Legacy => Generation::New,
        }
    }

    /// The label in metrics, spans and golden files.
    pub fn as_str(self) -> &'static str {
        match self {
            Generation::New => "new",
            Generation::Legacy => "legacy",
        }
    }
}

/// Where the parameters of a request go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Params {
    /// A JSON body.
    Body,
    /// The query string.
    Query,
    /// Only the path; nothing else is sent.
    Path,
}

/// Whether the call carries the app's access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// In the place of the generation: a header or the query.
    Token,
    /// None: the token endpoints themselves.
    None,
}

/// What happens when the same request is carried out twice; decides what may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Changes nothing.
    Read,
    /// Sets a state: a second time changes nothing more.
    Set,
    /// DingTalk itself recognises the second time by a key in the request.
    Keyed,
    /// Acts again: a second group, a second message.
    Once,
}

/// Everything about one upstream operation that does not depend on the request. Client, limiter, retry, telemetry
/// and tests read it.
#[derive(Debug)]
pub struct Spec {
    /// The name in metrics, spans, limits and golden files, such as `group.create`.
    pub id: &'static str,
    /// Which of the two wire generations.
    pub generation: Generation,
    /// HTTP method.
    pub method: Method,
    /// Path with `{name}` for path parameters.
    pub path: &'static str,
    /// Where the parameters go.
    pub params: Params,
    /// Whether the access token is sent.
    pub auth: Auth,
    /// What a repeat would do.
    pub repeat: Repeat,
    /// Most members one request may name, where DingTalk bounds them.
    pub max_members: Option<usize>,
    /// The permission point the app needs, where DingTalk documents one.
    pub permission: Option<&'static str>,
}

/// One upstream operation: the exact wire request (the implementor), the reply, and its [`Spec`].
pub trait Endpoint: Serialize + Sync {
    /// What DingTalk answers.
    type Reply: DeserializeOwned;
    /// The facts of the call.
    const SPEC: &'static Spec;

    /// The path with its parameters filled in.
    fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed(Self::SPEC.path)
    }
}

/// A reply without content.
#[derive(Debug, Deserialize)]
pub struct Empty {}

/// Everything but RFC 3986 unreserved characters: group ids contain `/`, `+` and `=`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes one path segment.
pub fn segment(raw: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(raw, SEGMENT)
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_path_segment_keeps_no_reserved_character() {
        assert_eq!(segment("cidA/b+c==").to_string(), "cidA%2Fb%2Bc%3D%3D");
        assert_eq!(segment("chat-1._~").to_string(), "chat-1._~");
    }
}
