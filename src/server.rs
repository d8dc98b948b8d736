//! [`Server::build`] wires everything once; [`Server::run`] serves and drains.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context as _, anyhow};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use bytesize::ByteSize;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    codec::CompressionEncoding, server::NamedService, service::Routes, transport::server::TcpIncoming,
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

use crate::{
    config::{Config, Loaded},
    dingtalk::Client,
    group::Groups,
    pb::{
        self,
        admin::{
            admin_service_server::AdminServiceServer, quota_service_server::QuotaServiceServer,
            token_service_server::TokenServiceServer,
        },
        group::{
            assistant_service_server::AssistantServiceServer,
            group_event_service_server::GroupEventServiceServer, group_service_server::GroupServiceServer,
            member_service_server::MemberServiceServer, pinned_card_service_server::PinnedCardServiceServer,
            template_service_server::TemplateServiceServer,
        },
    },
    service::{
        AdminApi, Apps, AssistantApi, Callers, GroupApi, Later, Limits, MemberApi, Once, PinnedCardApi,
        QuotaApi, Stack, TemplateApi, TokenApi,
    },
    store::{Health, Store},
};

/// Probes are answered within a moment; a peer that never ends its request is not waited for.
const HTTP_GRACE: Duration = Duration::from_secs(1);

/// `[server]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where gRPC listens.
    pub grpc_addr: SocketAddr,
    /// Where `/livez` and `/readyz` listen.
    pub http_addr: SocketAddr,
    /// For RPCs whose caller states no deadline.
    #[serde(with = "humantime_serde")]
    pub default_deadline: Duration,
    /// The same for RPCs that may take many upstream calls.
    #[serde(with = "humantime_serde")]
    pub bulk_deadline: Duration,
    /// No RPC gets more.
    #[serde(with = "humantime_serde")]
    pub max_deadline: Duration,
    /// RPCs at work at the same time.
    pub max_concurrent_requests: usize,
    /// Largest request.
    pub max_message_size: ByteSize,
    /// Connections are closed politely after this long.
    #[serde(with = "humantime_serde")]
    pub max_connection_age: Duration,
    /// And without ceremony after this long again.
    #[serde(with = "humantime_serde")]
    pub max_connection_age_grace: Duration,
    /// How long health says NOT_SERVING before the gateway stops accepting.
    #[serde(with = "humantime_serde")]
    pub drain_delay: Duration,
    /// How long RPCs in flight may take after that.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    /// gRPC server reflection.
    pub reflection: bool,
}

/// `[auth]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// How callers are known.
    pub mode: AuthMode,
    /// Accept calls from other hosts although nobody is authenticated.
    pub insecure_allow_remote: bool,
}

/// How callers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Not at all.
    None,
}

impl ServerConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self, auth: &AuthConfig) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |path, text: &str| faults.push((path, text.to_owned()));
        let AuthMode::None = auth.mode;
        if !self.grpc_addr.ip().is_loopback() && !auth.insecure_allow_remote {
            fault(
                "server.grpc_addr",
                "is not loopback, and auth.mode = \"none\" lets everybody in: listen on 127.0.0.1, or set \
                 auth.insecure_allow_remote = true where the network is trusted",
            );
        }
        let deadlines = [
            ("server.default_deadline", self.default_deadline),
            ("server.bulk_deadline", self.bulk_deadline),
        ];
        for (path, deadline) in deadlines {
            if deadline > self.max_deadline {
                fault(path, "is longer than server.max_deadline");
            }
            if deadline.is_zero() {
                fault(path, "must be longer than zero");
            }
        }
        if self.max_concurrent_requests == 0 {
            fault("server.max_concurrent_requests", "must be at least 1");
        }
        if self.max_message_size.as_u64() == 0 {
            fault("server.max_message_size", "must be at least 1 byte");
        }
        if self.max_connection_age.is_zero() {
            fault("server.max_connection_age", "must be longer than zero");
        }
        faults
    }
}

/// A gateway that is bound to its ports.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    apps: Apps,
    client: Client,
    groups: Groups,
    once: Once,
    store: Store,
    callers: Callers,
    grpc: TcpListener,
    http: TcpListener,
}

impl Server {
    /// Wires the parts and binds the ports. Calls nobody yet.
    pub async fn build(loaded: Loaded) -> anyhow::Result<Self> {
        let Config { server: config, dingtalk, token, limits, retry, breaker, cache, store, .. } =
            loaded.config;
        let store = Store::open(&store).map_err(|error| anyhow!(error))?;
        let client = Client::new(&dingtalk, &token, &limits, &retry, &breaker, store.budgets.clone())
            .map_err(|error| anyhow!(error))?;
        Ok(Self {
            apps: Apps::new(loaded.apps),
            client: client.clone(),
            groups: Groups::new(client, cache, store.notices.clone(), store.facts.clone()),
            once: Once::new(store.outcomes.clone()),
            store,
            callers: Callers::new(limits.shares),
            grpc: bind("server.grpc_addr", config.grpc_addr).await?,
            http: bind("server.http_addr", config.http_addr).await?,
            config,
        })
    }

    /// The apps, to renew their secrets while serving.
    pub fn apps(&self) -> Apps {
        self.apps.clone()
    }

    /// Where gRPC is bound.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.local_addr().expect("a bound socket has an address")
    }

    /// Where HTTP is bound.
    pub fn http_addr(&self) -> SocketAddr {
        self.http.local_addr().expect("a bound socket has an address")
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut serving = self.serve().await?;
        tokio::select! {
            () = shutdown => {}
            ended = &mut serving.grpc => return Err(anyhow!("the gRPC server ended by itself: {ended:?}")),
        }
        serving.drain().await
    }

    async fn serve(self) -> anyhow::Result<Serving> {
        let (grpc_addr, http_addr) = (self.grpc_addr(), self.http_addr());
        let apps = self.apps.iter().map(|app| app.alias()).collect::<Vec<_>>().join(",");
        let (stop_grpc, stop_http) = (CancellationToken::new(), CancellationToken::new());
        let (ready, readiness) = watch::channel(true);
        let store = self.store;
        let (health, health_service) = tonic_health::server::health_reporter();
        let limits = Limits {
            default_deadline: self.config.default_deadline,
            bulk_deadline: self.config.bulk_deadline,
            max_deadline: self.config.max_deadline,
            max_concurrent_requests: self.config.max_concurrent_requests,
        };
        let routes =
            routes(&self.config, self.apps, self.client, self.groups, self.once)?.add_service(health_service);
        let grpc = tonic::transport::Server::builder()
            .max_connection_age(self.config.max_connection_age)
            .max_connection_age_grace(self.config.max_connection_age_grace)
            .layer(Stack::new(limits, self.callers))
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                TcpIncoming::from(self.grpc).with_nodelay(Some(true)),
                stop_grpc.clone().cancelled_owned(),
            );
        let http = axum::serve(self.http, http_routes(Readiness { ready: readiness, store }))
            .with_graceful_shutdown(stop_http.clone().cancelled_owned());
        let (grpc, http) = (tokio::spawn(grpc), tokio::spawn(http.into_future()));
        set_all(&health, ServingStatus::Serving).await;
        info!(%grpc_addr, %http_addr, apps, "serving");
        Ok(Serving { config: self.config, grpc, http, stop_grpc, stop_http, ready, health })
    }
}

/// A gateway at work.
struct Serving {
    config: ServerConfig,
    grpc: JoinHandle<Result<(), tonic::transport::Error>>,
    http: JoinHandle<io::Result<()>>,
    stop_grpc: CancellationToken,
    stop_http: CancellationToken,
    ready: watch::Sender<bool>,
    health: HealthReporter,
}

impl Serving {
    /// Health says NOT_SERVING, load balancers get time to notice, no new connections, RPCs in flight may finish.
    async fn drain(mut self) -> anyhow::Result<()> {
        info!(delay = ?self.config.drain_delay, timeout = ?self.config.drain_timeout, "draining");
        self.ready.send_replace(false);
        set_all(&self.health, ServingStatus::NotServing).await;
        sleep(self.config.drain_delay).await;
        self.stop_grpc.cancel();
        end_watches(&mut self.health).await;
        match timeout(self.config.drain_timeout, &mut self.grpc).await {
            Ok(ended) => ended.context("the gRPC server panicked")??,
            Err(_) => {
                warn!("some calls did not end within server.drain_timeout and are cut off");
                self.grpc.abort();
            }
        }
        self.stop_http.cancel();
        match timeout(HTTP_GRACE, &mut self.http).await {
            Ok(ended) => ended.context("the HTTP server panicked")??,
            Err(_) => self.http.abort(),
        }
        info!("stopped");
        Ok(())
    }
}

/// A port in use is the commonest reason not to start: say which, and what sets it.
async fn bind(setting: &str, addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| {
        format!("{setting}: cannot listen on {addr} (stop what listens there, or set another address; port 0 takes a free one)")
    })
}

fn routes(
    config: &ServerConfig,
    apps: Apps,
    client: Client,
    groups: Groups,
    once: Once,
) -> anyhow::Result<Routes> {
    let size = usize::try_from(config.max_message_size.as_u64()).unwrap_or(usize::MAX);
    let group = GroupServiceServer::new(GroupApi::new(apps.clone(), groups.clone(), once.clone()))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let member = MemberServiceServer::new(MemberApi::new(apps.clone(), groups.clone(), once.clone()))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let template = TemplateServiceServer::new(TemplateApi::new(apps.clone(), groups.clone(), once.clone()))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let pinned_card =
        PinnedCardServiceServer::new(PinnedCardApi::new(apps.clone(), groups.clone(), once.clone()))
            .max_decoding_message_size(size)
            .accept_compressed(CompressionEncoding::Gzip);
    let token = TokenServiceServer::new(TokenApi::new(apps.clone(), client.clone()))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let quota = QuotaServiceServer::new(QuotaApi::new(apps.clone(), client.clone()))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let admin = AdminServiceServer::new(AdminApi::new(apps.clone(), client, groups.clone()))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let assistant = AssistantServiceServer::new(AssistantApi::new(apps, groups, once))
        .max_decoding_message_size(size)
        .accept_compressed(CompressionEncoding::Gzip);
    let mut routes = Routes::new(group)
        .add_service(member)
        .add_service(template)
        .add_service(pinned_card)
        .add_service(assistant)
        .add_service(GroupEventServiceServer::new(Later))
        .add_service(token)
        .add_service(quota)
        .add_service(admin);
    if config.reflection {
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that command line clients can show the details of errors.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        // Many clients still ask for v1alpha only.
        routes = routes.add_service(builder().build_v1()?).add_service(builder().build_v1alpha()?);
    }
    Ok(routes)
}

/// The services of the contract, and the empty name for the gateway as a whole.
const HEALTH_NAMES: [&str; 10] = [
    "",
    GroupServiceServer::<GroupApi>::NAME,
    MemberServiceServer::<MemberApi>::NAME,
    TemplateServiceServer::<TemplateApi>::NAME,
    PinnedCardServiceServer::<PinnedCardApi>::NAME,
    AssistantServiceServer::<AssistantApi>::NAME,
    GroupEventServiceServer::<Later>::NAME,
    TokenServiceServer::<TokenApi>::NAME,
    QuotaServiceServer::<QuotaApi>::NAME,
    AdminServiceServer::<AdminApi>::NAME,
];

async fn set_all(health: &HealthReporter, status: ServingStatus) {
    for name in HEALTH_NAMES {
        health.set_service_status(name, status).await;
    }
}

/// Who watches health has been told; left alone, their streams would be waited for like calls in flight.
async fn end_watches(health: &mut HealthReporter) {
    for name in HEALTH_NAMES {
        health.clear_service_status(name).await;
    }
}

/// What `/readyz` looks at.
#[derive(Clone)]
struct Readiness {
    ready: watch::Receiver<bool>,
    /// Held for as long as the gateway serves: a store that nobody holds is not looked after.
    store: Store,
}

/// `/livez`: the process answers. `/readyz`: it wants calls; neither asks DingTalk.
fn http_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(readiness)
}

/// A gateway whose store is lost still wants calls: the others have lost it, too.
async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<serde_json::Value>) {
    let mut reasons = Vec::new();
    if *readiness.store.health.borrow() == Health::Degraded {
        reasons.push("store: degraded, Redis cannot be reached");
    }
    if *readiness.ready.borrow() {
        (StatusCode::OK, Json(json!({ "status": "ready", "reasons": reasons })))
    } else {
        reasons.insert(0, "the gateway is stopping");
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "draining", "reasons": reasons })))
    }
}
