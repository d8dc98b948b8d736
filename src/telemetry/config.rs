//! `[telemetry]` of the configuration.

use std::time::Duration;

use opentelemetry_sdk::{Resource, trace::Sampler};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// `[telemetry]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// OTLP/gRPC endpoint for traces and metrics; empty for none.
    pub otlp_endpoint: String,
    /// Another one for traces; empty for the same.
    pub otlp_traces_endpoint: String,
    /// Another one for metrics; empty for the same.
    pub otlp_metrics_endpoint: String,
    /// Whether traces are exported.
    pub traces_exporter: Exporter,
    /// Whether metrics are exported; `/metrics` is there in any case.
    pub metrics_exporter: Exporter,
    /// How often metrics are exported.
    #[serde(with = "humantime_serde")]
    pub metrics_interval: Duration,
    /// Which traces are recorded.
    pub sampler: SamplerName,
    /// The share for the ratio samplers.
    pub sampler_arg: f64,
    /// `service.name` in what is exported.
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

/// The names of `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exporter {
    /// To the OTLP endpoint, if there is one.
    Otlp,
    /// Nothing is pushed. `/metrics` is what OpenTelemetry calls prometheus.
    #[serde(alias = "prometheus")]
    None,
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
        let endpoints = [
            ("telemetry.otlp_endpoint", &self.otlp_endpoint),
            ("telemetry.otlp_traces_endpoint", &self.otlp_traces_endpoint),
            ("telemetry.otlp_metrics_endpoint", &self.otlp_metrics_endpoint),
        ];
        let wrong = endpoints.into_iter().filter(|(_, url)| !url.is_empty() && !is_endpoint(url));
        let text = "must begin with http:// or https:// and name a host";
        faults.extend(wrong.map(|(path, _)| (path, text.to_owned())));
        if self.metrics_interval < Duration::from_secs(1) {
            faults.push(("telemetry.metrics_interval", "must be at least 1s".to_owned()));
        }
        faults
    }

    /// Where traces go.
    pub(super) fn traces_endpoint(&self) -> Option<&str> {
        endpoint(self.traces_exporter, [&self.otlp_traces_endpoint, &self.otlp_endpoint])
    }

    /// Where metrics go.
    pub(super) fn metrics_endpoint(&self) -> Option<&str> {
        endpoint(self.metrics_exporter, [&self.otlp_metrics_endpoint, &self.otlp_endpoint])
    }

    /// Who exports.
    pub(super) fn resource(&self) -> Resource {
        Resource::builder()
            .with_service_name(self.service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build()
    }

    pub(super) fn sampler(&self) -> Sampler {
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

/// The first that is set.
fn endpoint(exporter: Exporter, endpoints: [&String; 2]) -> Option<&str> {
    let set = endpoints.into_iter().find(|endpoint| !endpoint.is_empty());
    set.filter(|_| exporter == Exporter::Otlp).map(String::as_str)
}
