//! A client that sends exactly what it is told, and checks each success against the operation reference.

use std::sync::Once;

use dinggate_simulator::reference::{Field, Generation, Operation, operations};
use dinggate_simulator::seed::User;
use dinggate_simulator::{GroupSnapshot, Options, Seed, Simulator};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method};
use serde_json::{Value, json};

pub(crate) const TOKEN_HEADER: &str = "x-acs-dingtalk-access-token";

pub(crate) struct Dingtalk {
    pub(crate) simulator: Simulator,
    pub(crate) token: String,
    http: Client,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    /// `400 parameter.invalid` of the new face, `40014` or `88/40014` of the legacy face.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        match (&body["code"], &body["sub_code"]) {
            (Value::String(code), _) => format!("{} {code}", self.status),
            (_, Value::String(sub_code)) => format!("{}/{sub_code}", body["errcode"]),
            _ => body["errcode"].to_string(),
        }
    }
}

impl Dingtalk {
    /// The demo world, and a token of its app.
    pub(crate) async fn start() -> Dingtalk {
        Dingtalk::start_with(Seed::demo()).await
    }

    /// Another world that has the demo app.
    pub(crate) async fn start_with(seed: Seed) -> Dingtalk {
        // reqwest wants a TLS provider even where nothing is encrypted.
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap());
        let simulator = Simulator::start(Options { seed, ..Default::default() }).await.unwrap();
        let mut dingtalk = Dingtalk { simulator, token: String::new(), http: Client::new() };
        dingtalk.log_in("dingdemo").await;
        dingtalk.simulator.clear_log();
        dingtalk
    }

    /// Goes on as another app with the secret of the demo.
    pub(crate) async fn log_in(&mut self, app_key: &str) {
        let key = json!({"appKey": app_key, "appSecret": "demo-secret"});
        let reply = self.post("/v1.0/oauth2/accessToken", &key).await;
        self.token = reply.json()["accessToken"].as_str().unwrap().to_owned();
    }

    /// Calls an operation with its token where it belongs. Params go into the body, or the query of a GET; `{…}` of
    /// the path is filled from `path_param`.
    pub(crate) async fn call_at(&self, id: &str, path_param: &str, params: Value) -> Reply {
        let operation = operation(id);
        let value = encode(path_param);
        let mut path: Vec<&str> = operation.path.split('/').collect();
        path.iter_mut().filter(|part| part.starts_with('{')).for_each(|part| *part = &value);
        let mut path = path.join("/");
        let mut query: Vec<String> = Vec::new();
        if operation.generation == Generation::Legacy {
            query.push(format!("access_token={}", self.token));
        }
        if operation.method == "GET" {
            let pairs = params.as_object().unwrap().iter();
            query.extend(pairs.map(|(name, value)| format!("{name}={}", encode(value.as_str().unwrap()))));
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let mut request = self.http.request(method, self.url(&path)).header(TOKEN_HEADER, &self.token);
        if operation.content_type.is_some() {
            request = request.header(CONTENT_TYPE, "application/json").body(params.to_string());
        }
        let reply = receive(request).await.unwrap();
        check_success(operation, &reply);
        reply
    }

    pub(crate) async fn call(&self, id: &str, params: Value) -> Reply {
        self.call_at(id, "", params).await
    }

    /// A POST of JSON without any token.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> Reply {
        self.try_send(method, path, headers, body.into()).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> reqwest::Result<Reply> {
        let mut request = self.http.request(method, self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        receive(request).await
    }

    /// A new internal group of the owner and `others`; the answer.
    pub(crate) async fn create(&self, others: &[&str]) -> Value {
        let mut users = vec!["manager4220"];
        users.extend(others);
        let body = json!({"name": "Demo", "owner": "manager4220", "useridlist": users});
        let reply = self.call("group.create", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    /// The chatid of such a group.
    pub(crate) async fn create_chat(&self, others: &[&str]) -> String {
        self.create(others).await["chatid"].as_str().unwrap().to_owned()
    }

    /// A new scenario group of the owner and `others`; its openConversationId.
    pub(crate) async fn create_scene(&self, others: &[&str]) -> String {
        let body = json!({
            "title": "Demo", "template_id": "tpl-demo", "owner_user_id": "manager4220", "user_ids": others,
        });
        let reply = self.call("scene.create", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["open_conversation_id"].as_str().unwrap().to_owned()
    }

    /// What the world knows about a group.
    pub(crate) fn group(&self, open_conversation_id: &str) -> GroupSnapshot {
        let mut groups = self.simulator.groups().into_iter();
        groups.find(|group| group.open_conversation_id == open_conversation_id).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }
}

pub(crate) fn users(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| format!("user{number:03}")).collect()
}

/// The demo seed with a second app, `dingsecond`, in the same organization.
pub(crate) fn two_apps() -> Seed {
    let mut seed = Seed::demo();
    let corp = &mut seed.organizations[0];
    let mut app = corp.apps[0].clone();
    app.app_key = "dingsecond".into();
    corp.apps.push(app);
    seed
}

/// The demo seed with `count` more users, `extra1` and so on.
pub(crate) fn crowd(count: u32) -> Seed {
    let mut seed = Seed::demo();
    let user = seed.organizations[0].users[1].clone();
    let extra = (1..=count).map(|number| User {
        user_id: format!("extra{number}"),
        union_id: format!("union-extra{number}"),
        ..user.clone()
    });
    seed.organizations[0].users.extend(extra);
    seed
}

pub(crate) fn extras(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| format!("extra{number}")).collect()
}

pub(crate) fn operation(id: &str) -> &'static Operation {
    operations().iter().find(|operation| operation.id == id).unwrap()
}

pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

async fn receive(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

/// Every field of a success is in the reference.
fn check_success(operation: &Operation, reply: &Reply) {
    fn walk(fields: &[Field], value: &Value, id: &str) {
        for (name, value) in value.as_object().unwrap() {
            let field = fields.iter().find(|field| &field.name == name);
            let field =
                field.unwrap_or_else(|| panic!("{id} answers {name}, which the reference does not know"));
            if value.is_object() && !field.kind.starts_with("map") {
                walk(&field.fields, value, id);
            }
        }
    }
    let Ok(body) = serde_json::from_str::<Value>(&reply.text) else { return };
    if reply.status == 200 && body.get("errcode").unwrap_or(&json!(0)) == &json!(0) {
        walk(&operation.response, &body, &operation.id);
    }
}
