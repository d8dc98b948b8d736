//! One WebSocket of Stream mode: the handshake, and a task that does as it is ordered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::connections::{Order, Silence};
use crate::call::{Answer, AnswerBody};
use crate::state::Shared;

/// Where the endpoint that a registration answers points.
pub(crate) const PATH: &str = "/connect";

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers the handshake; a task serves the connection from then on.
pub(crate) fn accept(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<AnswerBody> {
    let Some(key) = websocket_key(request.headers()) else {
        return refuse(StatusCode::BAD_REQUEST, "not a WebSocket handshake");
    };
    let ticket = ticket(request.uri().query().unwrap_or_default());
    // How DingTalk refuses a ticket is not documented.
    let Some((number, orders)) = ticket.and_then(|ticket| shared.lock().open_connection(&ticket)) else {
        return refuse(StatusCode::UNAUTHORIZED, "ticket is invalid or expired");
    };
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 fits in a header");
    let (state, stop) = (shared.clone(), shared.stop.clone());
    shared.tasks.spawn(async move {
        let upgraded = tokio::select! {
            () = stop.cancelled() => None,
            upgraded = hyper::upgrade::on(request) => upgraded.ok(),
        };
        if let Some(upgraded) = upgraded {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            let connection = Connection { number, shared: state.clone(), socket, orders };
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection.serve() => {}
            }
        }
        state.lock().pushes.closed(number);
    });
    let mut response = Answer::json(StatusCode::SWITCHING_PROTOCOLS, &json!(null)).into_response();
    *response.body_mut() = AnswerBody::whole(Bytes::new());
    *response.headers_mut() = HeaderMap::from_iter([
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ]);
    response
}

fn websocket_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let websocket = headers.get(UPGRADE)?.to_str().ok()?.eq_ignore_ascii_case("websocket");
    headers.get(SEC_WEBSOCKET_KEY).filter(|_| websocket).cloned()
}

fn ticket(query: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    pairs.into_iter().find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket)
}

fn refuse(status: StatusCode, why: &str) -> Response<AnswerBody> {
    Answer::json(status, &json!({"code": "invalidTicket", "message": why})).into_response()
}

struct Connection {
    number: u64,
    shared: Arc<Shared>,
    socket: Socket,
    orders: UnboundedReceiver<Order>,
}

impl Connection {
    /// Until one side closes or the order comes to cut it.
    async fn serve(mut self) {
        let period = Duration::from_millis(self.shared.lock().pushes.rules().ping_ms);
        let mut pings = interval_at(Instant::now() + period, period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // After the last text: how long the connection stays, and until when if nothing comes.
        let mut leaving: Option<(Duration, Instant)> = None;
        loop {
            let close_at = leaving.map(|(_, at)| at);
            let sent = tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Send(text)) => self.socket.send(Message::text(text)).await,
                    Some(Order::Leave { text, close }) => {
                        leaving = Some((close, Instant::now() + close));
                        self.socket.send(Message::text(text)).await
                    }
                    Some(Order::Silence(silence)) => return self.stay_silent(silence).await,
                    Some(Order::Cut) | None => return,
                },
                message = self.socket.next() => {
                    if let Some((close, at)) = &mut leaving {
                        *at = Instant::now() + *close;
                    }
                    self.take(message)
                }
                _ = pings.tick(), if leaving.is_none() => {
                    let ping = self.shared.lock().system_ping();
                    self.socket.send(Message::text(ping)).await
                }
                () = sleep_until(close_at.unwrap_or_else(Instant::now)), if close_at.is_some() => return,
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn take(&self, message: Option<Result<Message, Error>>) -> Result<(), Error> {
        match message {
            Some(Ok(Message::Text(text))) => self.shared.lock().pushes.heard(self.number, &text),
            // Pongs go out by themselves, as does the answer to a close, after which there is nothing more.
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(Error::ConnectionClosed),
        }
        Ok(())
    }

    /// Until the client goes, or the order comes to cut it.
    async fn stay_silent(mut self, silence: Silence) {
        loop {
            let open = tokio::select! {
                order = self.orders.recv() => !matches!(order, Some(Order::Cut) | None),
                message = hear(&mut self.socket, silence) => self.take(message).is_ok(),
            };
            if !open {
                return;
            }
        }
    }
}

/// The next message, after the answers to pings, if there are any. To the dead nothing comes but the end.
async fn hear(socket: &mut Socket, silence: Silence) -> Option<Result<Message, Error>> {
    match silence {
        Silence::OnlyPongs => socket.next().await,
        Silence::Dead => {
            let mut lost = [0; 4096];
            while socket.get_mut().read(&mut lost).await.is_ok_and(|bytes| bytes > 0) {}
            None
        }
    }
}
