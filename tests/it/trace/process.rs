//! `dinggate serve` as a process of its own, between a simulator and an OTLP receiver for traces and metrics.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use dinggate::pb::group::group_service_client::GroupServiceClient;
use dinggate_simulator::{Options, Simulator};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value},
    metrics::v1::{Metric, ResourceMetrics},
    trace::v1::{ResourceSpans, Span},
};
use serde_json::{Map, Value};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use tonic::{
    Request, Response, Status,
    transport::{Channel, server::TcpIncoming},
};

use super::hex;
use crate::support::{connect, install_tls};

/// The title of every group here; it must not be found in any telemetry.
pub const TITLE: &str = "Confidential 季度会议";
/// What else must not: the app's secret and the members that requests name. Tokens are added when they are known.
const SECRETS: [&str; 5] = ["demo-secret", "manager4220", "user001", "user002", TITLE];
/// Long enough for a busy machine, and shorter than the 10 s after which an export is given up.
pub const SOON: Duration = Duration::from_secs(8);

/// What a test sets, most of it of `[telemetry]`.
pub struct Telemetry {
    pub sampler_arg: f64,
    pub log_format: &'static str,
    pub log_filter: &'static str,
    /// Where traces go instead of the receiver.
    pub otlp_endpoint: Option<String>,
    /// Of `[dingtalk]`.
    pub max_in_flight: usize,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            sampler_arg: 1.0,
            log_format: "json",
            log_filter: "trace",
            otlp_endpoint: None,
            max_in_flight: 64,
        }
    }
}

/// Keeps what it is sent.
#[derive(Clone, Default)]
struct Receiver {
    spans: Arc<Mutex<Vec<ResourceSpans>>>,
    metrics: Arc<Mutex<Vec<ResourceMetrics>>>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.spans.lock().unwrap().extend(request.into_inner().resource_spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().unwrap().extend(request.into_inner().resource_metrics);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Receiver {
    async fn start() -> (Self, SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let receiver = Self::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()))
            .add_service(MetricsServiceServer::new(receiver.clone()));
        let serve = async move { server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap() };
        (receiver, addr, tokio::spawn(serve))
    }
}

/// The gateway. Killed when it is dropped.
pub struct Process {
    pub simulator: Simulator,
    pub channel: Channel,
    http_addr: SocketAddr,
    child: Child,
    log: watch::Receiver<Vec<String>>,
    receiver: Receiver,
    serving: JoinHandle<()>,
    config: PathBuf,
    secrets: Vec<String>,
}

impl Process {
    /// Starts all three and waits until the gateway serves.
    pub async fn start(telemetry: Telemetry) -> Self {
        install_tls();
        let simulator = Simulator::start(Options::default()).await.unwrap();
        let (receiver, addr, serving) = Receiver::start().await;
        let otlp_endpoint = telemetry.otlp_endpoint.clone().unwrap_or_else(|| format!("http://{addr}"));
        let config =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.toml", uuid::Uuid::new_v4()));
        fs::write(&config, settings(&telemetry, &otlp_endpoint, &simulator.url())).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_dinggate"))
            .args(["serve", "--config"])
            .arg(&config)
            .env_clear()
            // One fault is one failed call.
            .env("DINGGATE__RETRY__MAX_ATTEMPTS", "1")
            .env("OTEL_BSP_SCHEDULE_DELAY", "3600000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = follow(&mut child);
        let serving_line = |lines: &Vec<String>| lines.iter().any(|line| line.contains("grpc_addr"));
        let lines =
            timeout(SOON, log.wait_for(serving_line)).await.expect("it serves soon").expect("it starts");
        let channel = connect(address(&lines, "grpc_addr")).await;
        let http_addr = address(&lines, "http_addr");
        drop(lines);
        let secrets = SECRETS.map(ToOwned::to_owned).to_vec();
        Self { simulator, channel, http_addr, child, log, receiver, serving, config, secrets }
    }

    pub fn groups(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.channel.clone())
    }

    /// Makes the gateway's token invalid.
    pub async fn revoke_tokens(&mut self) {
        self.secrets.push(token(&self.simulator).await);
        self.simulator.revoke_tokens();
    }

    /// Sends SIGTERM, waits for the end, and looks for secrets in what is left.
    pub async fn stop(mut self) -> Left {
        self.secrets.push(token(&self.simulator).await);
        let secrets = std::mem::take(&mut self.secrets);
        let left = self.end().await;
        let told = left.told();
        for secret in secrets {
            assert_eq!(told.iter().find(|place| place.contains(&secret)), None, "{secret} is told");
        }
        left
    }

    /// The same without looking.
    pub async fn end(mut self) -> Left {
        let scrape = reqwest::get(format!("http://{}/metrics", self.http_addr)).await.unwrap();
        let scrape = String::from_utf8(scrape.bytes().await.unwrap().to_vec()).unwrap();
        let status = self.terminate().await;
        assert!(status.success(), "{status}");
        Left::new(&self.receiver, self.log.borrow().clone(), scrape)
    }

    async fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        // Its end of the pipe closes with the process.
        timeout(SOON, self.log.wait_for(|_| false))
            .await
            .expect("it ends soon")
            .expect_err("the end of the log");
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_file(&self.config));
        self.serving.abort();
    }
}

fn settings(telemetry: &Telemetry, otlp_endpoint: &str, dingtalk_url: &str) -> String {
    let Telemetry { sampler_arg, log_format, log_filter, max_in_flight, .. } = telemetry;
    format!(
        r#"
        [server]
        grpc_addr = "127.0.0.1:0"
        http_addr = "127.0.0.1:0"
        drain_delay = "0s"
        drain_timeout = "500ms"

        [telemetry]
        otlp_endpoint = "{otlp_endpoint}"
        service_name = "dinggate-under-test"
        sampler_arg = {sampler_arg:?}
        log_format = "{log_format}"
        log_filter = "{log_filter}"

        [dingtalk]
        max_in_flight = {max_in_flight}

        [[apps]]
        alias = "demo"
        app_key = "dingdemo"
        app_secret = "demo-secret"
        expose_token = true
        api_url = "{dingtalk_url}"
        oapi_url = "{dingtalk_url}"
        "#
    )
}

/// The log as it grows; closed when the process has ended.
fn follow(child: &mut Child) -> watch::Receiver<Vec<String>> {
    let (sender, receiver) = watch::channel(Vec::new());
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in stderr.lines() {
            let line = line.unwrap();
            sender.send_modify(|lines| lines.push(line));
        }
    });
    receiver
}

/// From the line that says so, in either format.
fn address(lines: &[String], key: &str) -> SocketAddr {
    let rest = lines.iter().find_map(|line| line.split_once(key)).expect("it says where").1;
    let addr = rest.trim_start_matches(['"', ':', '=']);
    addr[..addr.find(['"', ' ']).unwrap()].parse().unwrap()
}

/// The token that the gateway holds: asked again, DingTalk answers the same one.
pub async fn token(simulator: &Simulator) -> String {
    let url = format!("{}/v1.0/oauth2/accessToken", simulator.url());
    let body = r#"{"appKey":"dingdemo","appSecret":"demo-secret"}"#;
    let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["accessToken"].as_str().unwrap().to_owned()
}

/// What a gateway has left behind.
pub struct Left {
    pub spans: Vec<Span>,
    pub log: Vec<String>,
    /// What was exported, in the order of the exports.
    pub metrics: Vec<Metric>,
    /// What `/metrics` said last.
    pub scrape: String,
    /// The attributes of what sent the spans; null if nothing was sent.
    pub resource: Value,
}

impl Left {
    fn new(receiver: &Receiver, log: Vec<String>, scrape: String) -> Self {
        let received = std::mem::take(&mut *receiver.metrics.lock().unwrap());
        let metrics = received.into_iter().flat_map(|metrics| metrics.scope_metrics);
        let metrics = metrics.flat_map(|scope| scope.metrics).collect();
        let received = std::mem::take(&mut *receiver.spans.lock().unwrap());
        let resource = received.first().and_then(|spans| spans.resource.as_ref());
        let resource = resource.map_or(Value::Null, |resource| values(&resource.attributes));
        let scopes = received.into_iter().flat_map(|spans| spans.scope_spans);
        Self { spans: scopes.flat_map(|scope| scope.spans).collect(), log, metrics, scrape, resource }
    }

    /// Everything that is told: every line, span and series.
    pub fn told(&self) -> Vec<String> {
        let lines = self.log.iter().map(|line| format!("log: {line}"));
        let spans = self.spans.iter().map(|span| format!("span: {span:?}"));
        let series = self.scrape.lines().map(|line| format!("scrape: {line}"));
        let metrics = self.metrics.iter().map(|metric| format!("metric: {metric:?}"));
        lines.chain(spans).chain(series).chain(metrics).collect()
    }

    /// The only span of this name.
    pub fn span(&self, name: &str) -> &Span {
        let spans = self.spans_named(name);
        assert_eq!(spans.len(), 1, "{name}: {spans:?}");
        spans[0]
    }

    /// All spans of this name, by their begin.
    pub fn spans_named(&self, name: &str) -> Vec<&Span> {
        let mut spans: Vec<_> = self.spans.iter().filter(|span| span.name == name).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// The names of the spans in a trace, sorted.
    pub fn names(&self, trace_id: &str) -> Vec<&str> {
        let of_trace = self.spans.iter().filter(|span| hex(&span.trace_id) == trace_id);
        let mut names: Vec<_> = of_trace.map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The lines of a JSON log. None may be anything else.
    pub fn lines(&self) -> Vec<Value> {
        self.log.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    pub fn access_lines(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["message"] == "rpc").collect()
    }
}

/// The attributes of a span.
pub fn attributes(span: &Span) -> Value {
    values(&span.attributes)
}

fn values(attributes: &[KeyValue]) -> Value {
    let value = |attribute: &KeyValue| match attribute.value.clone().and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text.into(),
        Some(any_value::Value::IntValue(number)) => number.into(),
        other => panic!("{}: {other:?}", attribute.key),
    };
    let values: Map<_, _> =
        attributes.iter().map(|attribute| (attribute.key.clone(), value(attribute))).collect();
    assert_eq!(values.len(), attributes.len(), "each once: {attributes:?}");
    Value::Object(values)
}
