//! Events that DingTalk posts.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use dinggate::{
    config::{Config, Loaded, Sources},
    dingtalk::Client,
    event::{Cause, Feed, Filter, Item as Told, Pace, Record, Recovery},
    metrics::Metrics,
    server::Server,
    service::Apps,
    store::Store,
};
use dinggate_simulator::{Callback, PushRules};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_stream::StreamExt as _;

use super::{APP, SOON, Watch, create, titled};
use crate::{
    metrics::Scrape,
    support::{Gateway, install_tls, sources},
};

const TOKEN: &str = "gatewayToken01";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// With the secrets in these files.
fn taking_callbacks(sources: Sources, token: &Path, key: &Path) -> Sources {
    sources
        .with("events.mode", "callback")
        .with("events.callback.demo.token_file", token.to_str().unwrap())
        .with("events.callback.demo.aes_key_file", key.to_str().unwrap())
        .with("events.callback.demo.owner_keys", vec!["dingcorpdemo", APP])
}

#[tokio::test]
async fn a_secret_that_has_gone_meanwhile_keeps_the_gateway_from_starting() {
    let folder = TempDir::new().unwrap();
    let (token, key) = (folder.path().join("token"), folder.path().join("key"));
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::write(&key, AES_KEY).unwrap();
    install_tls();
    let loaded = taking_callbacks(sources("http://127.0.0.1:1"), &token, &key).load().unwrap();
    std::fs::remove_file(&key).unwrap();
    let error = Server::build(loaded).await.unwrap_err().to_string();
    let expected = format!("events.callback.demo.aes_key_file: {} cannot be read", key.display());
    assert!(error.starts_with(&expected), "{error}");
}

/// A gateway that takes callbacks, and the folder with its secrets.
async fn with_callback() -> (Gateway, TempDir, Callback) {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (token, key) = (file("token", TOKEN), file("key", &format!("{AES_KEY}\n")));
    let gateway = Gateway::start_with(|sources| taking_callbacks(sources, &token, &key)).await;
    let callback = Callback::new(&format!("http://{}/callback/demo", gateway.http_addr), TOKEN, AES_KEY, APP);
    (gateway, folder, callback)
}

/// The status of the answer and all of its text.
async fn post(url: &str, body: &str) -> (u16, String) {
    announce(url, body.len(), body).await
}

/// The same with a length that is announced, however much follows.
async fn announce(url: &str, length: usize, body: &str) -> (u16, String) {
    let (addr, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!("POST /{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n");
    let request = format!("{head}content-type: application/json\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    (text.split(' ').nth(1).expect("a status line").parse().unwrap(), text)
}

#[tokio::test]
async fn callbacks_are_verified_and_taken() {
    let (mut gateway, _folder, callback) = with_callback().await;
    gateway.simulator.set_callback(APP, callback).await.expect("the check of the address is answered");
    let mut watch = Watch::open(&gateway).await;
    let handle = create(&mut gateway).await;
    gateway.simulator.change_group(&handle.chat_id, "user001", &titled("Posted"));
    assert_eq!(watch.title().await, "Posted");
    gateway.simulator.until_pushes(APP, |pushes| pushes.confirmed >= 1 && pushes.unconfirmed == 0).await;
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn what_could_not_be_pushed_is_asked_for_once() {
    const EVENTS: usize = 250;
    let (gateway, _folder, callback) = with_callback().await;
    let simulator = &gateway.simulator;
    simulator.set_callback(APP, callback).await.expect("the check of the address is answered");
    // No answer is quick enough.
    simulator.set_push_rules(PushRules {
        callback_ms: 0,
        callback_retries_ms: Vec::new(),
        failed_ms: 0,
        ..PushRules::default()
    });
    let event = |number| json!({ "chatId": "chat1", "title": format!("{number}") });
    let ids: Vec<_> =
        (0..EVENTS).map(|number| simulator.push_event(APP, "chat_update_title", &event(number))).collect();
    simulator.until_pushes(APP, |pushes| pushes.failed == EVENTS as u64).await;

    // Another replica, which was away for ten minutes.
    let sources = crate::support::sources(&simulator.url()).with("events.mode", "stream");
    let Loaded { config: Config { dingtalk, token, limits, retry, breaker, events, .. }, apps, .. } =
        sources.load().unwrap();
    let (store, apps) = (Store::memory(), Apps::new(apps));
    let client =
        Client::new(&dingtalk, &token, &limits, &retry, &breaker, store.budgets.clone(), Metrics::off())
            .unwrap();
    let feed = Feed::new(&store, &events, ["demo"], Metrics::off());
    let mut watcher = feed.watch("demo", Filter::default(), None, SOON).await.unwrap();
    let left = now() - 600_000;
    let seen = "events-callback-seen/demo";
    store.facts.remember(seen, left.to_be_bytes().to_vec().into(), None).await.unwrap();
    let pace =
        Pace { note: Duration::from_millis(10), harmless: Duration::from_secs(30), listed: Duration::ZERO };
    let app = apps.iter().next().unwrap().clone();
    let recovery = tokio::spawn(Recovery::new(app, &client, &feed, &store, pace).run());

    let mut told = Vec::new();
    while told.len() <= EVENTS {
        match timeout(SOON, watcher.next()).await.expect("soon").expect("no end") {
            Told::Record(logged) => told.push(logged.record.clone()),
            Told::Checkpoint(_) => {}
            Told::Ended(why, _) => panic!("it ended: {why:?}"),
        }
    }
    let Record::Gap(gap) = told.remove(0) else { panic!("the gap comes first") };
    assert_eq!((gap.from, gap.cause), (left, Cause::Reconnected));
    let recovered: Vec<_> = told
        .iter()
        .filter_map(|record| match record {
            Record::Event(event) => Some(event.id.clone()),
            Record::Gap(_) => None,
        })
        .collect();
    assert_eq!(recovered, ids);
    // From now on it is there, and has nothing to ask.
    let is_noted = async {
        while store.facts.recall(seen).await.unwrap().unwrap()[..] == left.to_be_bytes() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, is_noted).await.expect("soon");
    recovery.abort();
    assert_eq!(simulator.requests("events.failed.list"), 2, "200 a page");
}

#[tokio::test]
async fn what_is_not_dingtalks_is_refused_and_not_kept() {
    let (gateway, _folder, callback) = with_callback().await;
    let mut watch = Watch::open(&gateway).await;
    let event = |title: &str| {
        json!({"EventType": "chat_update_title", "eventId": title, "title": title, "chatId": "chat1"})
            .to_string()
    };

    let good = callback.request(&event("good"), now()).unwrap();
    let stale = callback.request(&event("stale"), now() - 3_600_000).unwrap();
    let forged =
        Callback::new(&callback.url, "anotherToken", AES_KEY, APP).request(&event("forged"), now()).unwrap();
    let foreign =
        Callback::new(&callback.url, TOKEN, AES_KEY, "dingother").request(&event("foreign"), now()).unwrap();
    let good_url = good.url.clone();
    let unknown = good.url.replace("/callback/demo", "/callback/other");
    let cases = [
        (stale.url, stale.body, 403),
        (forged.url, forged.body, 403),
        (foreign.url, foreign.body, 403),
        (unknown, good.body.clone(), 404),
        (callback.url.clone(), good.body.clone(), 403),
        (good.url.clone(), "{}".to_owned(), 400),
        (good.url.clone(), good.body.clone(), 200),
        // A replay of these minutes finds its event in the log.
        (good.url, good.body, 200),
    ];
    for (url, body, expected) in cases {
        let (status, text) = post(&url, &body).await;
        assert_eq!(status, expected, "{url}: {text}");
    }
    let begun = "x".repeat(512 * 1024 + 1);
    assert_eq!(announce(&good_url, 600 * 1024, &begun).await.0, 413, "nobody waits for the rest");
    let last = callback.request(&event("last"), now()).unwrap();
    assert_eq!(post(&last.url, &last.body).await.0, 200);
    assert_eq!((watch.title().await, watch.title().await), ("good".to_owned(), "last".to_owned()));
    // The seven that were refused; what was not kept for want of a log would be none of them.
    assert_eq!(refused(&gateway).await, Some(7.0));
}

/// Callbacks that the gateway says it has refused.
async fn refused(gateway: &Gateway) -> Option<f64> {
    Scrape::of(gateway).await.get("dinggate_rejected_total{reason=\"callback\"}")
}

#[tokio::test]
async fn who_dawdles_is_not_waited_for() {
    let (gateway, _folder, callback) = with_callback().await;
    let sealed = callback.request("{}", now()).unwrap();
    let half_a_body = announce(&sealed.url, sealed.body.len(), &sealed.body[..10]);
    let half_a_head = async {
        let mut stream = TcpStream::connect(gateway.http_addr).await.unwrap();
        stream.write_all(b"POST /callback/demo HTTP/1.1\r\nhost: x\r\n").await.unwrap();
        // Closed, with or without a word.
        stream.read_to_end(&mut Vec::new()).await
    };
    let ended = timeout(SOON, async { tokio::join!(half_a_body, half_a_head) }).await;
    let ((status, _), _) = ended.expect("neither is waited for");
    assert_eq!((status, refused(&gateway).await), (408, Some(1.0)));
}
