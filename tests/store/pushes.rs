//! Who owns an app's events, and what becomes of those that cannot be kept: gateways on a Redis that fails.

use std::time::Duration;

use dinggate::{
    config::Sources,
    event::{Cause, Change, Feed, Filter, Item, Record, Refusal, Watcher},
    server::Server,
};
use dinggate_simulator::{PushRules, Simulator};
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_stream::StreamExt as _;

use crate::support::{Redis, SOON, install_tls};

const APP: &str = "dingdemo";
/// What is promised of a replica that dies.
const TAKEOVER: Duration = Duration::from_secs(10);

/// A replica; gone without a word when it is aborted.
struct Replica {
    feed: Feed,
    served: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    async fn start(simulator: &Simulator, redis: &Redis) -> Self {
        let config = Sources::defaults()
            .with("server.grpc_addr", "127.0.0.1:0")
            .with("server.http_addr", "127.0.0.1:0")
            .with("store.kind", "redis")
            .with("store.url", format!("redis://127.0.0.1:{}", redis.port))
            .with("events.mode", "stream")
            .with("apps.demo.app_key", APP)
            .with("apps.demo.app_secret", "demo-secret")
            .with("apps.demo.api_url", simulator.url())
            .with("apps.demo.oapi_url", simulator.url());
        let server = Server::build(config.load().unwrap()).await.unwrap();
        let feed = server.feed();
        Self { feed, served: tokio::spawn(server.run(std::future::pending())) }
    }

    async fn watch(&self) -> Watcher {
        let watching = async {
            loop {
                match self.feed.watch("demo", Filter::default(), None, SOON).await {
                    Ok(watcher) => return watcher,
                    // It has only begun to connect to Redis.
                    Err(Refusal::Unreadable(_)) => tokio::task::yield_now().await,
                    Err(refusal) => panic!("no watcher: {refusal}"),
                }
            }
        };
        timeout(SOON, watching).await.expect("a connection to Redis")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// The next thing in the log, checkpoints aside.
async fn next(watcher: &mut Watcher) -> Record {
    loop {
        match timeout(SOON, watcher.next()).await.expect("soon").expect("no end") {
            Item::Record(logged) => return logged.record.clone(),
            Item::Checkpoint(_) => {}
            Item::Ended(why, _) => panic!("it ended: {why:?}"),
        }
    }
}

fn push(simulator: &Simulator, title: &str) -> String {
    simulator.push_event(APP, "chat_update_title", &json!({ "chatId": "chat1", "title": title }))
}

async fn simulator() -> Simulator {
    install_tls();
    let simulator = Simulator::start(dinggate_simulator::Options::default()).await.expect("a free port");
    // What is asked for again never comes again.
    simulator.set_push_rules(PushRules { redelivery_ms: Vec::new(), ..PushRules::default() });
    simulator
}

#[tokio::test]
async fn an_event_that_could_not_be_kept_leaves_a_gap() {
    let (redis, simulator) = (Redis::start(&[]), simulator().await);
    let replica = Replica::start(&simulator, &redis).await;
    simulator.until_pushes(APP, |pushes| pushes.opened == 1).await;
    let mut watcher = replica.watch().await;

    redis.signal("STOP");
    push(&simulator, "lost");
    simulator.until_pushes(APP, |pushes| pushes.later == 1).await;
    redis.signal("CONT");

    // The command that got no answer may have been carried out all the same.
    let gap = loop {
        match next(&mut watcher).await {
            Record::Gap(gap) => break gap,
            Record::Event(event) => assert_eq!(event.change, Change::TitleChanged("lost".to_owned())),
        }
    };
    assert_eq!(gap.cause, Cause::LogLost);
    push(&simulator, "kept");
    let Record::Event(event) = next(&mut watcher).await else { panic!("a second gap") };
    assert_eq!(event.change, Change::TitleChanged("kept".to_owned()));
}

#[tokio::test]
async fn another_replica_takes_over_in_time_and_admits_the_gap() {
    let (redis, simulator) = (Redis::start(&[]), simulator().await);
    let first = Replica::start(&simulator, &redis).await;
    simulator.until_pushes(APP, |pushes| pushes.opened == 1).await;
    let second = Replica::start(&simulator, &redis).await;
    let mut watcher = second.watch().await;
    let before = push(&simulator, "before");
    assert!(matches!(next(&mut watcher).await, Record::Event(event) if event.id == before));
    assert_eq!(simulator.push_counters(APP).opened, 1, "one replica has the connection");

    let died = Instant::now();
    drop(first);
    timeout(SOON, simulator.until_pushes(APP, |pushes| pushes.opened == 2))
        .await
        .unwrap_or_else(|_| panic!("{:?}", simulator.push_counters(APP)));
    assert!(died.elapsed() < TAKEOVER, "{:?}", died.elapsed());
    let Record::Gap(gap) = next(&mut watcher).await else { panic!("no gap") };
    assert_eq!(gap.cause, Cause::OwnerChanged);
    let after = push(&simulator, "after");
    assert!(matches!(next(&mut watcher).await, Record::Event(event) if event.id == after));
}
