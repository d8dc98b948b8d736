//! A bare tonic server that answers the same messages from nothing: what gRPC alone costs on tokio's default runtime and
//! the system's allocator.

use dinggate_bench::{
    echo::Echo,
    listening,
    pb::{assistant_service_server::AssistantServiceServer, group_service_server::GroupServiceServer},
};
use tonic::transport::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let incoming = listening().await?;
    Server::builder()
        .add_service(AssistantServiceServer::new(Echo))
        .add_service(GroupServiceServer::new(Echo))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
