//! Redis goes away and comes back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dinggate::store::{Ask, Health, Limit, OnFailure, Reserved, Store, StoreConfig};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, sleep, timeout},
};

use crate::support::{Redis, SOON, ask, becomes, millis, open};

fn config(redis: &Redis) -> StoreConfig {
    StoreConfig { timeout: millis(500), replicas: 2, ..redis.config() }
}

/// A place, however often it has to be asked for.
async fn in_the_end(store: &Store, ask: &Ask) -> Duration {
    let asking = async {
        loop {
            match store.budgets.reserve(ask).await.unwrap() {
                Reserved::Place { wait, .. } => return wait,
                Reserved::Later { wait, .. } => sleep(wait).await,
            }
        }
    };
    timeout(SOON, asking).await.expect("a place")
}

/// Callers that send as much as they may, and when they did.
struct Callers {
    sent: Arc<Mutex<Vec<Instant>>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Callers {
    fn start(stores: &[&Store], ask: &Ask) -> Self {
        let (sent, stop) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let tasks = stores.iter().flat_map(|store| [*store, *store]).map(|store| {
            let (store, ask, sent, stop) = (store.clone(), ask.clone(), sent.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let wait = in_the_end(&store, &ask).await;
                    sent.lock().unwrap().push(Instant::now() + wait);
                    sleep(wait).await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { sent, stop, tasks }
    }

    fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    async fn go_on(&self, count: usize) {
        let target = self.count() + count;
        let going = async {
            while self.count() < target {
                yield_now().await
            }
        };
        timeout(SOON, going).await.expect("they go on");
    }

    async fn stop(self) -> Vec<Instant> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        sent.sort();
        sent
    }
}

#[tokio::test]
async fn replicas_go_on_with_their_shares_and_come_back() {
    let mut redis = Redis::start(&[]);
    let config = config(&redis);
    let (one, two) = (open(&config).await, open(&config).await);
    let (calls, window) = (20, millis(1000));
    let ask = Ask { horizon: millis(200), ..ask(calls, window) };
    let callers = Callers::start(&[&one, &two], &ask);
    callers.go_on(30).await;

    redis.kill();
    let lost = Instant::now();
    becomes(&one, Health::Degraded).await;
    becomes(&two, Health::Degraded).await;
    let before = callers.count();
    callers.go_on(30).await;
    let (silence, first) = {
        let mut sent = callers.sent.lock().unwrap();
        sent.sort();
        (sent[before], before)
    };
    assert!(
        silence >= lost + window - millis(50),
        "number {first} is early: what others sent is not over yet"
    );
    assert!(one.outcomes.claim("k", &[1; 32], window).await.is_err(), "nobody can say whether it was done");

    redis.restart();
    let back = Instant::now();
    becomes(&one, Health::Up).await;
    becomes(&two, Health::Up).await;
    // As much as both together are allowed: the budget is one again.
    let until_full = async {
        loop {
            let now = Instant::now();
            let recent =
                callers.sent.lock().unwrap().iter().filter(|at| **at + window > now && **at > back).count();
            if recent >= calls as usize * 8 / 10 && now > back + window {
                return;
            }
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), until_full).await.expect("all is as before within five seconds");
    let sent = callers.stop().await;
    for crowd in sent.windows(calls as usize + 1) {
        // A reply may be late by so much on a machine under load, and the place is not.
        let apart = crowd[calls as usize] - crowd[0];
        assert!(apart >= window - millis(150), "{} within {apart:?}", calls + 1);
    }
    let counted = one.budgets.usage("orders", "group.get").await.unwrap().month_calls;
    assert!(counted.abs_diff(sent.len() as u64) <= 5, "the month has {counted} of {}", sent.len());
}

#[tokio::test]
async fn a_redis_that_has_forgotten_everything_begins_with_a_pause() {
    let mut redis = Redis::start(&[]);
    let config = config(&redis);
    let store = open(&config).await;
    redis.grow_old(&config).await;
    let ask = ask(20, millis(1500));
    for _ in 0..10 {
        assert_eq!(in_the_end(&store, &ask).await, Duration::ZERO);
    }
    redis.kill();
    redis.restart();
    let back = Instant::now();
    let wait = in_the_end(&store, &ask).await;
    let wait = back.elapsed() + wait;
    assert!(wait >= millis(1450), "{wait:?}");
    let counted = store.budgets.usage("orders", "group.get").await.unwrap().month_calls;
    assert_eq!(counted, 11, "the month is not forgotten");
}

#[tokio::test]
async fn it_starts_without_redis_and_finds_it() {
    let mut redis = Redis::stopped(&[]);
    let store = Store::open(&config(&redis)).unwrap();
    let started = Instant::now();
    let ask = ask(20, millis(400));
    let wait = in_the_end(&store, &ask).await;
    assert!(started.elapsed() + wait >= millis(390), "others may have sent something before");
    assert_eq!(*store.health.borrow(), Health::Degraded);

    store.budgets.pause(&ask, Limit::Egress, Duration::from_secs(3600)).await.unwrap();
    redis.restart();
    becomes(&store, Health::Up).await;
    let short = Ask { horizon: millis(1000), ..ask.clone() };
    let reserved = store.budgets.reserve(&short).await.unwrap();
    assert!(
        matches!(reserved, Reserved::Later { limit: Limit::Egress, .. }),
        "a pause outlasts it: {reserved:?}"
    );
}

#[tokio::test]
async fn a_redis_that_hangs_is_lost_as_well() {
    let redis = Redis::start(&[]);
    let store = open(&config(&redis)).await;
    redis.signal("STOP");
    let ask = ask(20, millis(100));
    // Whoever asks is not kept for longer than a command may take.
    let started = Instant::now();
    store.budgets.reserve(&ask).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
    becomes(&store, Health::Degraded).await;
    in_the_end(&store, &ask).await;
    redis.signal("CONT");
    becomes(&store, Health::Up).await;
    in_the_end(&store, &ask).await;
}

#[tokio::test]
async fn with_fail_nothing_goes_without_redis() {
    let mut redis = Redis::stopped(&[]);
    let store = Store::open(&StoreConfig { on_failure: OnFailure::Fail, ..config(&redis) }).unwrap();
    let ask = ask(20, millis(100));
    store.budgets.reserve(&ask).await.unwrap_err();
    store.budgets.usage("orders", "group.get").await.unwrap_err();
    store.facts.recall("k").await.unwrap_err();
    store.notices.publish(Bytes::new()).await.unwrap_err();
    redis.restart();
    becomes(&store, Health::Up).await;
    store.budgets.reserve(&ask).await.unwrap();
    redis.kill();
    becomes(&store, Health::Degraded).await;
    store.budgets.reserve(&ask).await.unwrap_err();
}
