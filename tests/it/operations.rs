//! The wire: what each operation sends and understands is pinned in `tests/golden/<operation id>.json`, and compared
//! with the reference of DingTalk's API. A server that only records and replays stands where DingTalk would.

mod claims;
mod inside;
mod ordinary;
pub mod reference;
mod scenario;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use dinggate::{
    config::{Config, Sources},
    dingtalk::{App, Client, Context, Endpoint, app::AppConfig},
    metrics::Metrics,
    operation::{
        self,
        group::GetGroup,
        id::{ChatId, MediaId, OpenConversationId, UnionId, UserId},
    },
    store::Store,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

use crate::support::install_tls;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    request: Wire,
    reply: Reply,
    /// The reply as the gateway's type shows itself.
    reads_as: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    method: String,
    /// `api` or `oapi`.
    host: String,
    /// As sent, percent-encoding included.
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    status: u16,
    /// Null: an empty body.
    body: Value,
}

fn golden(id: &str) -> Golden {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{id}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Two hosts that record what they get, and answer with the golden reply of whatever operation is asked for.
struct Recorder {
    app: App,
    client: Client,
    seen: Arc<Mutex<Vec<Wire>>>,
}

impl Recorder {
    /// Answers `id` with its golden reply, and token requests with theirs.
    async fn start(id: &'static str, adapt: impl FnOnce(&mut AppConfig)) -> Self {
        install_tls();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let api = serve("api", id, seen.clone()).await;
        let oapi = serve("oapi", id, seen.clone()).await;
        let mut config = AppConfig {
            alias: "demo".to_owned(),
            app_key: "dingkey".to_owned(),
            corp_id: "dingcorp/1".to_owned(),
            api_url: Some(api.parse().unwrap()),
            oapi_url: Some(oapi.parse().unwrap()),
            ..AppConfig::default()
        };
        adapt(&mut config);
        let loaded = Sources::defaults().with("auth.insecure_allow_remote", true);
        let loaded = loaded.with("apps.demo.app_key", "k").with("apps.demo.app_secret", "s").load().unwrap();
        let Config { dingtalk, token, limits, retry, breaker, .. } = &loaded.config;
        let client =
            Client::new(dingtalk, token, limits, retry, breaker, Store::memory().budgets, Metrics::off())
                .unwrap();
        Self { app: App::new(&config, "secret".into()), client, seen }
    }

    fn context() -> Context {
        Context::until(Instant::now() + Duration::from_secs(10))
    }

    /// The last request, which must be the golden one.
    fn assert_sent(&self, golden: &Golden, id: &str) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.last(), Some(&golden.request), "{id}");
    }
}

async fn serve(host: &'static str, id: &'static str, seen: Arc<Mutex<Vec<Wire>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |request: Request| record(host, id, seen.clone(), request));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

async fn record(host: &str, id: &str, seen: Arc<Mutex<Vec<Wire>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    // What the client library adds is none of the operation's business.
    let own = ["accept", "content-type", "x-acs-dingtalk-access-token"];
    let headers = own.into_iter().filter_map(|name| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_owned(), value.to_owned()))
    });
    seen.lock().unwrap().push(Wire {
        method: parts.method.to_string(),
        host: host.to_owned(),
        path: parts.uri.path().to_owned(),
        query: serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).unwrap(),
        headers: headers.collect(),
        body: (!body.is_empty()).then(|| serde_json::from_slice(&body).unwrap()),
    });
    let is_token = parts.uri.path().contains("oauth2") || parts.uri.path() == "/gettoken";
    let id = if is_token && !id.starts_with("auth.") { "auth.access_token.get" } else { id };
    let reply = golden(id).reply;
    let body = if reply.body.is_null() { Body::empty() } else { Body::from(reply.body.to_string()) };
    (StatusCode::from_u16(reply.status).unwrap(), body).into_response()
}

/// Sends the request and compares both directions with the golden file.
async fn pinned<E: Endpoint<Reply: Debug>>(endpoint: E) -> &'static str {
    let id = E::SPEC.id;
    let (recorder, golden) = (Recorder::start(id, |_| {}).await, golden(id));
    let reply = recorder.client.call(&Recorder::context(), &recorder.app, &endpoint).await.expect(id);
    recorder.assert_sent(&golden, id);
    assert_eq!(format!("{reply:?}"), golden.reads_as, "{id}");
    id
}

/// Fetches a token from an endpoint, and sees it used.
async fn pinned_token(id: &'static str, endpoint: &str) -> &'static str {
    let endpoint = serde_json::from_value(json!(endpoint)).unwrap();
    let (recorder, golden) = (Recorder::start(id, |app| app.token_endpoint = endpoint).await, golden(id));
    recorder.client.check_token(&recorder.app, Recorder::context().deadline).await.expect(id);
    recorder.assert_sent(&golden, id);
    let chatid = &ChatId("chat1".to_owned());
    drop(recorder.client.call(&Recorder::context(), &recorder.app, &GetGroup { chatid }).await);
    let used = recorder.seen.lock().unwrap().last().unwrap().query["access_token"].clone();
    assert_eq!(used, golden.reads_as, "{id}");
    id
}

/// What the request looks like, the token aside.
async fn sent<E: Endpoint>(endpoint: E) -> Wire {
    let recorder = Recorder::start(E::SPEC.id, |_| {}).await;
    recorder.client.call(&Recorder::context(), &recorder.app, &endpoint).await.expect(E::SPEC.id);
    recorder.seen.lock().unwrap().pop().unwrap()
}

fn open_id() -> OpenConversationId {
    OpenConversationId("cidA/b+c==".to_owned())
}

fn icon() -> MediaId {
    MediaId("@lALPmedia".to_owned())
}

fn users(ids: &[&str]) -> Vec<UserId> {
    ids.iter().map(|id| UserId((*id).to_owned())).collect()
}

fn unions(ids: &[&str]) -> Vec<UnionId> {
    ids.iter().map(|id| UnionId((*id).to_owned())).collect()
}

#[tokio::test]
async fn every_operation_sends_and_reads_what_its_golden_file_says() {
    let tokens = vec![
        pinned_token("auth.access_token.get", "access_token").await,
        pinned_token("auth.token.get_by_corp", "corp_token").await,
        pinned_token("auth.gettoken_legacy", "gettoken").await,
    ];
    let done = [
        tokens,
        ordinary::pin_all().await,
        scenario::pin_all().await,
        scenario::pin_all_legacy().await,
        inside::pin_all().await,
    ];
    assert_eq!(
        done.into_iter().flatten().collect::<BTreeSet<_>>(),
        operation::ALL.iter().map(|spec| spec.id).collect(),
        "every operation has a golden file"
    );
}

#[test]
fn every_operation_is_as_the_reference_says() {
    operation::ALL.iter().for_each(|spec| reference::compare(spec));
}

#[test]
fn operation_ids_are_unique() {
    let ids: BTreeSet<_> = operation::ALL.iter().map(|spec| spec.id).collect();
    assert_eq!(ids.len(), operation::ALL.len());
}
