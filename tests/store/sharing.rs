//! Many replicas on one Redis.

use std::collections::BTreeSet;

use bytes::Bytes;
use dinggate::store::{Ask, Entry, Reserved, Retention, Slot, Store};
use tokio::time::timeout;

use crate::support::{Redis, SOON, ask, millis, open, place};

const MICROS: u64 = 1_000_000;

/// Reserves with many callers on many replicas at once.
async fn crowd(stores: &[Store], ask: &Ask, callers: usize, each: usize) -> Vec<Slot> {
    let callers = (0..callers).map(|caller| {
        let (store, ask) = (stores[caller % stores.len()].clone(), ask.clone());
        tokio::spawn(async move {
            let mut slots = Vec::new();
            for _ in 0..each {
                slots.push(place(&store, &ask).await.0);
            }
            slots
        })
    });
    let mut slots = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        slots.extend(caller.await.unwrap());
    }
    slots
}

#[tokio::test]
async fn no_window_holds_more_than_the_rate_whoever_reserves() {
    let redis = Redis::shared();
    let config = redis.config();
    let stores = [open(&config).await, open(&config).await, open(&config).await];
    let ask = ask(20, millis(5000));
    let slots = crowd(&stores, &ask, 50, 10).await;
    assert_eq!(slots.iter().map(|slot| slot.0).collect::<BTreeSet<_>>().len(), 500, "no place twice");
    assert_eq!(stores[0].budgets.usage("orders", "group.get").await.unwrap().month_calls, 500);

    // Redis tells when each is held, to the microsecond: its name begins with its time.
    let places: Vec<String> =
        redis.ask("ZRANGE", &[&format!("{{{}}}:places:orders:group.get", config.prefix), "0", "-1"]).await;
    let times = places.iter().map(|place| place.split(':').next().unwrap().parse::<u64>().unwrap());
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    for window in times.windows(21) {
        assert!(window[20] - window[0] >= 5 * MICROS, "{window:?}");
    }
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= MICROS / 4, "they have all waited: {pair:?}");
    }
    let span = times[times.len() - 1] - times[0];
    assert!(span <= 25 * 5_015_000, "no place is left out: {span}");
}

#[tokio::test]
async fn each_replica_hears_how_many_wait_at_all() {
    let redis = Redis::shared();
    let config = redis.config();
    let (one, two) = (open(&config).await, open(&config).await);
    let waiting = async |store: &Store, waiting| {
        let ask = Ask { waiting, ..ask(1000, millis(1)) };
        match store.budgets.reserve(&ask).await.unwrap() {
            Reserved::Place { waiting, .. } => waiting,
            later => panic!("{later:?}"),
        }
    };
    assert_eq!(waiting(&one, 3).await, 3);
    assert_eq!(waiting(&two, 5).await, 8);
    assert_eq!(waiting(&one, 1).await, 6);
    let elsewhere = Ask { operation: "group.create", waiting: 9, ..ask(1000, millis(1)) };
    place(&one, &elsewhere).await;
    assert_eq!(waiting(&two, 5).await, 6, "each operation by itself");
    let forgotten = async { while waiting(&two, 5).await != 5 {} };
    timeout(SOON, forgotten).await.expect("who does not ask any more is forgotten");
}

#[tokio::test]
async fn replicas_are_counted_while_they_live() {
    let redis = Redis::shared();
    let config = redis.config();
    let (one, two) = (open(&config).await, open(&config).await);
    let counted = async |expected| {
        while one.replicas() != expected {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, counted(2)).await.expect("both are seen");
    drop(two);
    timeout(SOON, counted(1)).await.expect("the other is missed");
}

#[tokio::test]
async fn nothing_but_facts_is_kept_for_ever() {
    let redis = Redis::shared();
    let config = redis.config();
    let store = open(&config).await;
    let ask = ask(20, millis(1000));
    let (slot, _) = place(&store, &ask).await;
    let hasty = Ask { horizon: millis(0), operation: "group.create", ..ask.clone() };
    store.budgets.reserve(&hasty).await.unwrap();
    store.budgets.extend(&ask, slot, millis(5)).await.unwrap();
    for limit in [
        dinggate::store::Limit::Operation,
        dinggate::store::Limit::Platform,
        dinggate::store::Limit::Month,
        dinggate::store::Limit::Egress,
    ] {
        store.budgets.pause(&ask, limit, millis(1)).await.unwrap();
    }
    store.outcomes.claim("k", &[1; 32], millis(60_000)).await.unwrap();
    store.leases.acquire("l", millis(60_000)).await.unwrap();
    let entry = Entry { id: Some("1".to_owned()), body: Bytes::from_static(b"x") };
    let keep = Retention { time: millis(60_000), count: 1 };
    store.log.append("demo", None, &[entry], keep).await.unwrap();
    let keys: Vec<String> = redis.ask("KEYS", &[&format!("{{{}}}*", config.prefix)]).await;
    assert!(keys.len() >= 15, "{keys:?}");
    for key in keys {
        let expiry: i64 = redis.ask("PTTL", &[&key]).await;
        assert!(expiry > 0, "{key} does not expire");
    }
}
