//! The same forwarder, and the same answers from nothing to reads, on the gateway's runtime, HTTP client settings and
//! allocator: what is left between this and the gateway is what the features cost.
//!
//! Usage: bare UPSTREAM

use std::{error::Error, net::SocketAddr, thread};

use dinggate_bench::{echo::Echo, forward::Forwarder, pb::group_service_server::GroupServiceServer, say};
use tokio::{
    net::TcpSocket,
    signal::unix::{SignalKind, signal},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// One runtime for every two cores, each with its own listener on the port and its own connections to the upstream.
fn main() -> Outcome {
    let upstream = std::env::args().nth(1).ok_or("usage: bare UPSTREAM")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let first = runtime.block_on(async { listener(SocketAddr::from(([127, 0, 0, 1], 0))) })?;
    let addr = first.local_addr()?;
    for _ in 1..thread::available_parallelism()?.get().div_ceil(2) {
        let upstream = upstream.clone();
        thread::spawn(move || -> Outcome {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { serve(listener(addr)?, &upstream).await })
        });
    }
    say(&format!("listening on {addr}"))?;
    runtime.block_on(async {
        let mut stop = signal(SignalKind::terminate())?;
        // Returns from main, or what a training run (train.py) has counted would be lost.
        tokio::select! {
            outcome = serve(first, &upstream) => outcome,
            _ = stop.recv() => Ok(()),
        }
    })
}

fn listener(addr: SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.set_nodelay(true)?;
    socket.bind(addr)?;
    socket.listen(1024)
}

async fn serve(listener: tokio::net::TcpListener, upstream: &str) -> Outcome {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(256)
        .tcp_nodelay(true)
        .build()?;
    let forwarder = Forwarder::new(client, upstream).await?;
    let incoming = TcpListenerStream::new(listener);
    let server =
        Server::builder().add_service(forwarder.service()).add_service(GroupServiceServer::new(Echo));
    Ok(server.serve_with_incoming(incoming).await?)
}
