//! Registration for Stream mode: what answers where the WebSocket is, and the ticket for it.

use hyper::header::HOST;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, read_body, typed};
use crate::call::Call;
use crate::push::socket;
use crate::reference::Operation;
use crate::state::State;

/// The operation.
pub(super) const OPEN: &str = "stream.open";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenBody {
    client_id: String,
    client_secret: String,
    subscriptions: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    #[serde(rename = "type")]
    kind: Kind,
    topic: String,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Event,
    Callback,
}

/// Callbacks, of robots and cards, may be subscribed; there are none in this world.
pub(super) fn open(state: &mut State, call: &Call, operation: &Operation) -> Result<Value, Failure> {
    let body: OpenBody = typed(operation, read_body(call, operation)?)?;
    let mut events = body.subscriptions.iter().filter(|subscription| subscription.kind == Kind::Event);
    if events.any(|subscription| subscription.topic != "*") {
        return Err(super::invalid("an EVENT has no topic but \"*\""));
    }
    let wants_events = body.subscriptions.iter().any(|subscription| subscription.kind == Kind::Event);
    let app = state.world.app_of(&body.client_id, &body.client_secret);
    let app = app.map_err(|_| Failure::new(401, "authFailed", "鉴权失败"))?;
    let ticket = state.pushes.register(&app.app_key, wants_events);
    // The client has found this server by that name.
    let host = call.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Ok(json!({"endpoint": format!("ws://{host}{}", socket::PATH), "ticket": ticket}))
}
