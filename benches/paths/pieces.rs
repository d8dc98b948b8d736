//! Single pieces: a token, a place in the second, an event for all who watch.

use std::{sync::Arc, time::Duration};

use dinggate::{
    config::Sources,
    dingtalk::{
        App, Error,
        token::{Grant, Token, TokenSource, Tokens},
    },
    event::{Change, Event, Feed, Filter, Item},
    group::GroupRef,
    metrics::Metrics,
    operation::id::ChatId,
    store::{Ask, Rate, Reserved, Store},
};
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use super::{Path, runtime};

/// Who watch the same app.
const WATCHERS: usize = 100;

pub fn paths() -> Vec<Path> {
    vec![token_lookup(), limiter_reservation(), event_fan_out()]
}

fn sources() -> Sources {
    Sources::defaults()
        .with("server.grpc_addr", "127.0.0.1:0")
        .with("apps.demo.app_key", "dingdemo")
        .with("apps.demo.app_secret", "demo-secret")
        .with("events.mode", "stream")
}

struct Granted;

impl TokenSource for Granted {
    async fn fetch(&self, _: &App) -> Result<Grant, Error> {
        Ok(Grant { token: Token::new("a-token".to_owned()), lifetime: Some(7200) })
    }
}

/// A token that is there.
fn token_lookup() -> Path {
    let loaded = sources().load().expect("a valid configuration");
    let (app, tokens) = (loaded.apps[0].clone(), Tokens::new(Granted, loaded.config.token));
    let runtime = runtime();
    Path::new("token lookup", move || {
        let deadline = Instant::now() + Duration::from_secs(1);
        runtime.block_on(tokens.get(&app, deadline)).expect("a token");
    })
}

/// A place that is free: there is room for more than anybody could take.
fn limiter_reservation() -> Path {
    let store = Store::memory();
    let rate = |calls| Rate { calls, per: Duration::from_millis(1) };
    let ask = Ask {
        app: Arc::from("demo"),
        operation: "group.get",
        rate: rate(1_000_000),
        month: Some(u64::MAX),
        egress: rate(10_000_000),
        waiting: 1,
        horizon: Duration::from_secs(1),
    };
    let runtime = runtime();
    Path::new("limiter reservation", move || {
        let reserved = runtime.block_on(store.budgets.reserve(&ask)).expect("memory");
        assert!(matches!(reserved, Reserved::Place { .. }), "{reserved:?}");
    })
}

/// One event, from the source to the last of those who watch.
fn event_fan_out() -> Path {
    let config = sources().load().expect("a valid configuration").config.events;
    let runtime = runtime();
    let guard = runtime.enter();
    let feed = Feed::new(&Store::memory(), &config, ["demo"], Metrics::off());
    drop(guard);
    let (idle, filter) = (Duration::from_secs(3600), Filter::default());
    let mut watchers = Vec::new();
    for _ in 0..WATCHERS {
        let watcher = runtime.block_on(feed.watch("demo", filter.clone(), None, idle));
        let mut watcher = Box::pin(watcher.expect("a place to watch"));
        let greeting = runtime.block_on(watcher.next());
        assert!(matches!(greeting, Some(Item::Checkpoint(_))), "{greeting:?}");
        watchers.push(watcher);
    }
    let mut id = 0_u64;
    Path::new("event fan-out to 100", move || {
        id += 1;
        runtime.block_on(async {
            feed.accept("demo", None, vec![titled(id)]).await.expect("memory");
            for watcher in &mut watchers {
                let item = watcher.next().await;
                assert!(matches!(item, Some(Item::Record(_))), "{item:?}");
            }
        });
    })
}

fn titled(id: u64) -> Event {
    let chat_id = Some(ChatId("chat1".to_owned()));
    Event {
        id: id.to_string(),
        type_name: "chat_update_title".to_owned(),
        group: GroupRef { chat_id, ..GroupRef::default() },
        operator: None,
        happened: 1_760_000_000_123,
        change: Change::TitleChanged("A title".to_owned()),
    }
}
