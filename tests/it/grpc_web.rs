//! gRPC-Web as a browser speaks it, through a proxy or not.

use std::net::SocketAddr;

use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Gateway, new_group};

/// Sends CreateGroup over HTTP/1.1; all that comes back, with its bytes that are no text replaced.
async fn create(addr: SocketAddr, content_type: &str) -> String {
    let message = new_group("From a browser").encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0], &length[..], &message].concat();
    let head = format!(
        "POST /dinggate.group.v1.GroupService/CreateGroup HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\
         content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    // One that hangs up in the middle has said nothing.
    stream.read_to_end(&mut answer).await.unwrap_or(0);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_browser_creates_a_group_where_that_is_on() {
    let gateway = Gateway::start_with(|sources| sources.with("server.grpc_web", true)).await;
    let answer = create(gateway.grpc_addr, "application/grpc-web+proto").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("From a browser") && answer.contains("grpc-status:0"), "{answer}");
    assert!(!answer.contains("access-control-"), "pages from elsewhere are not let in: {answer}");

    let answer = create(gateway.grpc_addr, "application/json").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    gateway.groups.clone().create_group(new_group("As ever")).await.unwrap();
}

#[tokio::test]
async fn by_default_there_is_none() {
    let gateway = Gateway::start().await;
    assert_eq!(create(gateway.grpc_addr, "application/grpc-web+proto").await, "");
    assert_eq!(gateway.simulator.calls().len(), 0);
}
