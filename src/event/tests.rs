//! The feed over the log in memory; time is paused.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt as _;

use super::*;
use crate::{
    group::GroupRef,
    metrics::Metrics,
    operation::id::{ChatId, OpenConversationId},
    store::{AppendError, Position, Store},
};

const MINUTE: Duration = Duration::from_secs(60);

fn config() -> EventsConfig {
    EventsConfig {
        mode: Mode::Stream,
        retention: MINUTE,
        retention_count: 100_000,
        max_watchers: 3,
        callback_addr: String::new(),
        callback: BTreeMap::new(),
    }
}

fn feed(store: &Store) -> Feed {
    Feed::new(store, &config(), ["demo"], Metrics::off())
}

fn group(number: u64) -> GroupRef {
    GroupRef {
        open_conversation_id: Some(OpenConversationId(format!("cid{number}"))),
        chat_id: Some(ChatId(format!("chat{number}"))),
        kind: None,
    }
}

fn event(number: u64) -> Event {
    Event {
        id: number.to_string(),
        type_name: "chat_update_title".to_owned(),
        group: group(number % 10),
        operator: None,
        happened: number,
        change: Change::TitleChanged(format!("Title {number}")),
    }
}

async fn accept(feed: &Feed, numbers: std::ops::Range<u64>) {
    feed.accept("demo", None, numbers.map(event).collect()).await.unwrap();
}

async fn watch(feed: &Feed, from: Option<Cursor>) -> Watcher {
    feed.watch("demo", Filter::default(), from, MINUTE).await.unwrap()
}

/// A watcher from now on, and where that is.
async fn watch_from_now(feed: &Feed) -> (Watcher, Cursor) {
    let mut watcher = watch(feed, None).await;
    match next(&mut watcher).await {
        Item::Checkpoint(cursor) => (watcher, cursor),
        other => panic!("{other:?}"),
    }
}

async fn next(watcher: &mut Watcher) -> Item {
    timeout(MINUTE * 10, watcher.next()).await.expect("something comes").expect("it has not ended")
}

async fn record(watcher: &mut Watcher) -> (Record, Cursor) {
    match next(watcher).await {
        Item::Record(logged) => (logged.record.clone(), logged.cursor),
        other => panic!("{other:?}"),
    }
}

/// The number of the next event, and its place.
async fn number(watcher: &mut Watcher) -> (u64, Cursor) {
    match record(watcher).await {
        (Record::Event(event), cursor) => (event.id.parse().unwrap(), cursor),
        other => panic!("{other:?}"),
    }
}

async fn numbers(watcher: &mut Watcher, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        numbers.push(number(watcher).await.0);
    }
    numbers
}

#[tokio::test(start_paused = true)]
async fn what_is_accepted_arrives_in_order_and_once() {
    let feed = feed(&Store::memory());
    accept(&feed, 0..3).await;
    let (mut watcher, _) = watch_from_now(&feed).await;
    accept(&feed, 2..6).await;
    accept(&feed, 4..9).await;
    assert_eq!(numbers(&mut watcher, 6).await, [3, 4, 5, 6, 7, 8]);
    let new = feed.accept("demo", None, vec![event(8), event(9)]).await.unwrap();
    assert_eq!(new, [false, true]);
    assert_eq!(number(&mut watcher).await.0, 9);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_goes_on_where_another_left_off() {
    let feed = feed(&Store::memory());
    let (mut one, begin) = watch_from_now(&feed).await;
    accept(&feed, 0..200).await;
    assert_eq!(numbers(&mut one, 49).await.len(), 49);
    let (last, cursor) = number(&mut one).await;
    assert_eq!(last, 49);
    let mut other = watch(&feed, Some(cursor)).await;
    accept(&feed, 200..300).await;
    assert_eq!(numbers(&mut other, 250).await, (50..300).collect::<Vec<_>>());
    assert_eq!(numbers(&mut watch(&feed, Some(begin)).await, 300).await, (0..300).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn events_while_it_catches_up_are_neither_lost_nor_repeated() {
    let feed = feed(&Store::memory());
    let (watcher, begin) = watch_from_now(&feed).await;
    drop(watcher);
    for round in 0..20 {
        accept(&feed, round * 150..(round + 1) * 150).await;
        let mut watcher = watch(&feed, Some(begin)).await;
        let so_far = (round + 1) * 150;
        assert_eq!(numbers(&mut watcher, 100).await, (0..100).collect::<Vec<_>>());
        accept(&feed, so_far..so_far + 1).await;
        let rest = numbers(&mut watcher, so_far as usize - 99).await;
        assert_eq!(rest, (100..=so_far).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_checkpoints() {
    let feed = feed(&Store::memory());
    let begin = Instant::now();
    let only_nine = Filter::default().groups(&[GroupRef { chat_id: None, ..group(9) }]);
    let mut watcher = feed.watch("demo", only_nine, None, MINUTE).await.unwrap();
    let Item::Checkpoint(first) = next(&mut watcher).await else { panic!("where it begins") };
    assert!(begin.elapsed() < Duration::from_secs(1));
    let Item::Checkpoint(same) = next(&mut watcher).await else { panic!("a checkpoint") };
    assert_eq!((begin.elapsed().as_secs(), same), (60, first));
    accept(&feed, 0..15).await;
    assert_eq!(number(&mut watcher).await.0, 9);
    let Item::Checkpoint(later) = next(&mut watcher).await else { panic!("a checkpoint") };
    assert_eq!(begin.elapsed().as_secs(), 120);
    let mut all = watch(&feed, Some(later)).await;
    accept(&feed, 15..16).await;
    assert_eq!(number(&mut all).await.0, 15, "what was kept back is behind the checkpoint");
}

#[tokio::test(start_paused = true)]
async fn gaps_are_for_everybody() {
    let feed = feed(&Store::memory());
    let nothing = Filter::default().groups(&[]).kinds([]);
    let mut watcher = feed.watch("demo", nothing, None, MINUTE).await.unwrap();
    next(&mut watcher).await;
    accept(&feed, 0..5).await;
    let gap = Gap { from: 1, to: 2, cause: Cause::Reconnected };
    feed.gap("demo", None, gap).await.unwrap();
    feed.gap("demo", None, gap).await.unwrap();
    assert_eq!(record(&mut watcher).await.0, Record::Gap(gap));
    assert_eq!(record(&mut watcher).await.0, Record::Gap(gap), "each counts");
}

#[tokio::test(start_paused = true)]
async fn who_falls_too_far_behind_is_cut_off_and_can_go_on() {
    let feed = feed(&Store::memory());
    let (mut slow, _) = watch_from_now(&feed).await;
    let (mut quick, _) = watch_from_now(&feed).await;
    accept(&feed, 0..1).await;
    assert_eq!(number(&mut slow).await.0, 0);
    for round in 0..20 {
        accept(&feed, round * 500 + 1..(round + 1) * 500 + 1).await;
        assert_eq!(
            numbers(&mut quick, 500 + usize::from(round == 0)).await.len(),
            500 + usize::from(round == 0)
        );
    }
    let mut seen = 1;
    let cursor = loop {
        match next(&mut slow).await {
            Item::Record(_) => seen += 1,
            Item::Ended(Ended::TooSlow, cursor) => break cursor,
            other => panic!("{other:?}"),
        }
    };
    assert!(slow.next().await.is_none());
    let mut resumed = watch(&feed, Some(cursor)).await;
    assert_eq!(numbers(&mut resumed, 10_001 - seen).await, (seen as u64..10_001).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn when_the_gateway_stops_all_are_told_where_to_go_on() {
    let store = Store::memory();
    let feed = feed(&store);
    let (mut one, _) = watch_from_now(&feed).await;
    accept(&feed, 0..2).await;
    let (_, place) = number(&mut one).await;
    feed.close();
    let ended = next(&mut one).await;
    assert!(matches!(ended, Item::Ended(Ended::Closed, cursor) if cursor == place), "{ended:?}");
    let refused = feed.watch("demo", Filter::default(), None, MINUTE).await;
    assert!(matches!(refused, Err(Refusal::Closed)), "{refused:?}");
    let replica = Feed::new(&store, &config(), ["demo"], Metrics::off());
    assert_eq!(number(&mut watch(&replica, Some(place)).await).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_lost_is_a_gap() {
    let before = feed(&Store::memory());
    let (mut watcher, _) = watch_from_now(&before).await;
    accept(&before, 0..5).await;
    let cursor = number(&mut watcher).await.1;

    let after = feed(&Store::memory());
    accept(&after, 5..7).await;
    let mut watcher = watch(&after, Some(cursor)).await;
    let (gap, place) = record(&mut watcher).await;
    let Record::Gap(gap) = gap else { panic!("{gap:?}") };
    assert_eq!(gap.cause, Cause::LogLost);
    let read = cursor.position.millis;
    assert!((read - 10_000..read).contains(&gap.from), "since what was read last, {read}: {gap:?}");
    assert_eq!(numbers(&mut watcher, 2).await, [5, 6], "and all that the new one has");
    assert_eq!(numbers(&mut watch(&after, Some(place)).await, 2).await, [5, 6], "once told, it is told");
    let listed = after.list("demo", &Filter::default(), Some(cursor), 10).await.unwrap();
    assert_eq!(listed.records.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_forgotten_is_refused_with_the_oldest() {
    let config = EventsConfig { retention_count: 10, ..config() };
    let feed = Feed::new(&Store::memory(), &config, ["demo"], Metrics::off());
    let (_, cursor) = watch_from_now(&feed).await;
    accept(&feed, 0..100).await;
    let refused = feed.watch("demo", Filter::default(), Some(cursor), MINUTE).await;
    let Err(Refusal::Unreadable(ReadError::Expired { oldest })) = refused else { panic!("{refused:?}") };
    let mut watcher = watch(&feed, Some(oldest)).await;
    assert_eq!(numbers(&mut watcher, 10).await, (90..100).collect::<Vec<_>>());
    let refused = feed.list("demo", &Filter::default(), Some(cursor), 10).await;
    assert!(matches!(refused, Err(Refusal::Unreadable(ReadError::Expired { .. }))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_page_by_page() {
    let feed = feed(&Store::memory());
    let empty = feed.list("demo", &Filter::default(), None, 10).await.unwrap();
    assert!(empty.records.is_empty() && !empty.more);
    accept(&feed, 0..25).await;
    let (mut from, mut sizes) = (Some(empty.next), Vec::new());
    let even = Filter::default().groups(&(0..5).map(|half| group(half * 2)).collect::<Vec<_>>());
    loop {
        let page = feed.list("demo", &even, from, 10).await.unwrap();
        sizes.push(page.records.len());
        from = Some(page.next);
        if !page.more {
            break;
        }
    }
    assert_eq!(sizes, [5, 5, 3]);
    let all = feed.list("demo", &Filter::default(), None, 1000).await.unwrap();
    assert_eq!((all.records.len(), all.more), (25, false));
}

#[tokio::test(start_paused = true)]
async fn there_are_only_so_many_watchers_and_only_of_apps_with_events() {
    let feed = feed(&Store::memory());
    let watchers = [watch(&feed, None).await, watch(&feed, None).await, watch(&feed, None).await];
    let refused = feed.watch("demo", Filter::default(), None, MINUTE).await;
    assert!(matches!(refused, Err(Refusal::TooMany)), "{refused:?}");
    drop(watchers);
    watch(&feed, None).await;
    let refused = feed.watch("other", Filter::default(), None, MINUTE).await;
    assert!(matches!(refused, Err(Refusal::Disabled)), "{refused:?}");
    let off =
        Feed::new(&Store::memory(), &EventsConfig { mode: Mode::Off, ..config() }, ["demo"], Metrics::off());
    let refused = off.list("demo", &Filter::default(), None, 1).await;
    assert!(matches!(refused, Err(Refusal::Disabled)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_lease_is_not_believed() {
    let store = Store::memory();
    let feed = feed(&store);
    let fence = store.leases.acquire("demo", MINUTE).await.unwrap().unwrap();
    assert_eq!(feed.accept("demo", Some(&fence), vec![event(0)]).await.unwrap(), [true]);
    store.leases.release(&fence).await.unwrap();
    let refused = feed.accept("demo", Some(&fence), vec![event(1)]).await;
    assert!(matches!(refused, Err(AppendError::Deposed)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_made_of_a_record_is_made_once() {
    let feed = feed(&Store::memory());
    let (mut one, _) = watch_from_now(&feed).await;
    let (mut two, _) = watch_from_now(&feed).await;
    // With this one they have caught up.
    accept(&feed, 0..1).await;
    for watcher in [&mut one, &mut two] {
        number(watcher).await;
    }
    for watcher in [&mut one, &mut two] {
        assert!(matches!(next(watcher).await, Item::Checkpoint(_)));
    }
    accept(&feed, 1..2).await;
    let mut made = 0;
    for watcher in [&mut one, &mut two] {
        let Item::Record(logged) = next(watcher).await else { panic!("a record") };
        let view = logged.view(|_| {
            made += 1;
            bytes::Bytes::from_static(b"view")
        });
        assert_eq!(&view[..], b"view");
    }
    assert_eq!(made, 1);
}

#[test]
fn records_of_earlier_versions_are_still_read() {
    let text = r#"{"received":1760000000200,"record":{"Event":{"id":"1","type_name":"chat_quit","group":
        {"open_conversation_id":"cid1","chat_id":null,"kind":null},"operator":{"User":"user001"},
        "happened":1760000000100,"change":{"MemberQuit":{"Union":"u1"}}}}}"#;
    let body: pages::Body = serde_json::from_str(text).unwrap();
    let Record::Event(event) = body.record else { panic!("an event") };
    assert_eq!(event.change.kind(), ChangeKind::MemberQuit);
    let text = r#"{"received":2,"record":{"Gap":{"from":1,"to":2,"cause":"LogLost"}}}"#;
    serde_json::from_str::<pages::Body>(text).unwrap();
}

proptest! {
    /// Whatever the places of two readers: the ring gives the rest, or says that it does not have it.
    #[test]
    fn the_ring_gives_all_behind_a_place_or_nothing(
        count in 1_u64..9000,
        at in any::<prop::sample::Index>(),
    ) {
        let position = |number| Position { millis: 1000 + number / 3, number: number % 3 };
        let place = |number| Cursor { epoch: 7, position: position(number) };
        let ring = tail::tests::ring(place(0), (1..=count).map(place));
        let at = at.index(usize::try_from(count).unwrap() + 1) as u64;
        match ring.behind(place(at)) {
            Some(number) => prop_assert_eq!(number, at, "numbers begin with 0 behind place 0"),
            None => prop_assert!(count - at > 8192, "{} of {}", at, count),
        }
        prop_assert_eq!(ring.behind(Cursor { epoch: 8, ..place(at) }), None);
    }

    #[test]
    fn a_filter_lets_through_what_it_names(
        named in prop::collection::vec(0_u64..10, 0..5),
        by_chat_id in any::<bool>(),
        number in 0_u64..10,
    ) {
        let refs: Vec<_> = named.iter().map(|number| match by_chat_id {
            true => GroupRef { open_conversation_id: None, ..group(*number) },
            false => GroupRef { chat_id: None, ..group(*number) },
        }).collect();
        let record = Record::Event(event(number));
        let filter = Filter::default().groups(&refs);
        prop_assert_eq!(filter.passes(&record), named.contains(&number));
        prop_assert!(!filter.clone().kinds([ChangeKind::MemberQuit]).passes(&record));
        prop_assert_eq!(
            filter.kinds([ChangeKind::MemberQuit, ChangeKind::TitleChanged]).passes(&record),
            named.contains(&number)
        );
    }
}
