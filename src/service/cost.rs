//! What an RPC cost, told with its answer.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tonic::{Code, body::Body};

use super::layers::code_of;
use crate::{dingtalk::Stats, trace::Trace};

const UPSTREAM_CALLS: HeaderName = HeaderName::from_static("x-dinggate-upstream-calls");
const CACHE: HeaderName = HeaderName::from_static("x-dinggate-cache");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-dinggate-request-id");
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-dinggate-upstream-request-id");

/// What an RPC cost and where it is found again, for the trailing metadata of its answer.
pub(super) struct Cost {
    stats: Arc<Stats>,
    trace: Option<Trace>,
}

impl Cost {
    pub(super) fn new(stats: Arc<Stats>, trace: Option<Trace>) -> Self {
        Self { stats, trace }
    }

    /// An error carries its metadata in the headers; a success in the trailers, which come after its message.
    pub(super) fn onto(self, mut response: Response<Body>) -> Response<Body> {
        if code_of(&response) != Code::Ok {
            self.insert(response.headers_mut());
            return response;
        }
        response.map(|body| {
            Body::new(body.map_frame(move |frame| match frame.into_trailers() {
                Ok(mut trailers) => {
                    self.insert(&mut trailers);
                    Frame::trailers(trailers)
                }
                Err(data) => data,
            }))
        })
    }

    fn insert(&self, metadata: &mut HeaderMap) {
        let calls = HeaderValue::from(self.stats.upstream_calls());
        let cache = self.stats.provenance().map(|provenance| HeaderValue::from_static(provenance.name()));
        let trace = |trace: Trace| HeaderValue::from_str(trace.text(&mut [0; 32])).ok();
        let told = [
            (UPSTREAM_CALLS, Some(calls)),
            (CACHE, cache),
            (REQUEST_ID, self.trace.and_then(trace)),
            (UPSTREAM_REQUEST_ID, self.stats.request_id().and_then(|id| HeaderValue::from_str(&id).ok())),
        ];
        for (name, value) in told {
            if let Some(value) = value {
                metadata.insert(name, value);
            }
        }
    }
}
