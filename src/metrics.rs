//! What is measured, for every room to use: OpenTelemetry's API and nothing of its SDK, so that who counts does not
//! know who reads. Values of labels are bounded here or by the type that comes in.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use foldhash::HashSet;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter, MeterProvider, NoopMeterProvider, UpDownCounter},
};

pub mod definitions;
pub mod process;
mod series;

use self::{
    definitions as define,
    series::{Counts, Durations},
};

/// Codes that DingTalk does not document have a label of their own, up to this many; the others share one.
const UNMAPPED_CODES: usize = 50;
/// What a label says of everything that has no label of its own.
const OTHER: &str = "other";
/// And of callers that do not say who they are.
const UNKNOWN: &str = "unknown";

/// The instruments of one gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    callers: HashSet<Arc<str>>,
    other: Arc<str>,
    unknown: Arc<str>,
    unmapped: Mutex<BTreeSet<Arc<str>>>,
    /// By method, code and caller.
    rpc_duration: Durations<(Option<&'static str>, &'static str, Arc<str>)>,
    connections: UpDownCounter<i64>,
    watchers: UpDownCounter<i64>,
    rejected: Counter<u64>,
    /// By app, operation and outcome.
    client_duration: Durations<(Arc<str>, &'static str, &'static str)>,
    client_waiting: UpDownCounter<i64>,
    /// By app, operation and generation.
    upstream_calls: Counts<(Arc<str>, &'static str, &'static str)>,
    /// By app.
    queue_wait: Durations<Arc<str>>,
    throttled: Counter<u64>,
    unmapped_errors: Counter<u64>,
    outcome_unknown: Counter<u64>,
    /// By result.
    cache_requests: Counts<&'static str>,
    token_refreshes: Counter<u64>,
    events: Counter<u64>,
    event_gaps: Counter<u64>,
}

/// Why a request or a connection was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Too much at the same time.
    Overload,
    /// Nobody that is known.
    Unauthenticated,
    /// Somebody who may not.
    Forbidden,
    /// More connections than a port takes.
    Connections,
    /// A TLS handshake that failed or took too long.
    Handshake,
    /// A callback that is not DingTalk's, or is no callback, or came too slowly.
    Callback,
}

impl Rejection {
    /// Its label.
    pub fn name(self) -> &'static str {
        match self {
            Rejection::Overload => "overload",
            Rejection::Unauthenticated => "unauthenticated",
            Rejection::Forbidden => "forbidden",
            Rejection::Connections => "connections",
            Rejection::Handshake => "handshake",
            Rejection::Callback => "callback",
        }
    }
}

/// One that is counted for as long as it is there.
#[derive(Debug)]
pub struct Present(UpDownCounter<i64>);

impl Present {
    fn new(counter: &UpDownCounter<i64>) -> Self {
        counter.add(1, &[]);
        Self(counter.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}

impl Metrics {
    /// Callers of other names share a label.
    pub fn new(meter: &Meter, callers: impl IntoIterator<Item = String>) -> Self {
        let instruments = Instruments {
            callers: callers.into_iter().map(Arc::from).collect(),
            other: Arc::from(OTHER),
            unknown: Arc::from(UNKNOWN),
            unmapped: Mutex::default(),
            rpc_duration: Durations::of(define::RPC_DURATION.histogram(meter)),
            connections: define::CONNECTIONS.up_down(meter),
            watchers: define::WATCHERS.up_down(meter),
            rejected: define::REJECTED.counter(meter),
            client_duration: Durations::of(define::CLIENT_DURATION.histogram(meter)),
            client_waiting: define::CLIENT_WAITING.up_down(meter),
            upstream_calls: Counts::of(define::UPSTREAM_CALLS.counter(meter)),
            queue_wait: Durations::of(define::QUEUE_WAIT.histogram(meter)),
            throttled: define::THROTTLED.counter(meter),
            unmapped_errors: define::UNMAPPED_ERRORS.counter(meter),
            outcome_unknown: define::OUTCOME_UNKNOWN.counter(meter),
            cache_requests: Counts::of(define::CACHE_REQUESTS.counter(meter)),
            token_refreshes: define::TOKEN_REFRESHES.counter(meter),
            events: define::EVENTS.counter(meter),
            event_gaps: define::EVENT_GAPS.counter(meter),
        };
        // There from the beginning, because nobody is a number as well.
        for counter in [&instruments.connections, &instruments.watchers, &instruments.client_waiting] {
            counter.add(0, &[]);
        }
        Self(Arc::new(instruments))
    }

    /// Instruments that nobody reads.
    pub fn off() -> Self {
        Self::new(&NoopMeterProvider::new().meter("off"), [])
    }

    /// An RPC has ended: `package.Service/Method`, or none of ours, such as a health check or a name that is made up.
    pub fn rpc(&self, method: Option<&'static str>, code: &'static str, caller: &str, took: Duration) {
        self.0.rpc_duration.record((method, code, self.caller(caller)), took, |(method, code, caller)| {
            let (service, method) = method.and_then(|name| name.split_once('/')).unwrap_or((OTHER, OTHER));
            [
                KeyValue::new("rpc_service", service),
                KeyValue::new("rpc_method", method),
                KeyValue::new("rpc_grpc_status_code", *code),
                KeyValue::new("caller", caller.clone()),
            ]
        });
    }

    /// Callers say themselves who they are where nobody is authenticated, so their names are not trusted.
    fn caller(&self, name: &str) -> Arc<str> {
        let unknown = if name.is_empty() { &self.0.unknown } else { &self.0.other };
        self.0.callers.get(name).unwrap_or(unknown).clone()
    }

    /// A request or a connection was turned away.
    pub fn rejected(&self, why: Rejection) {
        self.0.rejected.add(1, &[KeyValue::new("reason", why.name())]);
    }

    /// A connection, until it is dropped.
    pub fn connection(&self) -> Present {
        Present::new(&self.0.connections)
    }

    /// Somebody who watches events, until it is dropped.
    pub fn watcher(&self) -> Present {
        Present::new(&self.0.watchers)
    }

    /// A request that waits for others to end, until it is dropped.
    pub fn waiting_request(&self) -> Present {
        Present::new(&self.0.client_waiting)
    }

    /// An attempt at DingTalk has ended. `outcome` is one of few.
    pub fn attempt(&self, app: Arc<str>, operation: &'static str, outcome: &'static str, took: Duration) {
        self.0.client_duration.record((app, operation, outcome), took, |(app, operation, outcome)| {
            [
                KeyValue::new("app", app.clone()),
                KeyValue::new("operation", *operation),
                KeyValue::new("outcome", *outcome),
            ]
        });
    }

    /// A metered call goes out.
    pub fn upstream_call(&self, app: Arc<str>, operation: &'static str, generation: &'static str) {
        self.0.upstream_calls.add((app, operation, generation), |(app, operation, generation)| {
            [
                KeyValue::new("app", app.clone()),
                KeyValue::new("operation", *operation),
                KeyValue::new("generation", *generation),
            ]
        });
    }

    /// A call has its place, or is refused one.
    pub fn queue_wait(&self, app: Arc<str>, waited: Duration) {
        self.0.queue_wait.record(app, waited, |app| [KeyValue::new("app", app.clone())]);
    }

    /// A call was refused because a limit was reached, by `gateway` or by `dingtalk`.
    pub fn throttled(&self, app: Arc<str>, operation: &'static str, source: &'static str) {
        let labels = [
            KeyValue::new("app", app),
            KeyValue::new("operation", operation),
            KeyValue::new("source", source),
        ];
        self.0.throttled.add(1, &labels);
    }

    /// DingTalk answered a code that the catalogue does not know.
    pub fn unmapped_error(&self, operation: &'static str, code: &str) {
        let labels = [KeyValue::new("operation", operation), KeyValue::new("code", self.unmapped(code))];
        self.0.unmapped_errors.add(1, &labels);
    }

    /// Whatever answers in DingTalk's place chooses the code.
    fn unmapped(&self, code: &str) -> Arc<str> {
        let mut known = self.0.unmapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = known.get(code) {
            return code.clone();
        }
        if known.len() >= UNMAPPED_CODES {
            return Arc::from(OTHER);
        }
        let code: Arc<str> = Arc::from(code);
        known.insert(code.clone());
        code
    }

    /// An RPC ended without anybody knowing what DingTalk did.
    pub fn outcome_unknown(&self, app: Arc<str>) {
        self.0.outcome_unknown.add(1, &[KeyValue::new("app", app)]);
    }

    /// A read was answered from there.
    pub fn cache_request(&self, result: &'static str) {
        self.0.cache_requests.add(result, |result| [KeyValue::new("result", *result)]);
    }

    /// A token was fetched, or was not.
    pub fn token_refresh(&self, app: Arc<str>, success: bool) {
        let result = if success { "ok" } else { "failed" };
        self.0.token_refreshes.add(1, &[KeyValue::new("app", app), KeyValue::new("result", result)]);
    }

    /// DingTalk pushed an event.
    pub fn event(&self, app: Arc<str>, kind: &'static str) {
        self.0.events.add(1, &[KeyValue::new("app", app), KeyValue::new("type", kind)]);
    }

    /// Events may have been missed.
    pub fn event_gap(&self, app: Arc<str>, cause: &'static str) {
        self.0.event_gaps.add(1, &[KeyValue::new("app", app), KeyValue::new("cause", cause)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_callers_have_a_label_of_their_own() {
        let meter = NoopMeterProvider::new().meter("test");
        let metrics = Metrics::new(&meter, ["orders".to_owned()]);
        for (name, label) in [("orders", "orders"), ("", "unknown"), ("made up", OTHER)] {
            assert_eq!(&*metrics.caller(name), label, "{name:?}");
        }
    }

    #[test]
    fn codes_that_somebody_makes_up_share_a_label_after_a_while() {
        let metrics = Metrics::off();
        let labels: BTreeSet<_> = (0..1000).map(|i| metrics.unmapped(&format!("code.{i}"))).collect();
        assert_eq!(labels.len(), UNMAPPED_CODES + 1);
        assert_eq!(&*metrics.unmapped("code.0"), "code.0", "who came first stays");
    }
}
