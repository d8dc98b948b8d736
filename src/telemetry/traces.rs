//! Where spans go, and which of them.

use opentelemetry::{Context, SpanId, TraceId, trace::SpanKind};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, IdGenerator, RandomIdGenerator, Sampler, SamplingDecision,
    SdkTracerProvider, ShouldSample,
};

use super::{TelemetryConfig, tls};
use crate::trace;

/// Spans wait here for the exporter. The queue is allocated at the start: 8,192 spans take 3 MiB.
const SPAN_QUEUE: usize = 8192;

/// What spans are made with. From now on RPCs have traces, also where nothing is exported: logs carry their ids.
pub(super) fn provider(config: &TelemetryConfig) -> anyhow::Result<SdkTracerProvider> {
    let endpoint = config.traces_endpoint();
    let sampler = if endpoint.is_some() { config.sampler() } else { Sampler::AlwaysOff };
    let builder = SdkTracerProvider::builder()
        .with_resource(config.resource())
        .with_sampler(sampler.clone())
        .with_id_generator(Ids(RandomIdGenerator::default()));
    trace::install(Box::new(move |parent, id| samples(&sampler, parent, id)));
    let Some(endpoint) = endpoint else { return Ok(builder.build()) };
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if let Some(tls) = tls(endpoint) {
        exporter = exporter.with_tls_config(tls);
    }
    let batch = BatchConfigBuilder::default().with_max_queue_size(SPAN_QUEUE).build();
    let processor = BatchSpanProcessor::builder(exporter.build()?).with_batch_config(batch).build();
    Ok(builder.with_span_processor(processor).build())
}

/// Decides about an RPC as the SDK will decide about its span, if it is built: by the same sampler, of the same parent
/// and the same id.
fn samples(sampler: &Sampler, parent: &Context, id: TraceId) -> bool {
    let result = sampler.should_sample(Some(parent), id, "", &SpanKind::Server, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

/// Ids for spans. An RPC has its trace before it has a span.
#[derive(Debug)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        trace::id_of_root()
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}
