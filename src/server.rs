//! [`Server::build`] wires everything once; [`Server::run`] serves and drains.

mod config;
mod gauges;
mod http;
mod listen;
mod port;
mod routes;
mod services;
mod sources;
mod tls;
mod workers;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, util::option_layer};
use tracing::{info, warn};

pub use self::{
    config::ServerConfig,
    tls::{Tls, TlsConfig},
    workers::Workers,
};
use self::{
    http::Readiness,
    listen::Listener,
    routes::{end_watches, routes, set_all},
    sources::Sources,
};
use crate::{
    audit::Audit,
    config::{Config, Loaded},
    dingtalk::Client,
    event::{Feed, Streams},
    group::Groups,
    identity::Authenticator,
    metrics::{Metrics, process},
    service::{Apps, Callers, Limits, Once, Stack},
    store::Store,
    telemetry::Meters,
};

/// Probes are answered within a moment; a peer that never ends its request is not waited for.
const HTTP_GRACE: Duration = Duration::from_secs(1);

/// A gateway that is bound to its ports.
#[derive(Debug)]
pub struct Server {
    config: Arc<ServerConfig>,
    tls: Option<Tls>,
    meters: Meters,
    metrics: Metrics,
    apps: Apps,
    client: Client,
    groups: Groups,
    feed: Feed,
    once: Once,
    store: Store,
    callers: Callers,
    audit: Audit,
    grpc: TcpListener,
    http: TcpListener,
    sources: Sources,
    workers: Workers,
}

impl Server {
    /// Wires the parts and binds the ports. Calls nobody yet.
    pub async fn build(loaded: Loaded) -> anyhow::Result<Self> {
        let Config {
            server: config,
            auth,
            audit,
            dingtalk,
            token,
            limits,
            retry,
            breaker,
            cache,
            store,
            events,
            telemetry,
            ..
        } = loaded.config;
        let grpc = bind("server.grpc_addr", config.grpc_addr).await?;
        let http = bind("server.http_addr", config.http_addr).await?;
        let tls = Tls::open(&config.tls).map_err(|fault| anyhow!(fault))?;
        let authenticator = Authenticator::open(&auth).await.map_err(|error| anyhow!(error))?;
        let store = Store::open(&store).map_err(|error| anyhow!(error))?;
        let meters = Meters::new(&telemetry)?;
        let callers = auth.callers.values().map(|caller| &caller.name).chain(limits.shares.keys());
        let metrics = Metrics::new(&meters.meter(), callers.cloned());
        let budgets = store.budgets.clone();
        let client = Client::new(&dingtalk, &token, &limits, &retry, &breaker, budgets, metrics.clone())
            .map_err(|error| anyhow!(error))?;
        let apps = Apps::new(loaded.apps);
        gauges::observe(&meters.meter(), &apps, &client, &store.health);
        if let Some(tls) = &tls {
            gauges::certificate(&meters.meter(), tls.clone());
        }
        Ok(Self {
            feed: Feed::new(&store, &events, apps.iter().map(|app| app.alias()), metrics.clone()),
            apps,
            client: client.clone(),
            groups: Groups::new(client, cache, store.notices.clone(), store.facts.clone()),
            once: Once::new(store.outcomes.clone()),
            store,
            callers: match authenticator {
                Some(authenticator) => Callers::authenticated(authenticator),
                None => Callers::stated(limits.shares),
            },
            audit: Audit::open(&audit).map_err(|error| anyhow!(error))?,
            tls,
            meters,
            metrics,
            grpc,
            http,
            sources: Sources::bind(&events).await?,
            config: Arc::new(config),
            workers: Workers::here(),
        })
    }

    /// Has calls served by these workers, and not by the runtime that the server runs on.
    pub fn on(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// The apps, to renew their secrets while serving.
    pub fn apps(&self) -> Apps {
        self.apps.clone()
    }

    /// The audit log, to open its file anew.
    pub fn audit(&self) -> Audit {
        self.audit.clone()
    }

    /// TLS of the gRPC port, to look at its files and to see when its certificate expires; none on a plaintext port.
    pub fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// The events, to feed them while serving.
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Where gRPC is bound.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.local_addr().expect("a bound socket has an address")
    }

    /// Where HTTP is bound.
    pub fn http_addr(&self) -> SocketAddr {
        self.http.local_addr().expect("a bound socket has an address")
    }

    /// Where DingTalk posts events, if that is bound to an address of its own.
    pub fn callback_addr(&self) -> Option<SocketAddr> {
        self.sources.addr()
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let audit = self.audit();
        let mut serving = self.serve().await?;
        tokio::select! {
            () = shutdown => {}
            ended = &mut serving.grpc => return Err(anyhow!("the gRPC server ended by itself: {ended:?}")),
        }
        let drained = serving.drain().await;
        audit.flush().await;
        drained
    }

    async fn serve(self) -> anyhow::Result<Serving> {
        let (grpc_addr, http_addr, tls) = (self.grpc_addr(), self.http_addr(), self.tls.is_some());
        let apps = self.apps.iter().map(|app| app.alias()).collect::<Vec<_>>().join(",");
        let (stop_grpc, stop_http) = (CancellationToken::new(), CancellationToken::new());
        let (ready, readiness) = watch::channel(true);
        let parts = (self.apps.iter().cloned(), &self.client, &self.groups, &self.feed, &self.store);
        let (streams, posts) = self.sources.open(parts, &self.metrics, &stop_http);
        let store = self.store;
        let (health, health_service) = tonic_health::server::health_reporter();
        let limits = Limits {
            default_deadline: self.config.default_deadline,
            bulk_deadline: self.config.bulk_deadline,
            max_deadline: self.config.max_deadline,
            max_concurrent_requests: self.config.max_concurrent_requests,
        };
        let routes = routes(&self.config, self.apps, self.client, self.groups, self.feed.clone(), self.once)?
            .with(health_service);
        let web = option_layer(self.config.grpc_web.then(GrpcWebLayer::new));
        let listener = Listener {
            config: self.config.clone(),
            tls: self.tls,
            metrics: self.metrics.clone(),
            service: web
                .layer(Stack::new(limits, self.callers, self.audit, self.metrics.clone()).layer(routes)),
            workers: self.workers.pool(),
            stop: stop_grpc.clone(),
        };
        process::observe(&self.meters.meter(), self.workers.metrics());
        // Before the first call can come in: whoever asks for a service that has no status yet hears that there is none.
        set_all(&health, ServingStatus::Serving).await;
        let http = http::routes(Readiness { ready: readiness, store }, self.meters.scrape()).merge(posts);
        let http = tokio::spawn(http::serve(self.http, http, self.metrics.clone(), stop_http.clone()));
        let grpc = tokio::spawn(listener.serve(self.grpc));
        info!(%grpc_addr, %http_addr, tls, apps, "serving");
        let Self { config, meters, feed, workers, .. } = self;
        Ok(Serving {
            config,
            meters,
            workers,
            grpc,
            http,
            stop_grpc,
            stop_http,
            ready,
            health,
            feed,
            streams,
        })
    }
}

/// A gateway at work.
struct Serving {
    config: Arc<ServerConfig>,
    meters: Meters,
    workers: Workers,
    grpc: JoinHandle<()>,
    http: JoinHandle<()>,
    stop_grpc: CancellationToken,
    stop_http: CancellationToken,
    ready: watch::Sender<bool>,
    health: HealthReporter,
    feed: Feed,
    streams: Option<Streams>,
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
        // Watchers would not end by themselves; they come back elsewhere, where they left off.
        self.feed.close();
        if let Some(streams) = self.streams.take() {
            streams.close().await;
        }
        match timeout(self.config.drain_timeout, &mut self.grpc).await {
            Ok(ended) => ended.context("the gRPC server panicked")?,
            Err(_) => {
                warn!("some calls did not end within server.drain_timeout and are cut off");
                self.grpc.abort();
            }
        }
        self.stop_http.cancel();
        match timeout(HTTP_GRACE, &mut self.http).await {
            Ok(ended) => ended.context("the HTTP server panicked")?,
            Err(_) => self.http.abort(),
        }
        // What was cut off is told and counted, too.
        drop(self.workers);
        self.meters.shutdown().await;
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
