"""One call within a trace that goes on in the gateway."""

# [docs:trace]
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON


def start_tracing():
    """Exports to OTEL_EXPORTER_OTLP_ENDPOINT. Channels that are made from now on have spans and send `traceparent`."""
    resource = Resource.create({"service.name": "dinggate-client-python"})
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    GrpcInstrumentorClient().instrument()
    return provider
# [/docs:trace]


def run(connect, open_group):
    provider = start_tracing()
    with connect() as channel, trace.get_tracer(__name__).start_as_current_span("open incident") as span:
        open_group(channel)
    provider.shutdown()
    print(f"trace {span.get_span_context().trace_id:032x}", flush=True)
