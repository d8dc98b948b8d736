//! A gateway in front of a simulator, both on free ports, and a typed client.

mod requests;

use std::{net::SocketAddr, sync::Once};

use dinggate::{
    config::Sources,
    event::Feed,
    pb::group::{
        self as pb, group_service_client::GroupServiceClient, member_service_client::MemberServiceClient,
    },
    server::Server,
};
use dinggate_simulator::{Options, Seed, Simulator};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::{
    Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use tonic_types::StatusExt;

pub use self::requests::{new_group, user};

/// What tests call. Stops when it is dropped.
pub struct Gateway {
    pub simulator: Simulator,
    pub groups: GroupServiceClient<Channel>,
    pub members: MemberServiceClient<Channel>,
    pub channel: Channel,
    pub feed: Feed,
    pub grpc_addr: SocketAddr,
    pub http_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<anyhow::Result<()>>>,
}

/// Limits that no test reaches unless it is about limits.
fn unlimited() -> toml::Table {
    toml::Table::from_iter([("per_second".to_owned(), 100_000.into()), ("per_month".to_owned(), 0.into())])
}

/// The settings that every gateway of the tests has: free ports, no waiting when it stops, one app.
pub fn sources(dingtalk_url: &str) -> Sources {
    Sources::defaults()
        .with("server.grpc_addr", "127.0.0.1:0")
        .with("server.http_addr", "127.0.0.1:0")
        .with("server.drain_delay", "0s")
        .with("apps.demo.app_key", "dingdemo")
        .with("apps.demo.app_secret", "demo-secret")
        .with("apps.demo.corp_id", "dingcorpdemo")
        .with("apps.demo.limits", unlimited())
        .with("apps.demo.api_url", dingtalk_url)
        .with("apps.demo.oapi_url", dingtalk_url)
}

/// The TLS provider, which `main` installs outside of tests.
pub fn install_tls() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nobody else installs one");
    });
}

impl Gateway {
    pub async fn start() -> Self {
        Self::start_with(|sources| sources).await
    }

    pub async fn start_with(adapt: impl FnOnce(Sources) -> Sources) -> Self {
        let simulator = Simulator::start(Options::default()).await.expect("a free port");
        let sources = adapt(sources(&simulator.url()));
        Self::start_before(simulator, sources).await
    }

    /// A gateway in front of a simulator that is there already.
    pub async fn start_before(simulator: Simulator, sources: Sources) -> Self {
        Self::serve(simulator, sources, None).await
    }

    /// A gateway on a port with TLS, and a client of it.
    pub async fn start_over_tls(tls: ClientTlsConfig, adapt: impl FnOnce(Sources) -> Sources) -> Self {
        let simulator = Simulator::start(Options::default()).await.expect("a free port");
        let sources = adapt(sources(&simulator.url()));
        Self::serve(simulator, sources, Some(tls)).await
    }

    async fn serve(simulator: Simulator, sources: Sources, tls: Option<ClientTlsConfig>) -> Self {
        install_tls();
        let loaded = sources.load().expect("a valid configuration");
        let server = Server::build(loaded).await.expect("free ports");
        let (grpc_addr, http_addr) = (server.grpc_addr(), server.http_addr());
        let feed = server.feed();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.run(async move { drop(stopped.await) }));
        let channel = match tls {
            None => connect(grpc_addr).await,
            Some(tls) => connect_over(tls, grpc_addr).await.expect("a TLS port that trusts us"),
        };
        let groups = GroupServiceClient::new(channel.clone());
        let members = MemberServiceClient::new(channel.clone());
        Self {
            simulator,
            groups,
            members,
            channel,
            feed,
            grpc_addr,
            http_addr,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// Asks the server to stop and waits until it has.
    pub async fn stop(mut self) {
        self.begin_stop();
        let served = self.served.take().expect("not stopped yet");
        served.await.expect("no panic").expect("a clean end");
    }

    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// An internal group with its whole handle.
    pub async fn group(&self) -> pb::Group {
        self.create(new_group("A group")).await
    }

    /// A group made from `tpl-demo`, with its whole handle: `manager4220` owns it.
    pub async fn scene(&self) -> Option<pb::GroupRef> {
        let scenario = pb::ScenarioGroup { template_id: "tpl-demo".to_owned(), ..Default::default() };
        let kind = Some(pb::create_group_request::Kind::Scenario(scenario));
        self.create(pb::CreateGroupRequest { kind, ..new_group("A scene") }).await.r#ref
    }

    pub async fn create(&self, request: pb::CreateGroupRequest) -> pb::Group {
        let reply = self.groups.clone().create_group(request).await.expect("created").into_inner();
        reply.group.expect("a group")
    }
}

pub async fn connect(addr: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address");
    endpoint.connect().await.expect("the gateway listens")
}

/// The same over TLS, which may come to nothing.
pub async fn connect_over(
    tls: ClientTlsConfig,
    addr: SocketAddr,
) -> Result<Channel, tonic::transport::Error> {
    install_tls();
    Endpoint::from_shared(format!("https://{addr}"))?.tls_config(tls)?.connect().await
}

pub fn union(id: &str) -> pb::MemberRef {
    pb::MemberRef { id: Some(pb::member_ref::Id::UnionId(id.to_owned())) }
}

/// `ErrorInfo.reason` of an error.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// An entry of `ErrorInfo.metadata`; empty where there is none.
pub fn metadata(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info();
    info.and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
}

/// The fields that `BadRequest` names, in order.
pub fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// A gateway in front of an organisation with a thousand people more.
pub async fn crowded() -> Gateway {
    crowded_with("new").await
}

/// The same for an app of the other generation.
pub async fn crowded_with(generation: &str) -> Gateway {
    let mut seed: Value = serde_json::to_value(Seed::demo()).unwrap();
    let users = seed["organizations"][0]["users"].as_array_mut().unwrap();
    let pattern = users[0].clone();
    for i in 1..=1000 {
        let mut one = pattern.clone();
        one["user_id"] = json!(format!("person{i:04}"));
        one["union_id"] = json!(format!("union-person{i:04}"));
        users.push(one);
    }
    let seed = Seed::from_json(&seed.to_string()).unwrap();
    let simulator = Simulator::start(Options { seed, ..Options::default() }).await.unwrap();
    let sources = sources(&simulator.url()).with("apps.demo.generation", generation);
    Gateway::start_before(simulator, sources).await
}

/// `person0001` and so on, who are in the organisation of [`crowded`].
pub fn people(range: std::ops::RangeInclusive<usize>) -> Vec<pb::MemberRef> {
    range.map(|i| user(&format!("person{i:04}"))).collect()
}
