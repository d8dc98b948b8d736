//! Notices between replicas.

use bytes::Bytes;
use dinggate::store::{Health, Notice, Store, StoreConfig};
use tokio::{sync::mpsc::Receiver, task::yield_now, time::timeout};

use crate::support::{Redis, SOON, becomes, open};

async fn next(receiver: &mut Receiver<Notice>) -> Notice {
    timeout(SOON, receiver.recv()).await.expect("soon").expect("it does not end")
}

fn said(text: &'static str) -> Notice {
    Notice::Said(Bytes::from_static(text.as_bytes()))
}

/// A store and somebody who listens to it: from before it has a connection, so that a gap tells that it has.
async fn listening(config: &StoreConfig) -> (Store, Receiver<Notice>) {
    let store = Store::open(config).unwrap();
    let mut receiver = store.notices.subscribe();
    assert_eq!(next(&mut receiver).await, Notice::Gap);
    becomes(&store, Health::Up).await;
    (store, receiver)
}

async fn say(store: &Store, text: &'static str) {
    store.notices.publish(Bytes::from_static(text.as_bytes())).await.unwrap();
}

#[tokio::test]
async fn in_memory_nobody_else_hears() {
    let store = Store::memory();
    let mut receiver = store.notices.subscribe();
    say(&store, "x").await;
    assert!(receiver.try_recv().is_err_and(|error| error == tokio::sync::mpsc::error::TryRecvError::Empty));
}

#[tokio::test]
async fn others_hear_in_order_and_the_publisher_does_not_hear_itself() {
    let redis = Redis::shared();
    let config = redis.config();
    let (one, mut at_one) = listening(&config).await;
    let (two, mut at_two) = listening(&config).await;
    say(&one, "a").await;
    say(&one, "b").await;
    assert_eq!(next(&mut at_two).await, said("a"));
    assert_eq!(next(&mut at_two).await, said("b"));
    say(&two, "c").await;
    assert_eq!(next(&mut at_one).await, said("c"), "and not its own");
    let other = open(&redis.config()).await;
    say(&other, "elsewhere").await;
    say(&one, "d").await;
    assert_eq!(next(&mut at_two).await, said("d"), "and not those of another prefix");
}

#[tokio::test]
async fn who_falls_behind_hears_a_gap() {
    let redis = Redis::shared();
    let config = redis.config();
    let one = open(&config).await;
    let (two, mut slow) = listening(&config).await;
    let mut quick = two.notices.subscribe();
    let many = 1200;
    for _ in 0..many {
        say(&one, "x").await;
        assert_eq!(next(&mut quick).await, said("x"));
    }
    let mut heard = 0;
    while next(&mut slow).await != Notice::Gap {
        heard += 1;
    }
    assert!((1000..many).contains(&heard), "{heard}");
    say(&one, "y").await;
    assert_eq!(next(&mut slow).await, said("y"), "it goes on");
}

#[tokio::test]
async fn after_redis_was_away_there_is_a_gap() {
    let mut redis = Redis::start(&[]);
    let config = redis.config();
    let one = open(&config).await;
    let (_two, mut at_two) = listening(&config).await;
    redis.kill();
    redis.restart();
    assert_eq!(next(&mut at_two).await, Notice::Gap);
    // The publisher may need a moment more.
    let publishing = async {
        while one.notices.publish(Bytes::from_static(b"a")).await.is_err() {
            yield_now().await;
        }
    };
    timeout(SOON, publishing).await.expect("it is there again");
    assert_eq!(next(&mut at_two).await, said("a"));
}
