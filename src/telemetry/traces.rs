//! Where spans go.

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};

use super::{TelemetryConfig, tls};

/// Spans wait here for the exporter. The queue is allocated at the start: 8,192 spans take 3 MiB.
const SPAN_QUEUE: usize = 8192;

/// Without an endpoint, traces still have ids: logs carry them, and callers' traces are continued.
pub(super) fn provider(config: &TelemetryConfig) -> anyhow::Result<SdkTracerProvider> {
    let builder =
        SdkTracerProvider::builder().with_resource(config.resource()).with_sampler(config.sampler());
    let Some(endpoint) = config.traces_endpoint() else { return Ok(builder.build()) };
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    if let Some(tls) = tls(endpoint) {
        exporter = exporter.with_tls_config(tls);
    }
    let batch = BatchConfigBuilder::default().with_max_queue_size(SPAN_QUEUE).build();
    let processor = BatchSpanProcessor::builder(exporter.build()?).with_batch_config(batch).build();
    Ok(builder.with_span_processor(processor).build())
}
