package io.dinggate.example;

import io.grpc.ClientInterceptor;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Scope;
import io.opentelemetry.context.propagation.ContextPropagators;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.instrumentation.grpc.v1_6.GrpcTelemetry;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.samplers.Sampler;

/** One call within a trace that goes on in the gateway. */
final class Tracing {
  private Tracing() {}

  // [docs:trace]
  /** Exports spans by OTLP/gRPC. Close it at the end of the program: that exports what is left. */
  static OpenTelemetrySdk start(String endpoint) {
    var name = Resource.builder().put("service.name", "dinggate-client-java").build();
    var exporter = OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).build();
    var provider = SdkTracerProvider.builder()
        .setResource(Resource.getDefault().merge(name))
        .setSampler(Sampler.alwaysOn())
        .addSpanProcessor(BatchSpanProcessor.builder(exporter).build())
        .build();
    return OpenTelemetrySdk.builder()
        .setTracerProvider(provider)
        .setPropagators(ContextPropagators.create(W3CTraceContextPropagator.getInstance()))
        .build();
  }

  /** To be given to the channel: a span for each call, and the gateway's spans become its children. */
  static ClientInterceptor interceptor(OpenTelemetrySdk telemetry) {
    return GrpcTelemetry.create(telemetry).createClientInterceptor();
  }
  // [/docs:trace]

  /** Makes a call inside a span and returns the id of its trace. */
  static String inSpan(OpenTelemetrySdk telemetry, Runnable call) {
    Span span = telemetry.getTracer("dinggate-client").spanBuilder("open incident").startSpan();
    try (Scope current = span.makeCurrent()) {
      call.run();
    } finally {
      span.end();
    }
    return span.getSpanContext().getTraceId();
  }
}
