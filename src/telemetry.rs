//! Traces and logs. [`init`] installs them for the process and returns a guard that flushes.

use std::{fmt, io::IsTerminal, time::SystemTime};

use opentelemetry::{global, trace::TraceContextExt, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::{Event, Level, Metadata, Subscriber, dispatcher, field::Field, field::Visit};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Spans wait here for the exporter. The queue is allocated at the start: 8,192 spans take 3 MiB.
const SPAN_QUEUE: usize = 8192;

/// `[telemetry]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// OTLP/gRPC endpoint for traces; empty for none.
    pub otlp_endpoint: String,
    /// Which traces are recorded.
    pub sampler: SamplerName,
    /// The share for the ratio samplers.
    pub sampler_arg: f64,
    /// `service.name`.
    pub service_name: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_filter: String,
}

/// The names of `OTEL_TRACES_SAMPLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "OpenTelemetry's names")]
pub enum SamplerName {
    AlwaysOn,
    AlwaysOff,
    #[serde(rename = "traceidratio")]
    TraceIdRatio,
    #[serde(rename = "parentbased_always_on")]
    ParentBasedAlwaysOn,
    #[serde(rename = "parentbased_always_off")]
    ParentBasedAlwaysOff,
    #[serde(rename = "parentbased_traceidratio")]
    ParentBasedTraceIdRatio,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl TelemetryConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !(0.0..=1.0).contains(&self.sampler_arg) {
            faults.push(("telemetry.sampler_arg", "must be between 0 and 1".to_owned()));
        }
        if let Err(error) = EnvFilter::try_new(&self.log_filter) {
            faults.push(("telemetry.log_filter", error.to_string()));
        }
        if !self.otlp_endpoint.is_empty() && !is_endpoint(&self.otlp_endpoint) {
            let text = "must begin with http:// or https:// and name a host";
            faults.push(("telemetry.otlp_endpoint", text.to_owned()));
        }
        faults
    }

    fn sampler(&self) -> Sampler {
        let ratio = Sampler::TraceIdRatioBased(self.sampler_arg);
        let parent_based = |root| Sampler::ParentBased(Box::new(root));
        match self.sampler {
            SamplerName::AlwaysOn => Sampler::AlwaysOn,
            SamplerName::AlwaysOff => Sampler::AlwaysOff,
            SamplerName::TraceIdRatio => ratio,
            SamplerName::ParentBasedAlwaysOn => parent_based(Sampler::AlwaysOn),
            SamplerName::ParentBasedAlwaysOff => parent_based(Sampler::AlwaysOff),
            SamplerName::ParentBasedTraceIdRatio => parent_based(ratio),
        }
    }
}

fn is_endpoint(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Flushes what is still to be exported when told to stop.
#[derive(Debug)]
pub struct Guard(SdkTracerProvider);

impl Guard {
    /// Exports what is left. The exporter blocks, so it does so on a thread that may.
    pub async fn shutdown(self) {
        let outcome = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = outcome {
            tracing::warn!(%error, "the last traces could not be exported");
        }
    }
}

/// Installs logs and traces for the process. Needs a tokio runtime, which the exporter lives in.
pub fn init(config: &TelemetryConfig) -> anyhow::Result<Guard> {
    let provider = provider(config)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("dinggate"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_our_span));
    let json = match config.log_format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Line { json })
        .with_writer(std::io::stderr)
        .with_filter(EnvFilter::try_new(&config.log_filter)?);
    tracing_subscriber::registry().with(spans).with(lines).try_init()?;
    Ok(Guard(provider))
}

/// Spans are our own only: those of libraries tell nothing about a call.
fn is_our_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("dinggate") && *metadata.level() <= Level::INFO
}

/// Without an endpoint, traces still have ids: logs carry them, and callers' traces are continued.
fn provider(config: &TelemetryConfig) -> anyhow::Result<SdkTracerProvider> {
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource).with_sampler(config.sampler());
    if config.otlp_endpoint.is_empty() {
        return Ok(builder.build());
    }
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(&config.otlp_endpoint);
    if config.otlp_endpoint.starts_with("https://") {
        let tls = tonic::transport::ClientTlsConfig::new().with_enabled_roots();
        exporter = exporter.with_tls_config(tls);
    }
    let batch = BatchConfigBuilder::default().with_max_queue_size(SPAN_QUEUE).build();
    let processor = BatchSpanProcessor::builder(exporter.build()?).with_batch_config(batch).build();
    Ok(builder.with_span_processor(processor).build())
}

/// One log line: time, level, what, the fields, and the trace it belongs to.
struct Line {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some((trace_id, span_id)) = current_ids() {
            fields.0.entry("trace_id").or_insert(trace_id.into());
            fields.0.entry("span_id").or_insert(span_id.into());
        }
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let (level, target) = (event.metadata().level(), event.metadata().target());
        // OpenTelemetry's own events have a name and no message.
        let message = fields.0.shift_remove("message").or_else(|| fields.0.shift_remove("name"));
        let message = message.unwrap_or_default();
        if self.json {
            let mut line = Map::new();
            line.insert("time".to_owned(), time.to_string().into());
            line.insert("level".to_owned(), level.to_string().into());
            line.insert("target".to_owned(), target.into());
            line.insert("message".to_owned(), message);
            line.append(&mut fields.0);
            return writeln!(out, "{}", Value::Object(line));
        }
        write!(out, "{time} {level:>5} {}", message.as_str().unwrap_or_default())?;
        for (key, value) in &fields.0 {
            match value {
                Value::String(text) if !text.contains(' ') => write!(out, " {key}={text}")?,
                value => write!(out, " {key}={value}")?,
            }
        }
        writeln!(out)
    }
}

/// The trace and span id of the current span, if it is in a trace. Not asked of the [`FmtContext`], which knows no
/// span below the level of the log filter.
fn current_ids() -> Option<(String, String)> {
    let context =
        dispatcher::get_default(|dispatch| get_otel_context(dispatch.current_span().id()?, dispatch))?;
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| (context.trace_id().to_string(), context.span_id().to_string()))
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
