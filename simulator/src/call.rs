//! A request as read off the wire and an answer as it goes back: what server, faces, faults and log share.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::{Map, Value};

use crate::reference::{Generation, Route};

/// Larger requests are cut off, as DingTalk's edge does.
const MAX_BODY: usize = 16 << 20;

/// A request, completely read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Still percent-encoded, without the query.
    pub(crate) path: String,
    pub(crate) query: Map<String, Value>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) route: Route,
    /// Where it came from.
    pub(crate) peer: IpAddr,
}

impl Call {
    /// `None` when the client went away or sent more than anybody may.
    pub(crate) async fn read(request: Request<Incoming>, peer: IpAddr) -> Option<Call> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.ok()?.to_bytes();
        Some(Call {
            route: Route::find(head.method.as_str(), head.uri.path()),
            query: pairs(head.uri.query().unwrap_or_default().as_bytes()),
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body,
            peer,
        })
    }

    /// Which face of DingTalk the path belongs to.
    pub(crate) fn generation(&self) -> Generation {
        let new = self.path.starts_with("/v1.0/") || self.path.starts_with("/v2.0/");
        if new { Generation::New } else { Generation::Legacy }
    }

    pub(crate) fn has_content_type(&self, mime: &str) -> bool {
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(mime))
    }

    /// The body as a JSON object.
    pub(crate) fn json(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Map<String, Value> {
        pairs(&self.body)
    }

    pub(crate) fn query_text(&self, name: &str) -> Option<&str> {
        self.query.get(name)?.as_str()
    }
}

fn pairs(text: &[u8]) -> Map<String, Value> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(text).unwrap_or_default();
    pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

/// What goes back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) request_id: Option<String>,
    /// The code of a refusal, for the log.
    pub(crate) code: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
        Answer {
            status,
            content_type: HeaderValue::from_static("application/json;charset=utf-8"),
            request_id: None,
            code: None,
            body: body.to_string().into(),
        }
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let mut response = Response::new(AnswerBody::whole(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, self.content_type);
        if let Some(id) = self.request_id.and_then(|id| HeaderValue::try_from(id).ok()) {
            response.headers_mut().insert(HeaderName::from_static("x-acs-request-id"), id);
        }
        response
    }

    /// Promises the whole body and sends half of it.
    pub(crate) fn into_truncated_response(self) -> Response<AnswerBody> {
        let (promised, half) = (self.body.len().max(1), self.body.slice(..self.body.len() / 2));
        let mut response = self.into_response();
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(promised));
        *response.body_mut() = AnswerBody { content: half, spaces: 0, end: End::Flush };
        response
    }

    /// The same JSON, followed by as many spaces as make it `bytes` long.
    pub(crate) fn into_oversized_response(self, bytes: u64) -> Response<AnswerBody> {
        let spaces = bytes.saturating_sub(self.body.len() as u64);
        let mut response = self.into_response();
        response.body_mut().spaces = spaces;
        response
    }
}

/// A body that can be too long or too short.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    content: Bytes,
    spaces: u64,
    end: End,
}

#[derive(Debug)]
enum End {
    /// As it should.
    Clean,
    /// Lets hyper send what it has, then cuts.
    Flush,
    /// Breaks the connection.
    Cut,
}

/// Makes hyper close the connection in the middle of an answer, or without one.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub(crate) struct Dropped;

impl AnswerBody {
    pub(crate) fn whole(content: Bytes) -> AnswerBody {
        AnswerBody { content, spaces: 0, end: End::Clean }
    }
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        const SPACES: &[u8] = &[b' '; 64 << 10];
        if !self.content.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.content)))));
        }
        if self.spaces > 0 {
            let length = self.spaces.min(SPACES.len() as u64);
            self.spaces -= length;
            let chunk = Bytes::from_static(SPACES).slice(..length as usize);
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match self.end {
            End::Clean => Poll::Ready(None),
            End::Flush => {
                self.end = End::Cut;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Cut => Poll::Ready(Some(Err(Dropped))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::Clean) && self.content.is_empty() && self.spaces == 0
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self.end {
            End::Clean => hyper::body::SizeHint::with_exact(self.content.len() as u64 + self.spaces),
            End::Flush | End::Cut => hyper::body::SizeHint::default(),
        }
    }
}
