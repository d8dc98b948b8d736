//! Every metric by name, and what it says. The names are public interface; `docs/telemetry.md` is made of this.

use opentelemetry::metrics::{AsyncInstrument, Counter, Histogram, Meter, UpDownCounter};

/// A metric.
#[derive(Debug)]
pub struct Definition {
    /// The same at `/metrics` and over OTLP.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// In UCUM, as OpenTelemetry writes units.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, in `BUCKETS`.
    Histogram,
}

/// Upper bounds in seconds: from an answer out of memory to the longest deadline.
const BUCKETS: [f64; 15] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

macro_rules! definitions {
    ($($constant:ident: $kind:ident $unit:literal $name:literal [$($label:literal)*] $help:literal)*) => {
        $(#[doc = $help] pub const $constant: Definition = Definition {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            help: $help,
        };)*
        /// All of them, in the order of the documentation.
        pub const ALL: &[&Definition] = &[$(&$constant),*];
    };
}

definitions! {
    RPC_DURATION: Histogram "s" "rpc_server_duration_seconds"
        ["rpc_service" "rpc_method" "rpc_grpc_status_code" "caller"]
        "How long RPCs took, from the last header of the request to the status."
    CONNECTIONS: Gauge "{connection}" "dinggate_connections" []
        "Open connections to the gRPC port."
    REJECTED: Counter "{request}" "dinggate_rejected_total" ["reason"]
        "Requests and connections that were turned away before any work."
    CERTIFICATE_EXPIRY: Gauge "s" "dinggate_tls_certificate_expiry_timestamp_seconds" []
        "When the certificate of the gRPC port expires, in seconds since 1970; absent without TLS."
    WATCHERS: Gauge "{watcher}" "dinggate_watchers" []
        "Callers that watch events."

    CLIENT_DURATION: Histogram "s" "dingtalk_client_duration_seconds" ["app" "operation" "outcome"]
        "How long attempts at DingTalk took, token fetches among them."
    CLIENT_WAITING: Gauge "{request}" "dingtalk_client_waiting_requests" []
        "Requests to DingTalk that wait because too many are under way, and count for no duration of DingTalk's."
    UPSTREAM_CALLS: Counter "{call}" "dinggate_upstream_calls_total" ["app" "operation" "generation"]
        "Metered calls to DingTalk, repeats among them."
    MONTH_CALLS: Gauge "{call}" "dinggate_month_calls" ["app"]
        "Metered calls of the app in this month, of all replicas, as of the last call of this one."
    MONTH_CALLS_LIMIT: Gauge "{call}" "dinggate_month_calls_limit" ["app"]
        "Metered calls that the app may make in a month; absent where they are not limited."
    QUEUE_WAIT: Histogram "s" "dinggate_queue_wait_seconds" ["app"]
        "How long calls waited for their place in what DingTalk allows, those that did not have to among them."
    QUEUE_LENGTH: Gauge "{call}" "dinggate_queue_length" ["app"]
        "Calls of the app that wait for a place."
    THROTTLED: Counter "{call}" "dinggate_throttled_total" ["app" "operation" "source"]
        "Calls that were refused because a limit was reached."
    BREAKER_OPEN: Gauge "1" "dinggate_breaker_open" ["app" "operation"]
        "1 for an operation that fails and is left alone for a moment; absent otherwise."
    UNMAPPED_ERRORS: Counter "{error}" "dinggate_unmapped_errors_total" ["operation" "code"]
        "Error codes of DingTalk that the catalogue does not know."
    OUTCOME_UNKNOWN: Counter "{request}" "dinggate_outcome_unknown_total" ["app"]
        "RPCs that ended without anybody knowing whether DingTalk did what was asked."
    CACHE_REQUESTS: Counter "{request}" "dinggate_cache_requests_total" ["result"]
        "Reads that may be answered from memory, by where their answer came from."

    TOKEN_EXPIRY: Gauge "s" "dinggate_token_expiry_seconds" ["app"]
        "How long the access token of the app lasts still; 0 where one is needed and cannot be had."
    TOKEN_REFRESHES: Counter "{fetch}" "dinggate_token_refreshes_total" ["app" "result"]
        "Fetches of access tokens."

    STORE_UP: Gauge "1" "dinggate_store_up" []
        "1 while the store that replicas share is there, 0 while it is lost."
    EVENTS: Counter "{event}" "dinggate_events_total" ["app" "type"]
        "Events that DingTalk pushed."
    EVENT_GAPS: Counter "{gap}" "dinggate_event_gaps_total" ["app" "cause"]
        "Times that events may have been missed."

    BUILD_INFO: Gauge "1" "dinggate_build_info" ["version"]
        "Always 1; the labels say what runs."
    PROCESS_CPU: Counter "s" "process_cpu_seconds_total" []
        "Processor time of the process, its own and the kernel's."
    PROCESS_RESIDENT: Gauge "By" "process_resident_memory_bytes" []
        "Memory of the process that is in RAM."
    PROCESS_VIRTUAL: Gauge "By" "process_virtual_memory_bytes" []
        "Address space of the process."
    PROCESS_FDS: Gauge "{file}" "process_open_fds" []
        "Open file descriptors."
    PROCESS_MAX_FDS: Gauge "{file}" "process_max_fds" []
        "File descriptors that may be open."
    PROCESS_THREADS: Gauge "{thread}" "process_threads" []
        "Threads of the process."
    PROCESS_START: Gauge "s" "process_start_time_seconds" []
        "When the process started, in seconds since 1970."
    TOKIO_WORKERS: Gauge "{thread}" "tokio_workers" []
        "Threads that run tasks: one that does what is not a call, and those that serve calls (server.workers)."
    TOKIO_TASKS: Gauge "{task}" "tokio_alive_tasks" []
        "Tasks that have not ended."
    TOKIO_QUEUE: Gauge "{task}" "tokio_global_queue_depth" []
        "Tasks that are ready and were handed over by another thread."
    TOKIO_BUSY: Counter "s" "tokio_worker_busy_seconds_total" ["worker"]
        "How long the thread was at work; 0 is the one that serves no calls."
    TOKIO_PARKS: Counter "{park}" "tokio_worker_parks_total" ["worker"]
        "Times that the thread found nothing to do and went to sleep."
}

impl Definition {
    pub(super) fn counter(&self, meter: &Meter) -> Counter<u64> {
        meter.u64_counter(self.name).with_description(self.help).with_unit(self.unit).build()
    }

    pub(super) fn histogram(&self, meter: &Meter) -> Histogram<f64> {
        let histogram = meter.f64_histogram(self.name).with_description(self.help).with_unit(self.unit);
        histogram.with_boundaries(BUCKETS.to_vec()).build()
    }

    pub(super) fn up_down(&self, meter: &Meter) -> UpDownCounter<i64> {
        meter.i64_up_down_counter(self.name).with_description(self.help).with_unit(self.unit).build()
    }

    /// Has the callback tell the numbers whenever somebody collects them.
    pub fn observe(
        &self,
        meter: &Meter,
        callback: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
    ) {
        let Self { name, help, unit, .. } = *self;
        if self.kind == Kind::Counter {
            let counter = meter.f64_observable_counter(name).with_description(help).with_unit(unit);
            counter.with_callback(callback).build();
        } else {
            let gauge = meter.f64_observable_gauge(name).with_description(help).with_unit(unit);
            gauge.with_callback(callback).build();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_name_is_there_once_and_says_its_kind_and_unit() {
        let names: BTreeSet<_> = ALL.iter().map(|definition| definition.name).collect();
        assert_eq!(names.len(), ALL.len());
        for definition in ALL {
            let name = definition.name;
            assert_eq!(name.ends_with("_total"), definition.kind == Kind::Counter, "{name}");
            let base = name.trim_end_matches("_total");
            assert_eq!(base.ends_with("_seconds"), definition.unit == "s", "{name}");
            assert_eq!(base.ends_with("_bytes"), definition.unit == "By", "{name}");
            assert!(definition.help.ends_with('.'), "{name}");
        }
    }
}
