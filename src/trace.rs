//! Which trace an RPC belongs to, and whether anybody records it: decided once, as the RPC comes in and before any span
//! is built. An RPC that nobody records has no spans at all; its trace is still known to its log lines, and to its
//! caller.

use std::sync::OnceLock;

use opentelemetry::{Context, TraceId, global, propagation::Extractor, trace::TraceContextExt};
use tokio::task::futures::TaskLocalFuture;
use tracing::{Instrument, instrument::Instrumented};
use uuid::Uuid;

/// Says whether a trace is recorded, by its parent and its id.
type Sampler = Box<dyn Fn(&Context, TraceId) -> bool + Send + Sync>;

/// Like the subscriber of spans, it is the process's.
static SAMPLER: OnceLock<Sampler> = OnceLock::new();

tokio::task_local! {
    static TRACE: Option<Trace>;
}

/// From now on there are traces.
pub fn install(sampler: Sampler) {
    // Whoever installs telemetry twice has failed before.
    let _ = SAMPLER.set(sampler);
}

/// The trace of an RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: TraceId,
    recorded: bool,
}

impl Trace {
    /// One of which it has been decided whether it is recorded.
    #[cfg(test)]
    pub(crate) fn of(recorded: bool) -> Self {
        Self { id: TraceId::from_bytes(rand::random()), recorded }
    }

    /// Its id, as the W3C writes it. There for every RPC, and so without the machinery of formatting.
    pub fn text<'a>(&self, buffer: &'a mut [u8; 32]) -> &'a str {
        Uuid::from_bytes(self.id.to_bytes()).simple().encode_lower(buffer)
    }
}

/// The trace of an RPC that has just come in, and where it hangs in it: the caller's trace if there is one. None where
/// no telemetry is installed.
pub fn begin(headers: &dyn Extractor) -> Option<(Trace, Context)> {
    let sampler = SAMPLER.get()?;
    // Most callers have no traces of their own.
    let parent = match headers.get("traceparent") {
        Some(_) => global::get_text_map_propagator(|w3c| w3c.extract_with_context(&Context::new(), headers)),
        None => Context::new(),
    };
    let stated = parent.span().span_context().trace_id();
    let id = if stated == TraceId::INVALID { TraceId::from_bytes(rand::random()) } else { stated };
    Some((Trace { id, recorded: sampler(&parent, id) }, parent))
}

/// What an RPC does belongs to its trace.
pub fn within<F: Future>(trace: Option<Trace>, rpc: F) -> TaskLocalFuture<Option<Trace>, F> {
    TRACE.scope(trace, rpc)
}

/// The trace that this is done for; none outside of RPCs.
pub fn current() -> Option<Trace> {
    TRACE.try_with(|trace| *trace).ok().flatten()
}

/// Whether a span would be seen by anybody. Outside of RPCs the sampler is asked when it is built.
pub fn is_recorded() -> bool {
    current().is_none_or(|trace| trace.recorded)
}

/// The id for a span that has no parent: that of its RPC, about which the decision was.
pub fn id_of_root() -> TraceId {
    current().map_or_else(|| TraceId::from_bytes(rand::random()), |trace| trace.id)
}

/// For what goes on in a task of its own.
pub trait Follow: Future + Sized {
    /// It belongs to the span and the trace of whoever starts it.
    fn followed(self) -> Instrumented<TaskLocalFuture<Option<Trace>, Self>> {
        within(current(), self).in_current_span()
    }
}

impl<F: Future> Follow for F {}
