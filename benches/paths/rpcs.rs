//! Whole RPCs of one gateway, from the bytes of the request to the bytes and trailers of the answer.

#[path = "../../tests/it/support/requests.rs"]
mod requests;

use std::{rc::Rc, time::Duration};

use dinggate::{
    audit::Audit,
    config::{Config, Sources},
    dingtalk::Client,
    group::Groups,
    metrics::Metrics,
    pb::group::{self as pb, group_service_server::GroupServiceServer},
    service::{Apps, Callers, GroupApi, Limits, Once, Stack},
    store::Store,
    telemetry::{self, Meters},
};
use dinggate_simulator::{Options, Simulator};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use prost::{Message, bytes::Bytes};
use tokio::runtime::{Builder, Runtime};
use tonic::{Code, Status, body::Body};
use tower::{Layer as _, ServiceExt as _, util::BoxCloneSyncService};

use self::requests::{new_group, user};
use super::{Path, runtime};

type Service = BoxCloneSyncService<Request<Body>, http::Response<Body>, std::convert::Infallible>;

/// As long as an answer is kept: callgrind is slow.
const CACHED: Duration = Duration::from_secs(600);

pub fn paths() -> Vec<Path> {
    let gateway = Rc::new(Gateway::start());
    let group = gateway.create();
    vec![
        gateway.path("cached read", Code::Ok, "GetGroup", &read(&group, CACHED)),
        gateway.path("forwarded read", Code::Ok, "GetGroup", &read(&group, Duration::ZERO)),
        gateway.path(
            "valid request, as a plan",
            Code::Ok,
            "CreateGroup",
            &pb::CreateGroupRequest { validate_only: true, ..new_group("A group") },
        ),
        gateway.path("request with three faults", Code::InvalidArgument, "CreateGroup", &faulty()),
    ]
}

/// Without a title, and with two members that are nobody.
fn faulty() -> pb::CreateGroupRequest {
    pb::CreateGroupRequest { members: vec![user(""), pb::MemberRef { id: None }], ..new_group("") }
}

fn read(group: &pb::GroupRef, max_staleness: Duration) -> pb::GetGroupRequest {
    let max_staleness = Some(max_staleness.try_into().expect("a short time"));
    pb::GetGroupRequest { group: Some(group.clone()), max_staleness, ..Default::default() }
}

struct Gateway {
    runtime: Runtime,
    service: Service,
    /// And its thread.
    _simulator: (Simulator, Runtime),
}

impl Gateway {
    fn start() -> Self {
        let aside = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let simulator = aside.block_on(Simulator::start(Options::default())).expect("a free port");
        let runtime = runtime();
        let service = runtime.block_on(async { service(&simulator.url()) });
        Self { runtime, service, _simulator: (simulator, aside) }
    }

    fn path(self: &Rc<Self>, name: &'static str, expected: Code, rpc: &str, message: &impl Message) -> Path {
        let (gateway, rpc, message) = (self.clone(), rpc.to_owned(), frame(message));
        Path::new(name, move || {
            let status = gateway.call(&rpc, message.clone()).map_or_else(|status| status, |_| Status::ok(""));
            assert_eq!(status.code(), expected, "{status:?}");
        })
    }

    fn create(&self) -> pb::GroupRef {
        let answer = self.call("CreateGroup", frame(&new_group("A group"))).expect("a group");
        let created = pb::CreateGroupResponse::decode(&answer[PREFIX..]).expect("an answer of the contract");
        created.group.and_then(|group| group.r#ref).expect("its handle")
    }

    /// The body of the answer.
    fn call(&self, rpc: &str, frame: Bytes) -> Result<Bytes, Status> {
        let request = Request::post(format!("http://gateway/dinggate.group.v1.GroupService/{rpc}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(Full::new(frame)))
            .expect("a request");
        self.runtime.block_on(async {
            let response = self.service.clone().oneshot(request).await.expect("infallible");
            let (head, body) = response.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().unwrap_or(&head.headers);
            match Status::from_header_map(trailers) {
                Some(status) if status.code() != Code::Ok => Err(status),
                _ => Ok(body.to_bytes()),
            }
        })
    }
}

/// A byte for the compression, four for the length.
const PREFIX: usize = 5;

fn frame(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], &length[..], &message].concat().into()
}

/// As `Server` wires it; without the services that no path is about.
fn service(dingtalk_url: &str) -> Service {
    let of_app = |key: &str, value: i64| (key.to_owned(), toml::Value::from(value));
    let loaded = Sources::defaults()
        .with("server.grpc_addr", "127.0.0.1:0")
        // What is sampled is chosen by chance.
        .with("telemetry.sampler_arg", 0.0)
        .with("apps.demo.app_key", "dingdemo")
        .with("apps.demo.app_secret", "demo-secret")
        .with("apps.demo.corp_id", "dingcorpdemo")
        .with(
            "apps.demo.limits",
            toml::Table::from_iter([of_app("per_second", 100_000), of_app("per_month", 0)]),
        )
        .with("apps.demo.api_url", dingtalk_url)
        .with("apps.demo.oapi_url", dingtalk_url)
        .load()
        .expect("a valid configuration");
    let Config { server, audit, dingtalk, token, limits, retry, breaker, cache, store, telemetry, .. } =
        loaded.config;
    // There is no endpoint that its guard could flush to.
    drop(telemetry::init(&telemetry).expect("nobody else installs it"));
    let meters = Meters::new(&telemetry).expect("no endpoint");
    let metrics = Metrics::new(&meters.meter(), []);
    let store = Store::open(&store).expect("memory");
    let budgets = store.budgets.clone();
    let client = Client::new(&dingtalk, &token, &limits, &retry, &breaker, budgets, metrics.clone());
    let groups = Groups::new(client.expect("a client"), cache, store.notices.clone(), store.facts.clone());
    let rpcs = Limits {
        default_deadline: server.default_deadline,
        bulk_deadline: server.bulk_deadline,
        max_deadline: server.max_deadline,
        max_concurrent_requests: server.max_concurrent_requests,
    };
    let audit = Audit::open(&audit).expect("nowhere to write");
    let api = GroupApi::new(Apps::new(loaded.apps), groups, Once::new(store.outcomes.clone()));
    let stack = Stack::new(rpcs, Callers::stated(limits.shares), audit, metrics);
    BoxCloneSyncService::new(stack.layer(GroupServiceServer::new(api)))
}
