//! A bare tonic server that answers the same messages from nothing: what gRPC alone costs on tokio's default runtime and
//! the system's allocator.

use dinggate_bench::{
    listening,
    pb::{
        GetGroupRequest, GetGroupResponse, SendAssistantMessageRequest, SendAssistantMessageResponse,
        assistant_service_server::{AssistantService, AssistantServiceServer},
        group_service_server::{GroupService, GroupServiceServer},
    },
    samples,
};
use tonic::{Request, Response, Status, async_trait, transport::Server};

struct Echo;

#[async_trait]
impl AssistantService for Echo {
    async fn send_assistant_message(
        &self,
        _: Request<SendAssistantMessageRequest>,
    ) -> Result<Response<SendAssistantMessageResponse>, Status> {
        Ok(Response::new(samples::sent()))
    }
}

#[async_trait]
impl GroupService for Echo {
    async fn get_group(
        &self,
        request: Request<GetGroupRequest>,
    ) -> Result<Response<GetGroupResponse>, Status> {
        let group = Some(samples::group(request.into_inner().group));
        let read_time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 422_000_000 });
        Ok(Response::new(GetGroupResponse { group, read_time, from_cache: true }))
    }
}

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
