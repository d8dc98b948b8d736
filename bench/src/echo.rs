//! Answers from nothing.

use tonic::{Request, Response, Status, async_trait};

use crate::{
    pb::{
        GetGroupRequest, GetGroupResponse, SendAssistantMessageRequest, SendAssistantMessageResponse,
        assistant_service_server::AssistantService, group_service_server::GroupService,
    },
    samples,
};

/// What gRPC alone costs.
#[derive(Debug, Clone, Copy)]
pub struct Echo;

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
