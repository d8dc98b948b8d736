//! One attempt: the request as it goes out, and how it shows in telemetry.

use std::{borrow::Cow, time::Duration};

use ::http::HeaderValue;
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, debug, field, info_span, warn};

use super::{
    app::App,
    endpoint::{Auth, Endpoint, Generation, Params, Spec},
    error::{Applied, Error},
    generation,
    http::{Http, Place, Request},
    token::Token,
    trouble::{Trouble, Troubles},
};
use crate::metrics::Metrics;

/// A request with its parameters encoded, once for all its attempts.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) app: App,
    pub(super) spec: &'static Spec,
    path: Cow<'static, str>,
    query: Option<String>,
    body: Option<Bytes>,
}

impl Outgoing {
    pub(super) fn new<E: Endpoint>(app: &App, endpoint: &E) -> Result<Self, Error> {
        let wrong = |error: &dyn std::error::Error| Error::Request(error.to_string());
        let (mut query, mut body) = (None, None);
        match E::SPEC.params {
            Params::Body => body = Some(serde_json::to_vec(endpoint).map_err(|e| wrong(&e))?.into()),
            Params::Query => query = Some(serde_urlencoded::to_string(endpoint).map_err(|e| wrong(&e))?),
            Params::Path => {}
        }
        Ok(Self { app: app.clone(), spec: E::SPEC, path: endpoint.path(), query, body })
    }

    /// The token goes into a header or into the query, by generation.
    fn assemble(&self, token: Option<&Token>) -> Result<Request, Error> {
        let spec = self.spec;
        debug_assert_eq!(token.is_some(), spec.auth == Auth::Token);
        let mut url = self.app.base(spec.generation).clone();
        url.set_path(&self.path);
        url.set_query(self.query.as_deref());
        let mut token_header = None;
        match (token, spec.generation) {
            (Some(token), Generation::Legacy) => {
                url.query_pairs_mut().append_pair("access_token", token.expose());
            }
            (Some(token), Generation::New) => {
                let mut value = HeaderValue::from_str(token.expose())
                    .map_err(|_| Error::Request("the token does not fit a header".to_owned()))?;
                value.set_sensitive(true);
                token_header = Some(value);
            }
            (None, _) => {}
        }
        Ok(Request { method: spec.method.clone(), url, token_header, body: self.body.clone() })
    }
}

/// One attempt, seen by telemetry.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    http: Http,
    request_timeout: Duration,
    troubles: Troubles,
    pub(super) metrics: Metrics,
}

impl Transport {
    pub(super) fn new(http: Http, request_timeout: Duration, metrics: Metrics) -> Self {
        Self { http, request_timeout, troubles: Troubles::default(), metrics }
    }

    /// The last attempt of the app that failed.
    pub(super) fn last_trouble(&self, app: &App) -> Option<Trouble> {
        self.troubles.last(app)
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// The right to one attempt. Who waits for it waits for others to end, and not for DingTalk, and has spent nothing.
    pub(super) async fn place(&self, deadline: Instant) -> Result<Place<'_>, Error> {
        if let Some(place) = self.http.place_at_once() {
            return Ok(place);
        }
        let _waiting = self.metrics.waiting_request();
        let place = timeout_at(deadline, self.http.place()).instrument(info_span!("connection")).await;
        place.map_err(|_| Error::DeadlineExceeded { applied: Applied::No })
    }

    /// Sends the request once. Returns the body of a success, and DingTalk's id of the request.
    pub(super) async fn attempt(
        &self,
        place: Place<'_>,
        outgoing: &Outgoing,
        token: Option<&Token>,
        attempt: u32,
        deadline: Instant,
    ) -> Result<(Bytes, Option<String>), Error> {
        let Outgoing { app, spec, .. } = outgoing;
        let base = app.base(spec.generation);
        // Numbers are signed, because unsigned ones would be exported as text.
        let span = info_span!(
            "dingtalk",
            otel.name = format!("dingtalk {}", spec.id),
            otel.kind = "client",
            otel.status_code = field::Empty,
            http.request.method = spec.method.as_str(),
            http.response.status_code = field::Empty,
            server.address = base.host_str(),
            server.port = base.port_or_known_default().map(i64::from),
            url.template = spec.path,
            error.type = field::Empty,
            dingtalk.operation = spec.id,
            dingtalk.request_id = field::Empty,
            dingtalk.code = field::Empty,
            dinggate.app = app.alias(),
            dinggate.attempt = i64::from(attempt),
        );
        let request = outgoing.assemble(token)?;
        let exchange = async {
            let answer = self.http.exchange(place, request, deadline).await?;
            span.record("http.response.status_code", i64::from(answer.status));
            let decoded = generation::decode(spec.generation, answer);
            if let Some(id) = &decoded.request_id {
                span.record("dingtalk.request_id", id);
            }
            decoded.outcome.map(|body| (body, decoded.request_id))
        };
        let begin = Instant::now();
        let outcome = exchange.instrument(span.clone()).await;
        let name = outcome.as_ref().map_or_else(Error::kind, |_| "ok");
        self.metrics.attempt(app.name(), spec.id, name, begin.elapsed());
        if let Err(error) = &outcome {
            span.in_scope(|| self.observe(spec, app, error));
            self.troubles.note(app, spec, error);
        }
        outcome
    }

    fn observe(&self, spec: &Spec, app: &App, error: &Error) {
        let span = Span::current();
        span.record("otel.status_code", "ERROR");
        let api = error.api();
        span.record("error.type", api.map_or(error.kind(), |api| api.code.as_str()));
        if let Some(api) = api {
            span.record("dingtalk.code", api.code.as_str());
            if api.row.is_none() {
                self.metrics.unmapped_error(spec.id, &api.code);
                let (operation, code, sub_code) = (spec.id, api.code.as_str(), api.sub_code.as_deref());
                warn!(operation, code, sub_code, "dingtalk answered a code that the catalogue does not know");
            }
        }
        if matches!(error, Error::EgressBlocked { .. }) {
            warn!(operation = spec.id, "dingtalk bars this egress address");
        }
        debug!(operation = spec.id, app = app.alias(), %error, "the attempt failed");
    }
}
