//! Start, crowd, stop.

use std::sync::Arc;

use dinggate_simulator::{Options, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::Dingtalk;

/// Two descriptors a client in one process: more would need a higher `ulimit -n` than many systems give.
const CROWD: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_connects_at_once_and_gets_one_token() {
    let dingtalk = Dingtalk::start().await;
    let (addr, barrier) = (dingtalk.simulator.addr(), Arc::new(Barrier::new(CROWD)));
    let mut clients = JoinSet::new();
    for _ in 0..CROWD {
        let barrier = barrier.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            barrier.wait().await;
            let request = "GET /gettoken?appkey=dingdemo&appsecret=demo-secret HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        });
    }
    for answer in clients.join_all().await {
        assert!(answer.contains(&dingtalk.token), "{answer}");
    }
    assert_eq!(dingtalk.simulator.token_requests(), CROWD as u64);
    assert_eq!(dingtalk.simulator.connections(), CROWD as u64 + 1);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let first = Simulator::start(Options::default()).await.unwrap();
    let second = Simulator::start(Options { addr: first.addr(), ..Default::default() }).await;
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn stop_closes_listener_and_connections() {
    let dingtalk = Dingtalk::start().await;
    let mut idle = TcpStream::connect(dingtalk.simulator.addr()).await.unwrap();
    dingtalk.simulator.stop().await;
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    assert!(TcpStream::connect(dingtalk.simulator.addr()).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn dropping_the_last_handle_stops_it() {
    let first = Simulator::start(Options::default()).await.unwrap();
    let second = first.clone();
    let mut client = TcpStream::connect(first.addr()).await.unwrap();
    drop(first);
    client.write_all(b"GET /_sim/counters HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 1, "still served");
    drop(second);
    let mut rest = Vec::new();
    // Ends by a close or a reset; it hangs if the connection stays.
    let _ = client.read_to_end(&mut rest).await;
}

#[tokio::test]
#[should_panic(expected = "no operation \"group.creat\"")]
async fn a_misspelt_operation_id_is_refused() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    simulator.requests("group.creat");
}
