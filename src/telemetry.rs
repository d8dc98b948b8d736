//! Traces and logs, which are the process's: [`init`] installs them and returns a guard that flushes. And [`Meters`],
//! which each gateway has for itself: whoever reads what `metrics` counts.

use std::{
    io::{IsTerminal, Stderr, stderr},
    thread,
    time::Duration,
};

use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult, propagation::TraceContextPropagator, trace::SdkTracerProvider,
};
use tokio::{sync::oneshot, time::timeout};
use tonic::transport::ClientTlsConfig;
use tracing::{Level, Metadata, Subscriber, subscriber::Interest, warn};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{DynFilterFn, FilterExt, LevelFilter, filter_fn},
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

mod config;
mod gather;
mod lines;
mod meters;
mod traces;

use self::{gather::Gather, lines::Line};
use crate::trace;

pub use self::{
    config::{Exporter, LogFormat, SamplerName, TelemetryConfig},
    meters::{Meters, Scrape},
};

/// How long the last export may take; a collector that is gone does not hold up the end.
const FLUSH: Duration = Duration::from_secs(3);

/// Flushes what is still to be exported when told to stop, and the last lines in any case.
#[derive(Debug)]
pub struct Guard {
    traces: SdkTracerProvider,
    lines: Gather<Stderr>,
}

impl Guard {
    /// Exports what is left.
    pub async fn shutdown(self) {
        let traces = self.traces.clone();
        flush("traces", move || traces.shutdown()).await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lines.flush();
    }
}

/// Exporters block, and their own limits add up: this one is on a thread that is left alone when it takes too long.
async fn flush(what: &'static str, shutdown: impl FnOnce() -> OTelSdkResult + Send + 'static) {
    let (done, ended) = oneshot::channel();
    thread::spawn(move || done.send(shutdown()));
    let error = match timeout(FLUSH, ended).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) => "the thread stopped".to_owned(),
        Err(_) => format!("it takes longer than {FLUSH:?}"),
    };
    warn!(error, "the last {what} could not be exported");
}

/// Installs logs and traces for the process. Needs a tokio runtime, which the exporter lives in.
pub fn init(config: &TelemetryConfig) -> anyhow::Result<Guard> {
    let provider = traces::provider(config)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("dinggate"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        // Nobody here asks for OpenTelemetry's own current context, which would be set whenever a task goes on.
        .with_context_activation(false)
        .with_filter(spans_that_are_seen());
    let json = match config.log_format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // Spans are looked at only where the filter speaks of them: "[rpc]=debug".
    let by_span = config.log_filter.contains('[');
    let filter = EnvFilter::try_new(&config.log_filter)?;
    let out = Gather::start(stderr())?;
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Line { json })
        .with_writer(out.clone())
        .with_filter(filter.and(filter_fn(move |metadata| by_span || metadata.is_event())));
    tracing_subscriber::registry().with(spans).with(lines).try_init()?;
    Ok(Guard { traces: provider, lines: out })
}

/// Our own spans, where the trace is recorded. Those of libraries tell nothing about a call.
fn spans_that_are_seen<S: Subscriber>() -> DynFilterFn<S> {
    fn is_seen<S>(metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_our_span(metadata) && trace::is_recorded()
    }
    fn interest(metadata: &'static Metadata<'static>) -> Interest {
        if is_our_span(metadata) { Interest::sometimes() } else { Interest::never() }
    }
    DynFilterFn::new(is_seen as fn(&Metadata<'_>, &Context<'_, S>) -> bool)
        .with_max_level_hint(LevelFilter::INFO)
        .with_callsite_filter(interest as fn(&'static Metadata<'static>) -> Interest)
}

fn is_our_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("dinggate") && *metadata.level() <= Level::INFO
}

/// What an endpoint that asks for TLS is trusted by.
fn tls(endpoint: &str) -> Option<ClientTlsConfig> {
    endpoint.starts_with("https://").then(|| ClientTlsConfig::new().with_enabled_roots())
}
