// Traces the calls of grpc-js. Node loads this before the program, so that grpc-js finds itself instrumented:
// `node --import ./build/src/instrumentation.js`. Without OTEL_EXPORTER_OTLP_ENDPOINT nothing is traced.

import { register } from "node:module";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { GrpcInstrumentation } from "@opentelemetry/instrumentation-grpc";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) {
  // [docs:trace]
  register("@opentelemetry/instrumentation/hook.mjs", import.meta.url); // sees ECMAScript modules being imported
  registerInstrumentations({ instrumentations: [new GrpcInstrumentation()] });

  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": "dinggate-client-typescript" }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register(); // also sets the W3C propagator: the gateway's spans become children of ours

  process.once("beforeExit", () => void provider.shutdown()); // exports what is left
  // [/docs:trace]
}
