//! Watching what happens in groups, for as long as the program runs.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    connect::Channel,
    incident::explain,
    pb::{
        Gap, GroupEvent, WatchGroupEventsRequest, WatchGroupEventsResponse, group_event::Change,
        group_event_service_client::GroupEventServiceClient, watch_group_events_response::Item,
    },
};

// [docs:watch]
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// They will not change when the same is asked again.
const POINTLESS: [Code; 6] = [
    Code::InvalidArgument,
    Code::NotFound,
    Code::PermissionDenied,
    Code::Unauthenticated,
    Code::FailedPrecondition,
    Code::Unimplemented,
];

/// What is watched, and where it stands.
pub struct Watch<H> {
    pub events: GroupEventServiceClient<Channel>,
    /// So long is the stream silent, then there is a checkpoint.
    pub interval: Duration,
    /// The place to go on from; empty: from now on. Keep it, and a restart of your own loses nothing.
    pub resume_token: String,
    pub handle: H,
    pause: Duration,
}

impl<H: FnMut(&WatchGroupEventsResponse)> Watch<H> {
    /// Hands every item to `handle`, in order. When the stream ends it goes on behind the last item, until the gateway
    /// refuses for good.
    pub async fn run(&mut self) -> Status {
        loop {
            let over = || Status::unavailable("the stream ended");
            let ended = self.follow().await.err().unwrap_or_else(over);
            if POINTLESS.contains(&ended.code()) {
                return ended;
            }
            if let Some(info) = ended.get_details_error_info()
                && info.reason == "RESUME_TOKEN_EXPIRED"
            {
                // We were away for longer than the gateway keeps events: that is a gap, too.
                let (item, resume_token) = (Item::Gap(Gap::default()), info.metadata["oldest_token"].clone());
                self.take(WatchGroupEventsResponse { item: Some(item), resume_token });
            }
            let delay = ended.get_details_retry_info().and_then(|retry| retry.retry_delay);
            // By lot, so that not all come back at once.
            let wait = delay.unwrap_or_default() + self.pause.mul_f64(fastrand::f64());
            self.pause = (2 * self.pause).min(LONGEST_PAUSE);
            eprintln!("watching again in {wait:?}: {}", explain(&ended));
            sleep(wait).await;
        }
    }

    fn take(&mut self, item: WatchGroupEventsResponse) {
        (self.handle)(&item);
        self.resume_token = item.resume_token;
        self.pause = SHORTEST_PAUSE;
    }

    /// Reads one stream to its end. One that misses three checkpoints is dead, whatever its connection looks like.
    async fn follow(&mut self) -> Result<(), Status> {
        let request = WatchGroupEventsRequest {
            checkpoint_interval: self.interval.try_into().ok(),
            resume_token: self.resume_token.clone(),
            ..Default::default()
        };
        let patience = 3 * self.interval;
        let silent = |_| Status::cancelled("no sign of life from the gateway");
        let opening = timeout(patience, self.events.watch_group_events(request));
        let mut items = opening.await.map_err(silent)??.into_inner();
        while let Some(item) = timeout(patience, items.message()).await.map_err(silent)?? {
            self.take(item);
        }
        Ok(())
    }
}
// [/docs:watch]

/// Prints a line for each item, until the gateway refuses for good.
pub async fn print(channel: Channel, seconds: u32, resume_token: String) -> Status {
    let (events, interval) = (GroupEventServiceClient::new(channel), Duration::from_secs(seconds.into()));
    Watch { events, interval, resume_token, handle: print_item, pause: SHORTEST_PAUSE }.run().await
}

fn print_item(item: &WatchGroupEventsResponse) {
    let token = &item.resume_token;
    let line = match &item.item {
        Some(Item::Event(event)) => {
            let group = event.group.clone().unwrap_or_default();
            json!({
                "item": "event", "resumeToken": token, "id": event.event_id, "type": kind(event),
                "openConversationId": group.open_conversation_id, "chatId": group.chat_id,
            })
        }
        Some(Item::Checkpoint(_)) => json!({"item": "checkpoint", "resumeToken": token}),
        // Here an application reads anew what it knows of groups.
        Some(Item::Gap(gap)) => {
            json!({"item": "gap", "resumeToken": token, "cause": gap.cause().as_str_name()})
        }
        None => json!({"item": "unknown", "resumeToken": token}),
    };
    println!("{line}");
}

/// What happened; what is not set is newer than our copy of the contract.
fn kind(event: &GroupEvent) -> &'static str {
    match event.change {
        Some(Change::MembersAdded(_)) => "members_added",
        Some(Change::MembersRemoved(_)) => "members_removed",
        Some(Change::MemberQuit(_)) => "member_quit",
        Some(Change::OwnerChanged(_)) => "owner_changed",
        Some(Change::TitleChanged(_)) => "title_changed",
        Some(Change::GroupDisbanded(_)) => "group_disbanded",
        Some(Change::Other(_)) => "other",
        None => "unknown",
    }
}
