//! Latencies, from the time at which a call was meant to be sent.

use std::time::Duration;

use serde::Serialize;

/// Counts microseconds, three digits of them, up to a minute.
#[derive(Debug)]
pub struct Latencies(hdrhistogram::Histogram<u64>);

/// Some of its percentiles, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let minute = 60_000_000;
        Self(hdrhistogram::Histogram::new_with_bounds(1, minute, 3).expect("bounds in the right order"))
    }
}

impl Latencies {
    /// Counts one; what is out of bounds counts as the bound.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What they come to.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: self.0.max() }
    }
}
