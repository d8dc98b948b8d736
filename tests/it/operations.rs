//! The wire: what each operation sends and understands is pinned in `tests/golden/<operation id>.json`, and compared
//! with the reference of DingTalk's API. A server that only records and replays stands where DingTalk would.

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
    config::Sources,
    dingtalk::{App, Client, Context, Empty, Endpoint, Spec, Stats, app::AppConfig},
    operation::{
        self,
        group::{
            CreateGroup, GetGroup, GetJoinLink, ManagementOptions, OwnerType, ResolveGroup, SetPrivateChat,
            UpdateGroup,
        },
        id::{ChatId, MediaId, OpenConversationId, UnionId, UserId},
    },
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
        let client = Client::new(&loaded.config.dingtalk, &loaded.config.token).unwrap();
        Self { app: App::new(&config, "secret".into()), client, seen }
    }

    fn context() -> Context {
        Context { deadline: Instant::now() + Duration::from_secs(10), stats: Arc::new(Stats::default()) }
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
    (StatusCode::from_u16(reply.status).unwrap(), Body::from(reply.body.to_string())).into_response()
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

#[tokio::test]
async fn every_operation_sends_and_reads_what_its_golden_file_says() {
    let (chatid, odd_chatid) = (ChatId("chat0001".to_owned()), ChatId("chat+/=1".to_owned()));
    let open_id = OpenConversationId("cidA/b+c==".to_owned());
    let (user, icon) = (UserId("user001".to_owned()), MediaId("@lALPmedia".to_owned()));
    let options = || ManagementOptions {
        mention_all_authority: Some(1),
        management_type: Some(1),
        show_history_type: Some(1),
        validation_type: Some(1),
        searchable: Some(1),
        chat_banned_type: Some(1),
    };
    let create = CreateGroup {
        name: "测试群",
        owner: "manager4220",
        owner_type: OwnerType::Emp,
        user_ids: &[UserId("manager4220".to_owned()), user.clone()],
        union_ids: &[UnionId("union-ext001".to_owned())],
        icon: Some(&icon),
        conversation_tag: operation::group::TAG_INTERNAL,
        management_options: Some(options()),
    };
    let update = UpdateGroup {
        chatid: &chatid,
        name: Some("新名"),
        owner: Some("union-ext001"),
        owner_type: Some(OwnerType::Ext),
        icon: Some(&icon),
        management_options: Some(options()),
        add_user_ids: std::slice::from_ref(&user),
        add_union_ids: &[UnionId("union-ext002".to_owned())],
        del_user_ids: &[UserId("user003".to_owned())],
        del_union_ids: &[UnionId("union-ext003".to_owned())],
    };
    let link = GetJoinLink { chatid: Some(&chatid), open_conversation_id: Some(&open_id), userid: &user };
    let done = BTreeSet::from([
        pinned_token("auth.access_token.get", "access_token").await,
        pinned_token("auth.token.get_by_corp", "corp_token").await,
        pinned_token("auth.gettoken_legacy", "gettoken").await,
        pinned(create).await,
        pinned(update).await,
        pinned(GetGroup { chatid: &odd_chatid }).await,
        pinned(SetPrivateChat { chatid: &chatid, is_prohibit: true }).await,
        pinned(link).await,
        pinned(ResolveGroup { chat_id: &odd_chatid }).await,
    ]);
    assert_eq!(
        done,
        operation::ALL.iter().map(|spec| spec.id).collect(),
        "every operation has a golden file"
    );
}

#[tokio::test]
async fn what_is_not_stated_is_not_sent() {
    let recorder = Recorder::start("group.update", |_| {}).await;
    let chatid = &ChatId("chat0001".to_owned());
    let request = UpdateGroup {
        name: Some("n"),
        management_options: Some(ManagementOptions { searchable: Some(0), ..Default::default() }),
        ..UpdateGroup::of(chatid)
    };
    let _: Empty = recorder.client.call(&Recorder::context(), &recorder.app, &request).await.unwrap();
    let sent = recorder.seen.lock().unwrap().pop().unwrap().body.unwrap();
    assert_eq!(sent, json!({ "chatid": "chat0001", "name": "n", "managementOptions": { "searchable": 0 } }));
}

/// Fields of the reference that no request of the gateway has, and why.
const UNUSED: [(&str, &str, &str); 2] = [
    ("auth.gettoken_legacy", "corpid", "a credential of former times, in the SDK only"),
    ("auth.gettoken_legacy", "corpsecret", "a credential of former times, in the SDK only"),
];

fn reference(id: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(dinggate_simulator::API_JSON).unwrap();
    all.into_iter()
        .find(|operation| operation["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not in the reference"))
}

/// The golden request of an operation against what DingTalk documents of it.
fn compare(spec: &Spec) {
    let (id, golden, reference) = (spec.id, golden(spec.id).request, reference(spec.id));
    assert_eq!(reference["method"], spec.method.as_str(), "{id}");
    assert_eq!(reference["path"], spec.path, "{id}");
    assert_eq!(reference["generation"], spec.generation.as_str(), "{id}");
    assert_eq!(reference["permission"].as_str(), spec.permission, "{id}");
    assert_eq!(golden.host, reference["host"], "{id}");
    assert_eq!(golden.method, spec.method.as_str(), "{id}");
    assert!(fits(&golden.path, spec.path), "{id}: {} is not {}", golden.path, spec.path);
    let token = match reference["token"].as_str().unwrap() {
        "header" => golden.headers.contains_key("x-acs-dingtalk-access-token"),
        "query" => golden.query.contains_key("access_token"),
        _ => !golden.query.contains_key("access_token"),
    };
    assert!(token, "{id}: the token is not where it belongs");
    let json_body = reference["content_type"] == "application/json";
    assert_eq!(golden.body.is_some() && json_body, golden.headers.contains_key("content-type"), "{id}");
    let query = golden.query.into_iter().filter(|(name, _)| name != "access_token");
    let query = Value::Object(query.map(|(name, value)| (name, Value::String(value))).collect());
    fields(id, &reference["query"], &query);
    fields(id, &reference["body"], &golden.body.unwrap_or(json!({})));
    let bound = reference["body"].as_array().unwrap().iter().find_map(|field| {
        field["name"].as_str().filter(|name| name.ends_with("useridlist"))?;
        field["suggested_max_items"].as_u64()
    });
    assert_eq!(spec.max_members.map(|most| most as u64), bound, "{id}");
}

/// Whether a path is a template with its parameters filled in.
fn fits(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path
            .iter()
            .zip(&template)
            .all(|(part, shape)| part == shape || shape.starts_with('{') && !part.is_empty())
}

/// Every field that is sent is documented with its type; every documented one is sent, or listed as unused.
fn fields(id: &str, documented: &Value, sent: &Value) {
    let documented = documented.as_array().unwrap();
    for (name, value) in sent.as_object().unwrap() {
        let field = documented.iter().find(|field| field["name"] == *name);
        let field = field.unwrap_or_else(|| panic!("{id}: {name} is not documented"));
        let right = match field["type"].as_str().unwrap() {
            "string" => value.is_string(),
            "bool" => value.is_boolean(),
            "int32" | "int64" => value.is_i64(),
            "string[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            "object" => {
                fields(id, &field["fields"], value);
                true
            }
            other => panic!("{id}: {name} has type {other}"),
        };
        assert!(right, "{id}: {name} = {value} is not {}", field["type"]);
        if let Some(allowed) = field["enum"].as_array() {
            assert!(allowed.contains(value), "{id}: {name} = {value} is not one of {allowed:?}");
        }
    }
    for field in documented {
        let name = field["name"].as_str().unwrap();
        let listed = UNUSED.iter().any(|(operation, unused, _)| *operation == id && *unused == name);
        assert_ne!(
            sent.get(name).is_some(),
            listed,
            "{id}: {name} must be in the golden request or in UNUSED"
        );
        assert!(!listed || field["required"] != true, "{id}: {name} is required");
    }
}

#[test]
fn every_operation_is_as_the_reference_says() {
    operation::ALL.iter().for_each(|spec| compare(spec));
}

#[test]
fn operation_ids_are_unique() {
    let ids: BTreeSet<_> = operation::ALL.iter().map(|spec| spec.id).collect();
    assert_eq!(ids.len(), operation::ALL.len());
}
