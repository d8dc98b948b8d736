package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"google.golang.org/grpc"
)

// [docs:trace]

// startTracing exports to OTEL_EXPORTER_OTLP_ENDPOINT. A connection that is made with the returned option has spans and
// sends `traceparent`.
func startTracing(ctx context.Context) (*trace.TracerProvider, grpc.DialOption, error) {
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, nil, err
	}
	provider := trace.NewTracerProvider(
		trace.WithBatcher(exporter),
		trace.WithSampler(trace.AlwaysSample()),
		trace.WithResource(resource.NewSchemaless(semconv.ServiceName("dinggate-client-go"))),
	)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider, grpc.WithStatsHandler(otelgrpc.NewClientHandler()), nil
}

// [/docs:trace]

func runTraced(ctx context.Context, s settings) error {
	provider, traced, err := startTracing(ctx)
	if err != nil {
		return err
	}
	conn, err := connect(s, traced, grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, span := otel.Tracer("incident").Start(ctx, "open incident")
	_, err = openGroup(ctx, conn, "Traced", "manager4220", "user001")
	span.End()
	if err != nil {
		return err
	}
	if err := provider.Shutdown(ctx); err != nil {
		return err
	}
	fmt.Println("trace", span.SpanContext().TraceID())
	return nil
}
