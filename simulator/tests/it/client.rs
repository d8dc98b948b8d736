//! A client of Stream mode that does only what it is told; WebSocket pings are answered while it listens.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Dingtalk, Reply, encode};

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

pub(crate) async fn register(
    dingtalk: &Dingtalk,
    app_key: &str,
    secret: &str,
    subscriptions: Value,
) -> Reply {
    let body = json!({"clientId": app_key, "clientSecret": secret, "subscriptions": subscriptions,
        "ua": "test/1", "localIp": "127.0.0.1"});
    dingtalk.post("/v1.0/gateway/connections/open", &body).await
}

impl Client {
    /// Connects as the demo app, for all events.
    pub(crate) async fn connect(dingtalk: &Dingtalk) -> Client {
        Client::connect_as(dingtalk, "dingdemo").await
    }

    pub(crate) async fn connect_as(dingtalk: &Dingtalk, app_key: &str) -> Client {
        let all = json!([{"type": "EVENT", "topic": "*"}]);
        let registered = register(dingtalk, app_key, "demo-secret", all).await.json();
        let (endpoint, ticket) =
            (registered["endpoint"].as_str().unwrap(), registered["ticket"].as_str().unwrap());
        Client::open(dingtalk, endpoint, ticket).await.unwrap()
    }

    pub(crate) async fn open(dingtalk: &Dingtalk, endpoint: &str, ticket: &str) -> Result<Client, Error> {
        let stream = TcpStream::connect(dingtalk.simulator.addr()).await.unwrap();
        let url = format!("{endpoint}?ticket={}", encode(ticket));
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(Client { socket })
    }

    /// The next frame; `None` when the connection is closed or cut.
    pub(crate) async fn frame(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next event frame, and its data.
    pub(crate) async fn event(&mut self) -> (Value, Value) {
        loop {
            let frame = self.frame().await.expect("an event comes before the end");
            if frame["type"] == "EVENT" {
                let data = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
                return (frame, data);
            }
        }
    }

    pub(crate) async fn answer(&mut self, frame: &Value, code: u16, data: Value) {
        let headers = json!({"messageId": frame["headers"]["messageId"], "contentType": "application/json"});
        let ack = json!({"code": code, "message": "OK", "headers": headers, "data": data.to_string()});
        self.socket.send(Message::text(ack.to_string())).await.unwrap();
    }

    pub(crate) async fn acknowledge(&mut self, frame: &Value) {
        self.answer(frame, 200, json!({"status": "SUCCESS", "message": "success"})).await;
    }

    /// Nothing is on its way: what is asked for now is answered first.
    pub(crate) async fn hears_nothing(&mut self) {
        self.socket.send(Message::Ping("still there?".into())).await.unwrap();
        let next = self.socket.next().await.unwrap().unwrap();
        assert!(matches!(next, Message::Pong(_)), "{next:?}");
    }

    /// Not a byte comes for a while.
    pub(crate) async fn hears_silence(&mut self) {
        let waited = tokio::time::timeout(Duration::from_millis(200), self.socket.next()).await;
        assert!(waited.is_err(), "{waited:?}");
    }
}
