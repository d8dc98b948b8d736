//! Watching and listing events, as callers see it. What DingTalk pushes is written into the feed directly; how it comes
//! there is told elsewhere.

use std::time::Duration;

use dinggate::{
    event::{Cause, Change, Event, Gap},
    group::{GroupRef, Member},
    operation::id::{ChatId, OpenConversationId, UnionId, UserId},
    pb::group::{
        self as pb, GroupEventType, group_event, group_event_service_client::GroupEventServiceClient,
        watch_group_events_response::Item,
    },
};
use tokio::time::{Instant, timeout};
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::support::{Gateway, fields, metadata, new_group, reason, union, user};

const SOON: Duration = Duration::from_secs(20);

async fn gateway() -> Gateway {
    gateway_with(|sources| sources).await
}

/// With events, and no connection of its own on which they would come.
async fn gateway_with(adapt: impl FnOnce(dinggate::config::Sources) -> dinggate::config::Sources) -> Gateway {
    Gateway::start_with(|sources| adapt(sources.with("events.mode", "stream"))).await
}

fn client(gateway: &Gateway) -> GroupEventServiceClient<Channel> {
    GroupEventServiceClient::new(gateway.channel.clone())
}

/// Something in a group, `cid1` or `chat1`.
pub fn event(id: &str, group: u32, change: Change) -> Event {
    Event {
        id: id.to_owned(),
        type_name: "chat_something".to_owned(),
        group: GroupRef {
            open_conversation_id: Some(OpenConversationId(format!("cid{group}"))),
            chat_id: Some(ChatId(format!("chat{group}"))),
            kind: None,
        },
        operator: Some(Member::User(UserId("user001".to_owned()))),
        happened: 1_760_000_000_123,
        change,
    }
}

fn titled(number: u32) -> Event {
    event(&number.to_string(), number % 2, Change::TitleChanged(format!("Title {number}")))
}

async fn accept(gateway: &Gateway, events: Vec<Event>) {
    gateway.feed.accept("demo", None, events).await.expect("in the log");
}

struct Watch(Streaming<pb::WatchGroupEventsResponse>);

impl Watch {
    async fn open(gateway: &Gateway, request: pb::WatchGroupEventsRequest) -> Self {
        Self(client(gateway).watch_group_events(request).await.expect("a stream").into_inner())
    }

    /// From now on; and the token of where that is.
    async fn begin(gateway: &Gateway) -> (Self, String) {
        let mut watch = Self::open(gateway, Default::default()).await;
        let (item, token) = watch.next().await;
        assert!(matches!(item, Item::Checkpoint(_)), "{item:?}");
        (watch, token)
    }

    async fn response(&mut self) -> Result<pb::WatchGroupEventsResponse, Status> {
        let next = timeout(SOON, self.0.message()).await.expect("soon");
        next.map(|response| response.expect("it ends with a status"))
    }

    async fn next(&mut self) -> (Item, String) {
        let response = self.response().await.expect("an item");
        (response.item.expect("a known one"), response.resume_token)
    }

    async fn event(&mut self) -> (pb::GroupEvent, String) {
        match self.next().await {
            (Item::Event(event), token) => (event, token),
            other => panic!("{other:?}"),
        }
    }

    /// How it ends; what comes before is counted.
    async fn end(&mut self) -> (usize, Status) {
        let mut count = 0;
        loop {
            match self.response().await {
                Ok(_) => count += 1,
                Err(status) => return (count, status),
            }
        }
    }
}

fn from(token: &str) -> pb::WatchGroupEventsRequest {
    pb::WatchGroupEventsRequest { resume_token: token.to_owned(), ..Default::default() }
}

fn by_chat_id(id: &str) -> pb::GroupRef {
    pb::GroupRef { chat_id: id.to_owned(), ..Default::default() }
}

async fn list(
    gateway: &Gateway,
    request: pb::ListGroupEventsRequest,
) -> Result<pb::ListGroupEventsResponse, Status> {
    client(gateway).list_group_events(request).await.map(tonic::Response::into_inner)
}

fn ids(events: &[pb::GroupEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event_id.as_str()).collect()
}

#[tokio::test]
async fn every_change_arrives_with_all_that_is_known_of_it() {
    let gateway = gateway().await;
    let (mut watch, _) = Watch::begin(&gateway).await;
    let people = || {
        vec![Member::User(UserId("user002".to_owned())), Member::Union(UnionId("union-ext001".to_owned()))]
    };
    let members = || vec![user("user002"), union("union-ext001")];
    use group_event::Change as To;
    let cases = [
        (Change::MembersAdded(people()), To::MembersAdded(pb::MembersAdded { members: members() })),
        (Change::MembersRemoved(people()), To::MembersRemoved(pb::MembersRemoved { members: members() })),
        (
            Change::MemberQuit(people().pop()),
            To::MemberQuit(pb::MemberQuit { member: Some(union("union-ext001")) }),
        ),
        (Change::OwnerChanged(None), To::OwnerChanged(pb::OwnerChanged { owner: None })),
        (
            Change::TitleChanged("New".to_owned()),
            To::TitleChanged(pb::TitleChanged { title: "New".to_owned() }),
        ),
        (Change::GroupDisbanded, To::GroupDisbanded(pb::GroupDisbanded {})),
        (
            Change::Other("{}".to_owned()),
            To::Other(pb::OtherChange { type_name: "chat_something".to_owned(), json: "{}".to_owned() }),
        ),
    ];
    let events = cases.iter().enumerate().map(|(i, (change, _))| event(&i.to_string(), 1, change.clone()));
    accept(&gateway, events.collect()).await;
    let listed = list(&gateway, Default::default()).await.unwrap();
    for (i, (_, expected)) in cases.iter().enumerate() {
        let (event, _) = watch.event().await;
        assert_eq!(event, listed.events[i], "the same by both RPCs");
        assert_eq!((&*event.event_id, &*event.app), (&*i.to_string(), "demo"));
        assert_eq!(event.change.as_ref(), Some(expected));
        let group = event.group.unwrap();
        assert_eq!((&*group.open_conversation_id, &*group.chat_id), ("cid1", "chat1"));
        assert_eq!(event.operator, Some(user("user001")));
        let time = event.event_time.unwrap();
        assert_eq!((time.seconds, time.nanos), (1_760_000_000, 123_000_000));
        assert!(event.receive_time.unwrap().seconds > 1_760_000_000);
    }
    let asked = gateway.simulator.total_requests() - gateway.simulator.requests("stream.open");
    assert_eq!(asked, 0, "DingTalk is not asked");
}

#[tokio::test]
async fn a_stream_goes_on_from_a_token_and_so_does_a_list() {
    let gateway = gateway().await;
    let (mut watch, begin) = Watch::begin(&gateway).await;
    accept(&gateway, (0..100).map(titled).collect()).await;
    for number in 0..49 {
        assert_eq!(watch.event().await.0.event_id, number.to_string());
    }
    let (_, token) = watch.event().await;
    drop(watch);
    accept(&gateway, (100..110).map(titled).collect()).await;
    let mut resumed = Watch::open(&gateway, from(&token)).await;
    for number in 50..110 {
        assert_eq!(resumed.event().await.0.event_id, number.to_string());
    }

    let mut request = pb::ListGroupEventsRequest { page_size: 40, page_token: begin, ..Default::default() };
    let (mut listed, mut pages) = (Vec::new(), 0);
    let last = loop {
        let page = list(&gateway, request.clone()).await.unwrap();
        pages += 1;
        listed.extend(page.events);
        if page.next_page_token.is_empty() {
            break page.resume_token;
        }
        request.page_token = page.next_page_token;
    };
    assert_eq!(pages, 3);
    assert_eq!(ids(&listed), (0..110).map(|number| number.to_string()).collect::<Vec<_>>());
    let mut later = Watch::open(&gateway, from(&last)).await;
    accept(&gateway, vec![titled(110)]).await;
    assert_eq!(later.event().await.0.event_id, "110");
}

#[tokio::test]
async fn filters_keep_back_what_is_not_wanted_and_let_gaps_through() {
    let gateway = gateway().await;
    let (_, begin) = Watch::begin(&gateway).await;
    let quit = |id: &str| event(id, 1, Change::MemberQuit(None));
    accept(&gateway, vec![titled(2), titled(3), quit("quit")]).await;
    let gap = Gap { from: 1_760_000_000_000, to: 1_760_000_001_500, cause: Cause::Reconnected };
    gateway.feed.gap("demo", None, gap).await.unwrap();
    let groups = vec![by_chat_id("chat1")];
    let types = vec![GroupEventType::TitleChanged.into(), GroupEventType::GroupDisbanded.into()];
    let request = pb::WatchGroupEventsRequest { groups: groups.clone(), types, ..from(&begin) };
    let mut watch = Watch::open(&gateway, request).await;
    assert_eq!(watch.event().await.0.event_id, "3");
    let (Item::Gap(told), _) = watch.next().await else { panic!("the gap") };
    assert_eq!(
        (told.start_time.unwrap().seconds, told.end_time.unwrap().nanos),
        (1_760_000_000, 500_000_000)
    );
    assert_eq!(told.cause(), pb::GapCause::Reconnected);

    let listed = list(&gateway, pb::ListGroupEventsRequest { groups, ..Default::default() }).await.unwrap();
    assert_eq!((ids(&listed.events), listed.gaps), (vec!["3", "quit"], vec![told]));
    let types = vec![GroupEventType::MemberQuit.into()];
    let listed = list(&gateway, pb::ListGroupEventsRequest { types, ..Default::default() }).await.unwrap();
    assert_eq!(ids(&listed.events), ["quit"]);
}

#[tokio::test]
async fn a_group_is_found_by_the_id_that_its_events_do_not_have() {
    let gateway = gateway().await;
    let group = gateway.group().await.r#ref.unwrap();
    let named = by_chat_id(&group.chat_id);
    let mut watch =
        Watch::open(&gateway, pb::WatchGroupEventsRequest { groups: vec![named], ..Default::default() })
            .await;
    let mut nameless = event("1", 0, Change::OwnerChanged(None));
    nameless.group = GroupRef {
        open_conversation_id: Some(OpenConversationId(group.open_conversation_id.clone())),
        ..GroupRef::default()
    };
    accept(&gateway, vec![titled(7), nameless]).await;
    watch.next().await;
    let (event, _) = watch.event().await;
    assert_eq!((&*event.event_id, event.group), ("1", Some(group)), "with the fullest handle");
}

#[tokio::test]
async fn checkpoints_come_in_silence_and_no_deadline_but_that_of_the_caller_ends_it() {
    let short = [("server.default_deadline", "100ms"), ("server.max_deadline", "60s")];
    let gateway = gateway_with(|sources| {
        short.iter().fold(sources, |sources, (path, value)| sources.with(path, *value))
    })
    .await;
    let begin = Instant::now();
    let each_second = prost_types::Duration { seconds: 1, nanos: 0 };
    let request =
        || pb::WatchGroupEventsRequest { checkpoint_interval: Some(each_second), ..Default::default() };
    let mut watch = Watch::open(&gateway, request()).await;
    for _ in 0..2 {
        let (Item::Checkpoint(checkpoint), _) = watch.next().await else { panic!("a checkpoint") };
        assert!(checkpoint.time.is_some());
    }
    assert!(begin.elapsed() >= Duration::from_secs(1));

    // Below the library, which would end the call itself a moment later.
    let mut timed = tonic::Request::new(request());
    timed.metadata_mut().insert("grpc-timeout", "1500m".parse().unwrap());
    let stream = client(&gateway).watch_group_events(timed).await.unwrap().into_inner();
    let (_, status) = Watch(stream).end().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert!(!metadata(&status, "resume_token").is_empty());
}

#[tokio::test]
async fn a_token_of_another_app_is_the_callers_fault_and_one_that_is_too_old_is_not() {
    let gateway = gateway_with(|sources| sources.with("events.retention_count", 3)).await;
    let (_, begin) = Watch::begin(&gateway).await;
    let of_nobody = dinggate::event::Cursor::of_token("demo", &begin).unwrap().token("other");
    for token in [of_nobody.as_str(), "AQ", &begin[1..]] {
        let status = client(&gateway).watch_group_events(from(token)).await.unwrap_err();
        assert_eq!(
            (reason(&status).as_str(), fields(&status)),
            ("FIELD_INVALID", vec!["resume_token".into()])
        );
        let request = pb::ListGroupEventsRequest { page_token: token.to_owned(), ..Default::default() };
        let status = list(&gateway, request).await.unwrap_err();
        assert_eq!((reason(&status).as_str(), fields(&status)), ("FIELD_INVALID", vec!["page_token".into()]));
    }

    accept(&gateway, (0..10).map(titled).collect()).await;
    let status = client(&gateway).watch_group_events(from(&begin)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "RESUME_TOKEN_EXPIRED"));
    let mut watch = Watch::open(&gateway, from(&metadata(&status, "oldest_token"))).await;
    assert_eq!(watch.event().await.0.event_id, "7");
}

#[tokio::test]
async fn without_events_both_rpcs_say_so() {
    let gateway = Gateway::start().await;
    let watch = client(&gateway).watch_group_events(from("")).await.map(drop);
    let listed = list(&gateway, Default::default()).await.map(drop);
    for status in [watch.unwrap_err(), listed.unwrap_err()] {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "EVENTS_DISABLED"));
    }
}

#[tokio::test]
async fn watchers_have_a_bound_of_their_own() {
    let gateway = gateway_with(|sources| {
        sources.with("events.max_watchers", 2).with("server.max_concurrent_requests", 1)
    })
    .await;
    let first = Watch::begin(&gateway).await;
    let _second = Watch::begin(&gateway).await;
    let status = client(&gateway).watch_group_events(from("")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "SERVER_OVERLOADED"));
    gateway.groups.clone().create_group(new_group("Still served")).await.unwrap();
    drop(first);
    let again = async {
        while client(&gateway).watch_group_events(from("")).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, again).await.expect("who leaves makes room");
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_harms_nobody() {
    let gateway = gateway().await;
    let (mut stuck, _) = Watch::begin(&gateway).await;
    let (mut quick, _) = Watch::begin(&gateway).await;
    // More than the buffers on the way and the ring together hold.
    let (total, long) = (12_000, "x".repeat(2000));
    for chunk in 0..total / 500 {
        let of = |number: u32| event(&number.to_string(), 1, Change::TitleChanged(long.clone()));
        accept(&gateway, (chunk * 500..(chunk + 1) * 500).map(of).collect()).await;
        for number in chunk * 500..(chunk + 1) * 500 {
            assert_eq!(quick.event().await.0.event_id, number.to_string());
        }
    }
    let (seen, status) = stuck.end().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "WATCHER_TOO_SLOW"));
    let mut resumed = Watch::open(&gateway, from(&metadata(&status, "resume_token"))).await;
    for number in seen..total as usize {
        assert_eq!(resumed.event().await.0.event_id, number.to_string(), "nothing is lost");
    }
}

#[tokio::test]
async fn when_it_stops_watchers_are_told_where_to_go_on() {
    let gateway = gateway_with(|sources| sources.with("server.drain_timeout", "1h")).await;
    let (mut watch, _) = Watch::begin(&gateway).await;
    accept(&gateway, vec![titled(0)]).await;
    let (_, token) = watch.event().await;
    timeout(SOON, gateway.stop()).await.expect("nobody is waited for");
    let (_, status) = watch.end().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    assert_eq!(metadata(&status, "resume_token"), token);
}
