//! The server stack: what happens around every RPC.

use std::{
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::BodyExt;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tonic::{
    Code, Status,
    body::Body,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use tower::{Layer, Service};
use tracing::Instrument;

use super::{
    access::{AccessLine, Headers, server_span},
    audit::Entry,
    caller::Callers,
    cost::Cost,
    rpc::Admitted,
    status,
};
use crate::{
    audit::Audit,
    dingtalk::Context,
    identity::Method,
    metrics::{Metrics, Rejection},
    trace,
};

/// The RPCs that may take many upstream calls.
const BULK: [&str; 8] = [
    "dinggate.group.v1.GroupService/CreateGroup",
    "dinggate.group.v1.MemberService/AddMembers",
    "dinggate.group.v1.MemberService/RemoveMembers",
    "dinggate.group.v1.MemberService/SyncMembers",
    "dinggate.group.v1.MemberService/GrantAdmins",
    "dinggate.group.v1.MemberService/RevokeAdmins",
    "dinggate.group.v1.MemberService/MuteMembers",
    "dinggate.group.v1.MemberService/UnmuteMembers",
];

/// How long after its deadline an RPC may still be at work.
const LATE: Duration = Duration::from_secs(1);

/// The RPC that ends when its caller wants: it has the deadline that is stated, and no other.
const STREAM: &str = "dinggate.group.v1.GroupEventService/WatchGroupEvents";
/// Longer than any process lives.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

// Names that are looked up for every RPC, read once.
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What the stack needs to know.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For RPCs whose caller states no deadline.
    pub default_deadline: Duration,
    /// The same for those that may take many upstream calls.
    pub bulk_deadline: Duration,
    /// No RPC gets more.
    pub max_deadline: Duration,
    /// RPCs at work at the same time; more are refused at once.
    pub max_concurrent_requests: usize,
}

/// Wraps the services. One layer, because the order of its steps is fixed: see `Stack::call`.
#[derive(Debug, Clone)]
pub struct Stack {
    limits: Limits,
    callers: Callers,
    audit: Audit,
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

impl Stack {
    /// The stack for these callers.
    pub fn new(limits: Limits, callers: Callers, audit: Audit, metrics: Metrics) -> Self {
        let permits = Arc::new(Semaphore::new(limits.max_concurrent_requests.min(Semaphore::MAX_PERMITS)));
        Self { limits, callers, audit, permits, metrics }
    }
}

/// Probes come from kubelets and load balancers, which cannot prove anything.
fn is_open(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

impl<S> Layer<S> for Stack {
    type Service = Stacked<S>;

    fn layer(&self, inner: S) -> Stacked<S> {
        Stacked { stack: Arc::new(self.clone()), inner }
    }
}

/// A service inside the stack.
#[derive(Debug, Clone)]
pub struct Stacked<S> {
    /// Cloned for every RPC.
    stack: Arc<Stack>,
    inner: S,
}

impl<S> Service<Request<Body>> for Stacked<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        // Names from anywhere else are not repeated in telemetry.
        let method = Method::of_path(request.uri().path());
        let begun = method.and_then(|_| trace::begin(&Headers(request.headers())));
        let (trace, parent) = begun.unzip();
        Box::pin(trace::within(trace, self.stack.clone().call(inner, request, method, parent)))
    }
}

impl Stack {
    /// Outermost first: the span, so that everything below is in the trace; the access line, so that refusals are
    /// told as well; the deadline, because waiting counts; the cost, which trailers tell of every answer; the caller,
    /// who has to be known before anything is spent; the admission; the RPC; the dress of framework errors.
    async fn call<S>(
        self: Arc<Self>,
        inner: S,
        request: Request<Body>,
        method: Option<&'static Method>,
        parent: Option<opentelemetry::Context>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let name = method.map(|method| method.full_name);
        let span = server_span(name, parent);
        let now = Instant::now();
        let context = self.context(name, request.headers(), now);
        let cost = Cost::new(context.stats.clone(), trace::current());
        let mut line = AccessLine::new(name, context.stats.clone(), span.clone(), self.metrics.clone(), now);
        let is_stream = name == Some(STREAM);
        // A stream has to begin in time, however long it lasts.
        let begun = now + self.limits.default_deadline;
        let given_up = if is_stream { context.deadline.min(begun) } else { context.deadline } + LATE;
        // RPCs end by their deadlines. One whose message never comes does not, and would keep its permit.
        let served =
            timeout_at(given_up, self.serve(inner, request, method, context, &mut line)).instrument(span);
        let outcome = served.await.unwrap_or_else(|_| Ok(dress(endless().into_http(), method.is_some())));
        let code = outcome.as_ref().ok().map_or(Code::Unknown, code_of);
        let outcome = outcome.map(|response| if method.is_some() { cost.onto(response) } else { response });
        if is_stream && code == Code::Ok {
            return outcome.map(|response| until_its_end(line, response));
        }
        line.code = code;
        outcome
    }

    async fn serve<S>(
        &self,
        mut inner: S,
        mut request: Request<Body>,
        method: Option<&'static Method>,
        context: Context,
        line: &mut AccessLine,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let mut entry = None;
        if !is_open(request.uri().path()) {
            let tls = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
            let certificates = tls.and_then(TlsConnectInfo::peer_certs);
            let leaf = certificates.as_ref().and_then(|chain| chain.first());
            let caller = match self.callers.identify(request.headers(), leaf).await {
                Ok(caller) => caller,
                Err(refusal) => {
                    self.metrics.rejected(Rejection::Unauthenticated);
                    return Ok(refusal.into_http());
                }
            };
            line.caller = caller.claimant.caller.clone();
            entry = Entry::begin(&self.audit, method, &caller, line.stats.clone(), trace::current());
            if let Err(refusal) = caller.may_call(method) {
                self.metrics.rejected(Rejection::Forbidden);
                entry.inspect(|entry| entry.told(Some(&refusal)));
                return Ok(refusal.into_http());
            }
            request.extensions_mut().insert(Admitted { context, caller, entry: entry.clone() });
        }
        // Health checks are answered however much there is to do, or probes would stop a busy gateway.
        let permit = method.map(|_| self.permits.try_acquire()).transpose();
        let Ok(_permit) = permit else {
            self.metrics.rejected(Rejection::Overload);
            let refusal = status::overloaded();
            entry.inspect(|entry| entry.told(Some(&refusal)));
            return Ok(refusal.into_http());
        };
        let response = inner.call(request).await.map(|response| dress(response, method.is_some()))?;
        if let Some(entry) = entry {
            let failed =
                Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok);
            entry.told(failed.as_ref());
        }
        Ok(response)
    }

    /// The deadline lies a little before the caller's, so that an honest answer still arrives in time.
    fn context(&self, method: Option<&str>, headers: &HeaderMap, now: Instant) -> Context {
        let stated = headers.get(TIMEOUT).and_then(|value| timeout(value.to_str().ok()?));
        let is_bulk = method.is_some_and(|method| BULK.contains(&method));
        let unstated = if is_bulk { self.limits.bulk_deadline } else { self.limits.default_deadline };
        let given = if method == Some(STREAM) {
            stated.unwrap_or(NEVER).min(NEVER)
        } else {
            stated.unwrap_or(unstated).min(self.limits.max_deadline)
        };
        let margin = (given / 10).min(Duration::from_millis(50));
        Context::until(now + given - margin)
    }
}

fn endless() -> Status {
    Status::deadline_exceeded("the request did not end before its deadline")
}

/// `grpc-timeout`: at most eight digits and a unit.
fn timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The status of a response. A success carries its code in the trailers, and it is OK.
pub(super) fn code_of(response: &Response<Body>) -> Code {
    response.headers().get(STATUS).map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// A stream has begun: its line is written when it ends, or when its caller leaves.
fn until_its_end(mut line: AccessLine, response: Response<Body>) -> Response<Body> {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // All of it, so that it is dropped with the body.
            let line = &mut line;
            if let Some(code) = frame.trailers_ref().and_then(|trailers| trailers.get(STATUS)) {
                line.code = Code::from_bytes(code.as_bytes());
            }
            frame
        }))
    })
}

/// An error that the gRPC framework made has no details yet. Those of health and reflection stay as they are: their
/// codes are part of their contracts.
fn dress(response: Response<Body>, ours: bool) -> Response<Body> {
    let code = code_of(&response);
    let bare = code != Code::Ok && !response.headers().contains_key(DETAILS);
    let undressed = bare && (ours || code == Code::Unimplemented);
    match Status::from_header_map(response.headers()).filter(|_| undressed) {
        Some(status) => {
            let mut dressed = status::of_framework(&status);
            *dressed.metadata_mut() = status.metadata().clone();
            dressed.into_http()
        }
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn timeouts_are_read_as_the_grpc_specification_says() {
        for (value, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("250m", Some(Duration::from_millis(250))),
            ("5u", Some(Duration::from_micros(5))),
            ("7n", Some(Duration::from_nanos(7))),
            ("", None),
            ("S", None),
            ("123456789S", None),
            ("-1S", None),
            ("1x", None),
            ("1秒", None),
        ] {
            assert_eq!(timeout(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_deadline_leaves_time_for_the_answer_and_knows_its_bounds() {
        let limits = Limits {
            default_deadline: Duration::from_secs(10),
            bulk_deadline: Duration::from_secs(60),
            max_deadline: Duration::from_secs(120),
            max_concurrent_requests: 1,
        };
        let stack = Stack::new(limits, Callers::stated(BTreeMap::new()), Audit::default(), Metrics::off());
        let left_of = |method: Option<&str>, timeout: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(timeout) = timeout {
                headers.insert("grpc-timeout", timeout.parse().unwrap());
            }
            let now = Instant::now();
            stack.context(method, &headers, now).deadline - now
        };
        let left = |timeout| left_of(None, timeout);
        assert!(BULK.iter().all(|bulk| Method::of_path(&format!("/{bulk}")).is_some()));
        assert!(left_of(Some(BULK[0]), None) > Duration::from_secs(59));
        assert!(left_of(Some(BULK[0]), Some("1S")) < Duration::from_secs(1));
        assert!(left(None) > Duration::from_secs(9) && left(None) < Duration::from_secs(10));
        assert!(left(Some("1H")) < Duration::from_secs(120));
        assert!(Method::of_path(&format!("/{STREAM}")).is_some());
        assert!(
            left_of(Some(STREAM), None) > Duration::from_secs(24 * 3600),
            "a stream has no end of its own"
        );
        assert!(left_of(Some(STREAM), Some("1H")) > Duration::from_secs(3599), "but what is stated");
        assert!(left(Some("100m")) <= Duration::from_millis(90));
    }
}
