//! What DingTalk pushes, on its way to those who watch: by stream, and in `callbacks` by callback.

use std::time::Duration;

use dinggate::pb::group::{
    self as pb, GapCause, group_event, group_event_service_client::GroupEventServiceClient,
    watch_group_events_response::Item,
};
use dinggate_simulator::{Fault, GroupChange, PushRules};
use tokio::time::timeout;
use tonic::Streaming;

use crate::support::{Gateway, new_group};

mod callbacks;

const APP: &str = "dingdemo";
const SOON: Duration = Duration::from_secs(30);

struct Watch(Streaming<pb::WatchGroupEventsResponse>);

impl Watch {
    /// From now on.
    async fn open(gateway: &Gateway) -> Self {
        let mut client = GroupEventServiceClient::new(gateway.channel.clone());
        let stream = client.watch_group_events(pb::WatchGroupEventsRequest::default()).await;
        let mut watch = Self(stream.expect("a stream").into_inner());
        assert!(matches!(watch.next().await, Item::Checkpoint(_)), "it begins with where it begins");
        watch
    }

    async fn next(&mut self) -> Item {
        let next = timeout(SOON, self.0.message()).await.expect("soon").expect("no failure");
        next.expect("no end").item.expect("a known item")
    }

    async fn event(&mut self) -> pb::GroupEvent {
        match self.next().await {
            Item::Event(event) => event,
            other => panic!("no event: {other:?}"),
        }
    }

    async fn title(&mut self) -> String {
        match self.event().await.change {
            Some(group_event::Change::TitleChanged(change)) => change.title,
            other => panic!("no new title: {other:?}"),
        }
    }

    async fn gap(&mut self) -> GapCause {
        match self.next().await {
            Item::Gap(gap) => gap.cause(),
            other => panic!("no gap: {other:?}"),
        }
    }
}

async fn create(gateway: &mut Gateway) -> pb::GroupRef {
    let created = gateway.groups.create_group(new_group("Old")).await.unwrap().into_inner();
    created.group.unwrap().r#ref.unwrap()
}

fn titled(title: &str) -> GroupChange {
    GroupChange { title: Some(title.to_owned()), ..GroupChange::default() }
}

/// A gateway with an open stream, a group, and somebody who watches.
async fn at_work() -> (Gateway, pb::GroupRef, Watch) {
    let mut gateway = Gateway::start_with(|sources| sources.with("events.mode", "stream")).await;
    gateway.simulator.until_pushes(APP, |pushes| pushes.opened == 1).await;
    let watch = Watch::open(&gateway).await;
    let handle = create(&mut gateway).await;
    (gateway, handle, watch)
}

#[tokio::test]
async fn a_change_in_dingtalk_reaches_the_watcher_and_the_cache() {
    let (mut gateway, handle, mut watch) = at_work().await;
    let read = pb::GetGroupRequest { group: Some(handle.clone()), ..Default::default() };
    gateway.groups.get_group(read.clone()).await.unwrap();
    let before = gateway.simulator.total_requests();

    gateway.simulator.change_group(&handle.chat_id, "user001", &titled("New"));
    let event = watch.event().await;
    let group = event.group.expect("it is about a group");
    assert_eq!(
        (&group.chat_id, &group.open_conversation_id),
        (&handle.chat_id, &handle.open_conversation_id)
    );
    assert!(matches!(event.change, Some(group_event::Change::TitleChanged(change)) if change.title == "New"));
    gateway.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    assert_eq!(gateway.simulator.acked_events(APP), [event.event_id]);

    // The answer in memory is not believed any more, as soon as this replica has heard of the change.
    let title = timeout(SOON, async {
        loop {
            let group = gateway.groups.get_group(read.clone()).await.unwrap().into_inner().group.unwrap();
            if group.title == "New" {
                return group.title;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(title.await.expect("soon"), "New");
    assert_eq!(gateway.simulator.total_requests(), before + 1, "one read, because of the event");
}

#[tokio::test]
async fn answers_are_good_for_longer_while_the_stream_is_healthy() {
    let mut gateway = Gateway::start_with(|sources| {
        sources.with("events.mode", "stream").with("cache.default_staleness", "0s")
    })
    .await;
    let handle = create(&mut gateway).await;
    let read = pb::GetGroupRequest { group: Some(handle), ..Default::default() };
    let cached = async {
        while !gateway.groups.get_group(read.clone()).await.unwrap().into_inner().from_cache {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, cached).await.expect("soon");
}

#[tokio::test]
async fn what_is_pushed_again_is_told_once() {
    let (gateway, handle, mut watch) = at_work().await;
    gateway.simulator.change_group(&handle.chat_id, "user001", &titled("One"));
    let first = watch.event().await;
    gateway.simulator.until_pushes(APP, |pushes| pushes.acked == 1).await;
    gateway.simulator.push_again(&first.event_id);
    gateway.simulator.until_pushes(APP, |pushes| pushes.acked_again == 1).await;
    gateway.simulator.change_group(&handle.chat_id, "user001", &titled("Two"));
    assert_eq!(watch.title().await, "Two");
}

#[tokio::test]
async fn a_burst_is_told_whole_and_in_one_order() {
    let (gateway, handle, mut watch) = at_work().await;
    gateway.simulator.burst(&handle.chat_id, 300, 10_000.0).await;
    let mut told = Vec::new();
    for _ in 0..300 {
        told.push(watch.event().await.event_id);
    }
    gateway.simulator.until_pushes(APP, |pushes| pushes.acked == 300).await;
    let mut acked = gateway.simulator.acked_events(APP);
    acked.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, acked);
}

#[tokio::test]
async fn a_connection_that_breaks_is_opened_again_and_leaves_a_gap() {
    let (gateway, handle, mut watch) = at_work().await;
    gateway.simulator.set_push_rules(PushRules { redelivery_ms: vec![200; 50], ..PushRules::default() });
    assert_eq!(gateway.simulator.cut(APP), 1);
    // Pushed to nobody; it comes again.
    gateway.simulator.change_group(&handle.chat_id, "user001", &titled("Meanwhile"));
    assert_eq!(watch.gap().await, GapCause::Reconnected);
    assert_eq!(watch.title().await, "Meanwhile");
    assert_eq!(gateway.simulator.stream_connections(APP).len(), 1);
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_replaced_before() {
    let (gateway, handle, mut watch) = at_work().await;
    assert_eq!(gateway.simulator.disconnect(APP, "connection is expired"), 1);
    assert_eq!(watch.gap().await, GapCause::Reconnected);
    let pushes = gateway.simulator.until_pushes(APP, |pushes| pushes.opened == 2).await;
    assert_eq!(pushes.closed, 0, "the next one is open before the last one is closed");
    gateway.simulator.change_group(&handle.chat_id, "user001", &titled("After"));
    assert_eq!(watch.title().await, "After");
}

#[tokio::test]
async fn a_registration_that_is_refused_is_tried_again() {
    let simulator = dinggate_simulator::Simulator::start(Default::default()).await.unwrap();
    simulator.fail_next("stream.open", 1, Fault::Empty { status: 503, applied: false });
    let sources = crate::support::sources(&simulator.url()).with("events.mode", "stream");
    let gateway = Gateway::start_before(simulator, sources).await;
    gateway.simulator.until_pushes(APP, |pushes| pushes.opened == 1).await;
    assert_eq!(gateway.simulator.requests("stream.open"), 2);
}
