//! The services of the contract that this version does not serve yet: each RPC says so.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, async_trait};

use super::status::not_implemented;
use crate::pb::group::{self, group_event_service_server::GroupEventService};

/// Stands where a service will.
#[derive(Debug, Clone, Copy)]
pub struct Later;

#[async_trait]
impl GroupEventService for Later {
    type WatchGroupEventsStream =
        Pin<Box<dyn Stream<Item = Result<group::WatchGroupEventsResponse, Status>> + Send>>;

    async fn watch_group_events(
        &self,
        _: Request<group::WatchGroupEventsRequest>,
    ) -> Result<Response<Self::WatchGroupEventsStream>, Status> {
        Err(not_implemented("dinggate.group.v1.GroupEventService/WatchGroupEvents"))
    }

    async fn list_group_events(
        &self,
        _: Request<group::ListGroupEventsRequest>,
    ) -> Result<Response<group::ListGroupEventsResponse>, Status> {
        Err(not_implemented("dinggate.group.v1.GroupEventService/ListGroupEvents"))
    }
}
