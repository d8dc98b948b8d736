//! Logs.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use dinggate::store::{AppendError, Entry, Health, Page, Position, Retention, Store};
use tokio::{task::yield_now, time::timeout};

use crate::support::{Redis, SOON, becomes, millis, open};

const KEEP: Retention = Retention { time: Duration::from_secs(3600), count: 10_000 };

crate::contract!(
    entries_come_back_in_their_order,
    an_id_is_appended_once,
    what_is_too_old_goes,
    what_is_too_much_goes,
    who_lost_the_lease_appends_nothing,
    a_page_is_bounded_and_goes_on,
    readers_are_woken,
    a_log_is_empty_and_has_an_epoch_before_its_first_entry,
);

fn entry(id: &str, body: &str) -> Entry {
    Entry { id: (!id.is_empty()).then(|| id.to_owned()), body: Bytes::copy_from_slice(body.as_bytes()) }
}

async fn append(store: &Store, entries: &[Entry]) -> Vec<Option<Position>> {
    store.log.append("demo", None, entries, KEEP).await.unwrap()
}

async fn read(store: &Store, after: Position) -> Page {
    store.log.read("demo", after, 10_000).await.unwrap()
}

fn bodies(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|(_, body)| std::str::from_utf8(body).unwrap()).collect()
}

async fn entries_come_back_in_their_order(store: Store) {
    let first = append(&store, &[entry("", "a"), entry("", "b")]).await;
    let second = append(&store, &[entry("", "c")]).await;
    let positions: Vec<_> = [first, second].concat().into_iter().flatten().collect();
    assert!(positions.is_sorted() && positions.len() == 3, "{positions:?}");
    let page = read(&store, Position::START).await;
    assert_eq!(bodies(&page), ["a", "b", "c"]);
    assert_eq!(page.entries.iter().map(|(position, _)| *position).collect::<Vec<_>>(), positions);
    assert_eq!(page.extent.last, positions[2]);
    assert_eq!(bodies(&read(&store, positions[0]).await), ["b", "c"]);
    assert_eq!(bodies(&read(&store, positions[2]).await), [""; 0]);
    let other = store.log.read("other", Position::START, 9).await.unwrap();
    assert!(other.entries.is_empty(), "each log by itself");
}

async fn an_id_is_appended_once(store: Store) {
    let twice = append(&store, &[entry("1", "a"), entry("2", "b"), entry("1", "again")]).await;
    assert_eq!(twice.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(append(&store, &[entry("2", "again")]).await, [None]);
    append(&store, &[entry("", "x"), entry("", "x")]).await;
    store.log.append("other", None, &[entry("1", "a")], KEEP).await.unwrap()[0].expect("another log");
    assert_eq!(bodies(&read(&store, Position::START).await), ["a", "b", "x", "x"]);
}

async fn what_is_too_old_goes(store: Store) {
    let old = append(&store, &[entry("1", "old")]).await[0].unwrap();
    let keep = Retention { time: millis(20), ..KEEP };
    let going = async {
        loop {
            store.log.append("demo", None, &[entry("1", "again")], keep).await.unwrap();
            let page = read(&store, Position::START).await;
            if page.entries.is_empty() {
                return page.extent;
            }
            yield_now().await;
        }
    };
    let extent = timeout(SOON, going).await.expect("it goes");
    assert_eq!((extent.trimmed, extent.last), (old, old), "its id is still known");
    let new = append(&store, &[entry("2", "new")]).await[0].unwrap();
    assert!(new > old);
    assert_eq!(bodies(&read(&store, Position::START).await), ["new"]);
}

async fn what_is_too_much_goes(store: Store) {
    let keep = Retention { count: 3, ..KEEP };
    let mut last = Vec::new();
    for number in 0..10 {
        let body = number.to_string();
        last = store.log.append("demo", None, &[entry(&body, &body)], keep).await.unwrap();
    }
    let page = read(&store, Position::START).await;
    assert_eq!(bodies(&page), ["7", "8", "9"]);
    assert_eq!(Some(page.extent.last), last[0]);
    assert!(page.extent.trimmed < page.entries[0].0 && page.extent.trimmed > Position::START);
    let many: Vec<_> = (0..100).map(|number| entry("", &number.to_string())).collect();
    store.log.append("demo", None, &many, keep).await.unwrap();
    assert_eq!(bodies(&read(&store, Position::START).await), ["97", "98", "99"], "in one step as well");
}

async fn who_lost_the_lease_appends_nothing(store: Store) {
    let long = Duration::from_secs(60);
    let deposed = store.leases.acquire("l", long).await.unwrap().unwrap();
    store.log.append("demo", Some(&deposed), &[entry("1", "a")], KEEP).await.unwrap();
    store.leases.release(&deposed).await.unwrap();
    let current = store.leases.acquire("l", long).await.unwrap().unwrap();
    let refused = store.log.append("demo", Some(&deposed), &[entry("2", "b")], KEEP).await;
    assert!(matches!(refused, Err(AppendError::Deposed)), "{refused:?}");
    let again = store.log.append("demo", Some(&current), &[entry("2", "c")], KEEP).await.unwrap();
    assert!(again[0].is_some(), "what was refused is not known");
    assert_eq!(bodies(&read(&store, Position::START).await), ["a", "c"]);
}

async fn a_page_is_bounded_and_goes_on(store: Store) {
    let large = "x".repeat(300 * 1024);
    let entries: Vec<_> = (0..7).map(|_| entry("", &large)).collect();
    append(&store, &entries).await;
    let (mut after, mut sizes) = (Position::START, Vec::new());
    loop {
        let page = store.log.read("demo", after, 5).await.unwrap();
        let Some((last, _)) = page.entries.last() else { break };
        (after, _) = (*last, sizes.push(page.entries.len()));
    }
    assert_eq!(sizes, [3, 3, 1], "of a megabyte");
    let huge = "x".repeat(2 * 1024 * 1024);
    append(&store, &[entry("", &huge)]).await;
    assert_eq!(read(&store, after).await.entries.len(), 1, "one in any case");
    let small: Vec<_> = (0..250).map(|_| entry("", "")).collect();
    let last = append(&store, &small).await[249];
    let page = store.log.read("demo", after, 230).await.unwrap();
    assert_eq!(page.entries.len(), 1, "the huge one comes first");
    let page = store.log.read("demo", page.entries[0].0, 230).await.unwrap();
    assert_eq!(page.entries.len(), 230);
    let rest = read(&store, page.entries[229].0).await;
    assert_eq!((rest.entries.len(), Some(rest.entries[19].0)), (20, last));
}

async fn readers_are_woken(store: Store) {
    let mut changes = store.log.changes("demo");
    let mut at = Position::START;
    for number in 0..3 {
        append(&store, &[entry("", "x")]).await;
        let waiting = async {
            loop {
                let page = read(&store, at).await;
                if let Some((last, _)) = page.entries.last() {
                    return *last;
                }
                changes.changed().await.unwrap();
            }
        };
        at = timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("woken of number {number}"));
    }
}

async fn a_log_is_empty_and_has_an_epoch_before_its_first_entry(store: Store) {
    let before = read(&store, Position::START).await.extent;
    assert!(before.epoch != 0);
    assert_eq!((before.began, before.trimmed, before.last), Default::default());
    append(&store, &[entry("1", "a")]).await;
    let after = read(&store, Position::START).await.extent;
    assert_eq!((after.epoch, after.began), (before.epoch, before.began));
    let elsewhere = store.log.read("other", Position::START, 1).await.unwrap();
    assert_ne!(elsewhere.extent.epoch, before.epoch);
}

#[tokio::test]
async fn many_replicas_append_at_once_and_all_read_the_same() {
    let redis = Redis::shared();
    let config = redis.config();
    let stores = [open(&config).await, open(&config).await, open(&config).await];
    let tasks = stores.iter().enumerate().map(|(replica, store)| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut new = 0;
            for number in 0..200 {
                // Every event reaches two replicas: one of them is first.
                let id = format!("{}-{number}", if replica == 2 { number % 2 } else { replica });
                new += append(&store, &[entry(&id, &id)]).await.into_iter().flatten().count();
            }
            new
        })
    });
    let mut new = 0;
    for task in tasks.collect::<Vec<_>>() {
        new += task.await.unwrap();
    }
    assert_eq!(new, 400);
    let pages = [read(&stores[0], Position::START).await, read(&stores[1], Position::START).await];
    assert_eq!(bodies(&pages[0]), bodies(&pages[1]));
    assert_eq!(bodies(&pages[0]).into_iter().collect::<BTreeSet<_>>().len(), 400);
}

#[tokio::test]
async fn other_replicas_are_woken() {
    let redis = Redis::shared();
    let config = redis.config();
    let (one, two) = (open(&config).await, open(&config).await);
    let changes = two.log.changes("demo");
    // The listener may need a moment until it hears.
    let waking = async {
        while !changes.has_changed().unwrap() {
            append(&one, &[entry("", "x")]).await;
        }
    };
    timeout(SOON, waking).await.expect("it is told");
}

/// Appends in the end, when Redis is there again.
async fn append_in_the_end(store: &Store, entries: &[Entry]) {
    let appending = async {
        while store.log.append("demo", None, entries, KEEP).await.is_err() {
            yield_now().await;
        }
    };
    timeout(SOON, appending).await.expect("it is there again");
}

#[tokio::test]
async fn a_redis_that_was_started_again_is_another_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--appendonly", "yes", "--appendfsync", "always", "--dir"];
    let mut redis = Redis::start(&[&arguments[..], &[folder.path().to_str().unwrap()]].concat());
    let config = redis.config();
    let (one, two) = (open(&config).await, open(&config).await);
    append(&one, &[entry("1", "a"), entry("2", "b")]).await;
    let before = read(&two, Position::START).await;

    redis.kill();
    becomes(&one, Health::Degraded).await;
    let refused = one.log.append("demo", None, &[entry("3", "c")], KEEP).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    one.log.read("demo", Position::START, 1).await.unwrap_err();

    redis.restart();
    append_in_the_end(&one, &[entry("2", "again"), entry("3", "c")]).await;
    becomes(&two, Health::Up).await;
    let after = read(&two, Position::START).await;
    assert_eq!(bodies(&after), ["a", "b", "c"], "what is left is still there, and known");
    assert_ne!(after.extent.epoch, before.extent.epoch);
    assert_eq!(after.extent.began, before.extent.last, "what came later is of the new epoch");
    append(&two, &[entry("4", "d")]).await;
    let later = read(&one, Position::START).await.extent;
    assert_eq!((later.epoch, later.began), (after.extent.epoch, after.extent.began), "all agree on it");
}

#[tokio::test]
async fn a_redis_that_lost_everything_begins_again_behind() {
    let mut redis = Redis::start(&[]);
    let store = open(&redis.config()).await;
    let before = append(&store, &[entry("1", "a")]).await[0].unwrap();
    let epoch = read(&store, Position::START).await.extent.epoch;
    redis.kill();
    redis.restart();
    append_in_the_end(&store, &[entry("1", "a")]).await;
    let page = read(&store, Position::START).await;
    assert_eq!(bodies(&page), ["a"]);
    assert!(page.entries[0].0 > before, "a place is not given twice");
    assert_ne!(page.extent.epoch, epoch);
    assert_eq!((page.extent.began, page.extent.trimmed), Default::default());
}

#[tokio::test]
async fn a_log_whose_entries_have_expired_knows_it() {
    let redis = Redis::shared();
    let config = redis.config();
    let store = open(&config).await;
    let last = append(&store, &[entry("1", "a")]).await[0].unwrap();
    let epoch = read(&store, Position::START).await.extent.epoch;
    redis.ask::<()>("DEL", &[&format!("{{{}}}:log:demo", config.prefix)]).await;
    let extent = read(&store, Position::START).await.extent;
    assert_eq!((extent.epoch, extent.trimmed, extent.last), (epoch, last, last));
}
