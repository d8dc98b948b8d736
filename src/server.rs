//! [`Server::build`] wires everything once; [`Server::run`] serves and drains.

mod config;
mod http;
mod routes;

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context as _, anyhow};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

pub use self::config::{AuthConfig, AuthMode, ServerConfig};
use self::{
    http::Readiness,
    routes::{end_watches, routes, set_all},
};
use crate::{
    config::{Config, Loaded},
    dingtalk::Client,
    group::Groups,
    service::{Apps, Callers, Limits, Once, Stack},
    store::Store,
};

/// Probes are answered within a moment; a peer that never ends its request is not waited for.
const HTTP_GRACE: Duration = Duration::from_secs(1);

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
        let http = axum::serve(self.http, http::routes(Readiness { ready: readiness, store }))
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
