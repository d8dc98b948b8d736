//! Health, readiness and the graceful stop.

use std::{net::SocketAddr, time::Duration};

use dinggate_simulator::Fault;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::timeout,
};
use tonic::{Code, Streaming};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use crate::{
    contract::SERVICES,
    support::{Gateway, new_group},
};

/// Far less than any timeout of the server that could end a wait in its place.
const SOON: Duration = Duration::from_secs(8);

fn question(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn check(gateway: &Gateway, service: &str) -> Result<ServingStatus, tonic::Status> {
    let mut health = HealthClient::new(gateway.channel.clone());
    Ok(health.check(question(service)).await?.into_inner().status())
}

async fn watch(gateway: &Gateway, service: &str) -> Streaming<HealthCheckResponse> {
    let mut health = HealthClient::new(gateway.channel.clone());
    health.watch(question(service)).await.unwrap().into_inner()
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> ServingStatus {
    timeout(SOON, watch.message()).await.expect("soon").unwrap().expect("not the end").status()
}

/// Status and body of a GET.
async fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn readyz(addr: SocketAddr) -> (u16, Value) {
    let (status, body) = get(addr, "/readyz").await;
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn the_gateway_and_each_service_are_serving() {
    let gateway = Gateway::start().await;
    for service in SERVICES.into_iter().chain([""]) {
        assert_eq!(check(&gateway, service).await.unwrap(), ServingStatus::Serving, "{service:?}");
    }
    assert_eq!(check(&gateway, "made.up.Service").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(get(gateway.http_addr, "/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(readyz(gateway.http_addr).await, (200, json!({ "status": "ready", "reasons": [] })));
    assert_eq!(get(gateway.http_addr, "/elsewhere").await.0, 404);
    assert_eq!(gateway.simulator.calls().len(), 0, "nobody asks DingTalk how it is");
}

#[tokio::test]
async fn without_its_store_it_says_so_and_still_serves() {
    let gateway = Gateway::start_with(|sources| {
        sources.with("store.kind", "redis").with("store.url", "redis://127.0.0.1:1")
    })
    .await;
    let reasons = json!(["store: degraded, Redis cannot be reached"]);
    assert_eq!(readyz(gateway.http_addr).await, (200, json!({ "status": "ready", "reasons": reasons })));
    gateway.groups.clone().create_group(new_group("A group")).await.unwrap();
}

#[tokio::test]
async fn it_looks_for_its_store_as_long_as_it_serves() {
    let redis = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", redis.local_addr().unwrap());
    let gateway =
        Gateway::start_with(|sources| sources.with("store.kind", "redis").with("store.url", url)).await;
    // Some may be older than the gateway, but not so many.
    for _ in 0..10 {
        drop(timeout(SOON, redis.accept()).await.expect("another try").unwrap());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn while_it_drains_it_says_so_and_still_serves() {
    let mut gateway = Gateway::start_with(|sources| sources.with("server.drain_delay", "1h")).await;
    let mut overall = watch(&gateway, "").await;
    let mut service = watch(&gateway, SERVICES[0]).await;
    assert_eq!(next(&mut overall).await, ServingStatus::Serving);
    assert_eq!(next(&mut service).await, ServingStatus::Serving);

    gateway.begin_stop();
    assert_eq!(next(&mut overall).await, ServingStatus::NotServing);
    assert_eq!(next(&mut service).await, ServingStatus::NotServing);
    for service in SERVICES.into_iter().chain([""]) {
        // One after the other, so the last may lag behind the first.
        while check(&gateway, service).await.unwrap() != ServingStatus::NotServing {
            yield_now().await;
        }
    }
    let (status, body) = readyz(gateway.http_addr).await;
    assert_eq!((status, &body["status"]), (503, &json!("draining")));
    assert_eq!(body["reasons"], json!(["the gateway is stopping"]));
    assert_eq!(get(gateway.http_addr, "/livez").await.0, 200, "it is not to be killed");
    crate::support::connect(gateway.grpc_addr).await;
    gateway.groups.clone().create_group(new_group("Not noticed yet")).await.unwrap();
}

#[tokio::test]
async fn a_call_in_flight_is_answered_and_a_new_connection_is_refused() {
    let mut gateway = Gateway::start().await;
    gateway.simulator.fail_next("group.create", 1, Fault::Delay { ms: 1500 });
    let mut groups = gateway.groups.clone();
    let in_flight = tokio::spawn(async move { groups.create_group(new_group("In flight")).await });
    while gateway.simulator.requests("group.create") == 0 {
        yield_now().await;
    }

    gateway.begin_stop();
    while TcpStream::connect(gateway.grpc_addr).await.is_ok() {
        yield_now().await;
    }
    assert!(!in_flight.is_finished());
    assert!(in_flight.await.unwrap().expect("answered").into_inner().complete);
    let http_addr = gateway.http_addr;
    timeout(SOON, gateway.stop()).await.expect("nothing is left to wait for");
    TcpStream::connect(http_addr).await.expect_err("closed as well");
}

#[tokio::test]
async fn a_call_that_hangs_does_not_keep_it_from_stopping() {
    let gateway = Gateway::start_with(|sources| {
        sources.with("server.drain_timeout", "200ms").with("server.default_deadline", "100s")
    })
    .await;
    gateway.simulator.fail_next("group.create", 1, Fault::Hang);
    let mut groups = gateway.groups.clone();
    let hanging = tokio::spawn(async move { groups.create_group(new_group("Hanging")).await });
    while gateway.simulator.requests("group.create") == 0 {
        yield_now().await;
    }
    timeout(SOON, gateway.stop()).await.expect("it ends");
    hanging.abort();
}

#[tokio::test]
async fn who_watches_its_health_does_not_keep_it_from_stopping() {
    let gateway = Gateway::start().await;
    let mut health = watch(&gateway, "").await;
    assert_eq!(next(&mut health).await, ServingStatus::Serving);
    timeout(SOON, gateway.stop()).await.expect("it ends");
}

#[tokio::test]
async fn half_a_request_does_not_keep_it_from_stopping() {
    let gateway = Gateway::start().await;
    let mut half = TcpStream::connect(gateway.http_addr).await.unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    timeout(SOON, gateway.stop()).await.expect("it ends");
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_it_from_stopping() {
    let gateway = Gateway::start_with(|sources| sources.with("server.drain_timeout", "200ms")).await;
    let _silent = [TcpStream::connect(gateway.http_addr).await, TcpStream::connect(gateway.grpc_addr).await];
    timeout(SOON, gateway.stop()).await.expect("it ends");
}
