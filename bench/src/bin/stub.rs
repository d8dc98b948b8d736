//! A cheap upstream: the answers of DingTalk that the measured calls need, after a settable time, and an OTLP collector
//! that only counts. `GET /counters` says how many calls and spans have come.
//!
//! Usage: stub [--latency-ms N]

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use bytes::Bytes;
use clap::Parser;
use dinggate_bench::{listening, say};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::{
    metrics::v1::{self as metrics, metrics_service_server as metrics_server},
    trace::v1::{self as trace, trace_service_server as trace_server},
};
use tokio::net::TcpListener;
use tonic::{Status, async_trait, codec::CompressionEncoding};

const TOKEN: &str = r#"{"accessToken":"0f3b1f3c2a3d4e5f8a9b0c1d2e3f4a5b","expireIn":7200}"#;
const SENT: &str =
    r#"{"errcode":0,"errmsg":"ok","open_msg_id":"msgbenchmark+4220/A==","request_id":"15r8hcx2k4ql"}"#;
const GROUP: &str = r#"{"errcode":0,"errmsg":"ok","chat_info":{"chatid":"CHATID","name":"测试群","owner":"manager4220","icon":"@lALPmedia","useridlist":["manager4220","user001","user002"],"extidlist":[],"agentidlist":[],"conversationTag":2,"status":1,"mentionAllAuthority":0,"managementType":0,"showHistoryType":"1","validationType":0,"searchable":0,"chatBannedType":0},"request_id":"15r8hcx2k4ql"}"#;

static CALLS: AtomicU64 = AtomicU64::new(0);
static SPANS: AtomicU64 = AtomicU64::new(0);

#[derive(Parser)]
struct Args {
    /// How long each answer takes, beyond what it takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let latency = Duration::from_millis(Args::parse().latency_ms);
    let port = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let collector = thread::spawn(collect);
    say(&format!("upstream on {}", port.local_addr()?))?;
    loop {
        if collector.is_finished() {
            return Err("the collector has ended".into());
        }
        let (stream, _) = port.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(move |request| answer(request, latency));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    latency: Duration,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    if head.uri.path() == "/counters" {
        let counters = (CALLS.load(Ordering::Relaxed), SPANS.load(Ordering::Relaxed));
        return Ok(json(format!(r#"{{"calls":{},"spans":{}}}"#, counters.0, counters.1)));
    }
    CALLS.fetch_add(1, Ordering::Relaxed);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    Ok(match (&head.method, head.uri.path()) {
        (&Method::POST, "/topapi/im/chat/scencegroup/message/send_v2") => json(SENT),
        (&Method::GET, "/chat/get") => json(GROUP.replace("CHATID", chat_id(head.uri.query()))),
        (&Method::POST, "/v1.0/oauth2/accessToken") => json(TOKEN),
        _ => {
            let mut unknown = json("{}");
            *unknown.status_mut() = StatusCode::NOT_FOUND;
            unknown
        }
    })
}

/// The benchmark's ids need no decoding.
fn chat_id(query: Option<&str>) -> &str {
    let pairs = query.unwrap_or_default().split('&');
    pairs.filter_map(|pair| pair.strip_prefix("chatid=")).next().unwrap_or_default()
}

fn json(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// On a thread of its own, so that spans do not slow answers down.
#[tokio::main(flavor = "current_thread")]
async fn collect() -> Outcome {
    let incoming = listening().await?;
    let traces =
        trace_server::TraceServiceServer::new(Collector).accept_compressed(CompressionEncoding::Gzip);
    let metrics =
        metrics_server::MetricsServiceServer::new(Collector).accept_compressed(CompressionEncoding::Gzip);
    let server = tonic::transport::Server::builder().add_service(traces).add_service(metrics);
    Ok(server.serve_with_incoming(incoming).await?)
}

struct Collector;

#[async_trait]
impl trace_server::TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<trace::ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<trace::ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        SPANS.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(tonic::Response::new(trace::ExportTraceServiceResponse::default()))
    }
}

#[async_trait]
impl metrics_server::MetricsService for Collector {
    async fn export(
        &self,
        _: tonic::Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<metrics::ExportMetricsServiceResponse>, Status> {
        Ok(tonic::Response::new(metrics::ExportMetricsServiceResponse::default()))
    }
}
