//! The gateway that anybody would write: tonic, serde_json, reqwest, on tokio's default runtime and the system's allocator.
//!
//! Usage: minimal UPSTREAM

use dinggate_bench::{forward::Forwarder, listening};
use tonic::transport::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let upstream = std::env::args().nth(1).ok_or("usage: minimal UPSTREAM")?;
    let forwarder = Forwarder::new(reqwest::Client::new(), &upstream).await?;
    let incoming = listening().await?;
    Server::builder().add_service(forwarder.service()).serve_with_incoming(incoming).await?;
    Ok(())
}
