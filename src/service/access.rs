//! How an RPC shows in telemetry: its span, and its line in the log.

use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::{Context, propagation::Extractor};
use tokio::time::Instant;
use tonic::Code;
use tracing::{Span, field, info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{
    dingtalk::Stats,
    metrics::Metrics,
    trace::{self, Trace},
};

/// Named and attributed as OpenTelemetry's RPC conventions say; a child of the caller's span if there is one. None where
/// nobody records the trace.
pub(super) fn server_span(method: Option<&str>, parent: Option<Context>) -> Span {
    let Some((method, parent)) = method.zip(parent) else { return Span::none() };
    let span = info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = field::Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = field::Empty,
        error.type = field::Empty,
        dinggate.upstream_calls = field::Empty,
    );
    // Fails only where no telemetry is installed; then there is no trace to join.
    let _ = span.set_parent(parent);
    span
}

/// Where the caller's trace is looked for.
pub(super) struct Headers<'a>(pub(super) &'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// One line per RPC, also for one whose caller leaves before the answer. Written when it is dropped.
pub(super) struct AccessLine {
    /// How the RPC ended; cancelled, until something else is known.
    pub(super) code: Code,
    /// Who called; empty for whoever is not known.
    pub(super) caller: Arc<str>,
    method: Option<&'static str>,
    pub(super) stats: Arc<Stats>,
    span: Span,
    trace: Option<Trace>,
    begin: Instant,
    metrics: Metrics,
}

impl AccessLine {
    pub(super) fn new(
        method: Option<&'static str>,
        stats: Arc<Stats>,
        span: Span,
        metrics: Metrics,
        begin: Instant,
    ) -> Self {
        let (code, caller) = (Code::Cancelled, Arc::default());
        Self { code, caller, method, stats, span, trace: trace::current(), begin, metrics }
    }
}

impl Drop for AccessLine {
    fn drop(&mut self) {
        let (name, took) = (name(self.code), self.begin.elapsed());
        self.metrics.rpc(self.method, name, &self.caller, took);
        if let Some(app) = self.stats.app().filter(|_| self.stats.is_outcome_unknown()) {
            self.metrics.outcome_unknown(app.clone());
        }
        // Health checks and reflection come every few seconds and say nothing.
        let Some(method) = self.method else { return };
        self.span.record("rpc.response.status_code", name);
        // Signed, because an unsigned number would be exported as text.
        self.span.record("dinggate.upstream_calls", i64::from(self.stats.upstream_calls()));
        if is_server_fault(self.code) {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", name);
        }
        let mut text = [0; 32];
        info!(
            parent: None,
            method,
            caller = Some(&*self.caller).filter(|name| !name.is_empty()),
            app = self.stats.app().map(|app| &**app),
            code = name,
            // To the microsecond.
            duration_ms = took.as_micros() as f64 / 1000.0,
            upstream_calls = self.stats.upstream_calls(),
            dingtalk_request_id = self.stats.request_id().as_deref(),
            trace_id = self.trace.map(|trace| trace.text(&mut text)),
            "rpc"
        );
    }
}

/// By OpenTelemetry's convention these codes are errors of the server; the others are the caller's.
fn is_server_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

/// The name in the gRPC specification.
pub(super) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
