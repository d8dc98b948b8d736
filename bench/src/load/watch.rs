//! Those who watch while calls are made.

use tonic::{Request, transport::Endpoint};

use crate::pb::{WatchGroupEventsRequest, group_event_service_client::GroupEventServiceClient};

/// Less than a server allows on one connection.
const PER_CONNECTION: usize = 200;

/// Opens so many streams of events, each of which is read until it ends.
pub(super) async fn open(target: &str, watchers: usize) -> Result<(), Box<dyn std::error::Error>> {
    for first in (0..watchers).step_by(PER_CONNECTION) {
        let channel = Endpoint::from_shared(target.to_owned())?.connect().await?;
        let mut client = GroupEventServiceClient::new(channel);
        for _ in first..watchers.min(first + PER_CONNECTION) {
            let mut request =
                Request::new(WatchGroupEventsRequest { app: "app-0".to_owned(), ..Default::default() });
            request.metadata_mut().insert("authorization", "Bearer bench-0".parse()?);
            let mut events = client.watch_group_events(request).await?.into_inner();
            tokio::task::spawn_local(async move { while let Ok(Some(_)) = events.message().await {} });
        }
    }
    Ok(())
}
