//! Who reads the metrics of a gateway: whoever scrapes `/metrics`, and an OTLP receiver if there is one.

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{MetricExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

use super::{TelemetryConfig, flush, tls};

/// The readers of one gateway.
#[derive(Debug)]
pub struct Meters {
    provider: SdkMeterProvider,
    registry: Registry,
}

/// What `/metrics` answers from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scrape(Registry);

impl Meters {
    /// Nothing is measured yet. Needs a tokio runtime, which the exporter lives in.
    pub fn new(config: &TelemetryConfig) -> anyhow::Result<Self> {
        let registry = Registry::new();
        // The names are written as Prometheus spells them, so that they are the same everywhere.
        let scraped = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let builder = SdkMeterProvider::builder().with_resource(config.resource()).with_reader(scraped);
        let Some(endpoint) = config.metrics_endpoint() else {
            return Ok(Self { provider: builder.build(), registry });
        };
        let mut exporter = MetricExporter::builder().with_tonic().with_endpoint(endpoint);
        if let Some(tls) = tls(endpoint) {
            exporter = exporter.with_tls_config(tls);
        }
        let pushed =
            PeriodicReader::builder(exporter.build()?).with_interval(config.metrics_interval).build();
        Ok(Self { provider: builder.with_reader(pushed).build(), registry })
    }

    /// What instruments are made with.
    pub fn meter(&self) -> Meter {
        self.provider.meter("dinggate")
    }

    /// What `/metrics` answers from.
    pub fn scrape(&self) -> Scrape {
        Scrape(self.registry.clone())
    }

    /// Exports what is left.
    pub async fn shutdown(self) {
        flush("metrics", move || self.provider.shutdown()).await;
    }
}

impl Scrape {
    /// All metrics in the text format of Prometheus.
    pub fn text(&self) -> Result<String, String> {
        let mut text = String::new();
        TextEncoder::new().encode_utf8(&self.0.gather(), &mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    /// The type of it.
    pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;
}
