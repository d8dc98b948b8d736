//! Traces and logs, which are the process's: [`init`] installs them and returns a guard that flushes. And [`Meters`],
//! which each gateway has for itself: whoever reads what `metrics` counts.

use std::{
    io::{self, IsTerminal, Stderr, stderr},
    thread,
    time::Duration,
};

use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
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

use self::{gather::Gather, lines::Lines};
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
    let traces = traces::provider(config)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let json = match config.log_format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = Gather::start(stderr())?;
    subscriber(traces.tracer("dinggate"), &config.log_filter, json, lines.clone())?.try_init()?;
    Ok(Guard { traces, lines })
}

/// Spans go to the tracer, and events that the filter lets through become lines.
fn subscriber<W>(
    tracer: SdkTracer,
    log_filter: &str,
    json: bool,
    lines: Gather<W>,
) -> anyhow::Result<impl Subscriber + Send + Sync + 'static>
where
    W: io::Write + Send + 'static,
{
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        // Nobody here asks for OpenTelemetry's own current context, which would be set whenever a task goes on.
        .with_context_activation(false)
        .with_filter(filter_fn(is_our_span).with_max_level_hint(LevelFilter::INFO));
    // Spans are looked at only where the filter speaks of them: "[rpc]=debug".
    let by_span = log_filter.contains('[');
    let filter = EnvFilter::try_new(log_filter)?;
    // Every filter states it, or what libraries tell at other levels would be dispatched to be thrown away.
    let most = filter.max_level_hint().unwrap_or(LevelFilter::TRACE).max(LevelFilter::INFO);
    let of_lines = filter_fn(move |metadata| by_span || metadata.is_event()).with_max_level_hint(most);
    let lines = Lines { json, out: lines }.with_filter(filter.and(of_lines));
    let seen = seen(most, by_span);
    Ok(tracing_subscriber::registry().with(spans).with(lines).with(seen))
}

/// What any layer may see: events, and our own spans where the trace is recorded. Those of libraries tell nothing about a
/// call. It stands in front of all layers, because what only their own filters refuse, the registry keeps all the same.
fn seen<S: Subscriber>(most: LevelFilter, by_span: bool) -> impl Layer<S> {
    let is_seen = move |metadata: &Metadata<'_>, _: &Context<'_, S>| {
        metadata.is_event() || by_span || (is_our_span(metadata) && trace::is_recorded())
    };
    let interest = move |metadata: &'static Metadata<'static>| match metadata {
        metadata if *metadata.level() > most => Interest::never(),
        metadata if metadata.is_event() || by_span => Interest::always(),
        metadata if is_our_span(metadata) => Interest::sometimes(),
        _ => Interest::never(),
    };
    DynFilterFn::new(is_seen).with_max_level_hint(most).with_callsite_filter(interest)
}

fn is_our_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("dinggate") && *metadata.level() <= Level::INFO
}

/// What an endpoint that asks for TLS is trusted by.
fn tls(endpoint: &str) -> Option<ClientTlsConfig> {
    endpoint.starts_with("https://").then(|| ClientTlsConfig::new().with_enabled_roots())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tracing::{Level, Span, debug, info, info_span, subscriber::with_default, trace_span};

    use super::{gather::Written, *};
    use crate::trace::Trace;

    /// What a call of ours leads to under this filter: whether its span and that of a library are built, and the lines.
    fn traced(log_filter: &str, recorded: bool) -> ([bool; 2], String) {
        let written = Written::default();
        let lines = Gather::start(written.clone()).unwrap();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let subscriber = subscriber(tracer, log_filter, false, lines.clone()).unwrap();
        let call = async {
            let ours = info_span!("rpc");
            let _entered = ours.enter();
            let library = trace_span!(target: "h2", "poll");
            info!("told");
            debug!("told in detail");
            [&ours, &library].map(|span: &Span| !span.is_disabled())
        };
        let call = trace::within(Some(Trace::of(recorded)), call);
        let built = with_default(subscriber, || call.now_or_never().unwrap());
        lines.flush();
        (
            built,
            written
                .text()
                .lines()
                .map(|line| &line[line.find("told").unwrap()..])
                .collect::<Vec<_>>()
                .join(","),
        )
    }

    #[test]
    fn a_call_that_nobody_records_builds_no_span() {
        for log_filter in ["info", "debug", "warn,dinggate=info"] {
            assert_eq!(traced(log_filter, false).0, [false, false], "{log_filter}");
            assert_eq!(traced(log_filter, true).0, [true, false], "{log_filter}");
        }
        assert_eq!(traced("info,[rpc]=debug", false).0, [true, false], "a line may want it");
    }

    #[test]
    fn lines_are_those_that_the_filter_speaks_of() {
        for recorded in [true, false] {
            let told = |log_filter| traced(log_filter, recorded).1;
            assert_eq!(told("warn"), "");
            assert!(told("info").starts_with("told") && !told("info").contains("detail"), "{}", told("info"));
            assert!(told("debug").contains("detail"));
            assert!(told("info,[rpc]=debug").contains("detail"), "inside of the span");
        }
    }

    #[test]
    fn what_no_line_tells_is_not_dispatched() {
        let tracer = || SdkTracerProvider::builder().build().tracer("test");
        let lines = Gather::start(io::sink()).unwrap();
        for (log_filter, most) in [("warn", Level::INFO), ("info", Level::INFO), ("h2=trace", Level::TRACE)] {
            let subscriber = subscriber(tracer(), log_filter, true, lines.clone()).unwrap();
            assert_eq!(subscriber.max_level_hint(), Some(most.into()), "{log_filter}");
        }
    }
}
