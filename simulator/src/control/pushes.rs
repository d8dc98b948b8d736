//! The part of `/_sim/*` that is about events and those they are pushed to.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, bad, read};
use crate::call::Call;
use crate::push::{Callback, PushRules, Silence, burst, posts};
use crate::state::{Shared, State};
use crate::world::GroupChange;

/// `None` if it is about something else.
pub(super) fn serve(shared: &Arc<Shared>, call: &Call, path: &[&str]) -> Result<Option<Value>, Refused> {
    let mut state = shared.lock();
    let answer = match (call.method.as_str(), path) {
        ("GET", ["pushes"]) => json!(state.pushes.all_counters()),
        ("GET", ["pushes", "rules"]) => json!(state.pushes.rules()),
        ("POST", ["pushes", "rules"]) => {
            state.pushes.set_rules(rules(call)?);
            done()
        }
        ("POST", ["pushes", "hold"]) => {
            state.pushes.hold();
            done()
        }
        ("POST", ["pushes", "release"]) => {
            let body: Release = read(call)?;
            state.release(body.reversed);
            done()
        }
        ("POST", ["tickets", "expire"]) => {
            state.pushes.expire_tickets();
            done()
        }
        ("POST", ["events", id, "again"]) => {
            let now = state.moment();
            known(
                state.pushes.push_again(id, now),
                format!("no event \"{id}\", or no connection of its app"),
            )?
        }
        ("POST", ["groups", chatid, "change"]) => {
            let body: Changing = read(call)?;
            let done = state.change(|world| world.change_by_person(chatid, &body.operator, &body.change));
            known(done, format!("\"{}\" cannot change \"{chatid}\" so", body.operator))?
        }
        ("POST", ["groups", chatid, "quit"]) => {
            let body: Quitting = read(call)?;
            let done = state.change(|world| world.quit(chatid, &body.user));
            known(done, format!("\"{}\" cannot leave \"{chatid}\"", body.user))?
        }
        ("POST", ["groups", chatid, "burst"]) => {
            let body: Burst = read(call)?;
            let group = state.world.any_group(chatid).is_some();
            known(group && body.per_second > 0.0, format!("no group \"{chatid}\", or no rate"))?;
            shared.tasks.spawn(burst::burst(
                shared.clone(),
                (*chatid).to_owned(),
                body.count,
                body.per_second,
            ));
            done()
        }
        (_, ["apps", app_key, rest @ ..]) => return of_app(&mut state, call, app_key, rest),
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// `None` if something else is asked for. The check waits for the callback's answer.
pub(super) async fn register_callback(shared: &Shared, call: &Call) -> Option<Result<Value, Refused>> {
    let app = call.path.strip_prefix("/_sim/apps/")?.strip_suffix("/callback")?;
    if call.method != "POST" {
        return None;
    }
    let callback: Callback = match read(call) {
        Ok(callback) => callback,
        Err(refused) => return Some(Err(refused)),
    };
    let outcome = posts::register(shared, app, callback).await;
    Some(outcome.map(|()| done()).map_err(bad))
}

fn of_app(state: &mut State, call: &Call, app: &str, path: &[&str]) -> Result<Option<Value>, Refused> {
    let connections = |count: usize| json!({"connections": count});
    let answer = match (call.method.as_str(), path) {
        ("GET", ["events"]) => json!(state.pushes.events(app)),
        ("POST", ["events"]) => {
            let body: Pushing = read(call)?;
            let data = match body.data {
                Value::String(text) => text,
                data => data.to_string(),
            };
            let born_ms = state.now_ms();
            match state.push(app, &body.kind, data, born_ms) {
                Some(id) => json!({"id": id}),
                None => known(false, format!("no app \"{app}\""))?,
            }
        }
        ("POST", ["subscriptions"]) => {
            let body: Subscriptions = read(call)?;
            known(state.world.subscribe(app, body.types), format!("no app \"{app}\""))?
        }
        ("DELETE", ["callback"]) => {
            state.pushes.remove_callback(app);
            done()
        }
        ("GET", ["connections"]) => json!(state.pushes.connection_names(app)),
        ("POST", ["connections", "disconnect"]) => {
            let body: Disconnect = read(call)?;
            let now = state.moment();
            connections(state.pushes.disconnect(app, &body.reason, now))
        }
        ("POST", ["connections", "cut"]) => connections(state.pushes.cut(app)),
        ("POST", ["connections", "silence"]) => {
            let body: Silencing = read(call)?;
            connections(state.pushes.silence(app, body.silence))
        }
        ("POST", ["connections", "send"]) => {
            let body: Sending = read(call)?;
            connections(state.pushes.send_text(app, &body.text))
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn done() -> Value {
    json!({"ok": true})
}

fn known(known: bool, why: String) -> Result<Value, Refused> {
    if known { Ok(done()) } else { Err((StatusCode::NOT_FOUND, why)) }
}

fn rules(call: &Call) -> Result<PushRules, Refused> {
    let rules: PushRules = read(call)?;
    match rules.fault() {
        Some(fault) => Err(bad(fault)),
        None => Ok(rules),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    #[serde(default)]
    reversed: bool,
}

#[derive(Deserialize)]
struct Changing {
    operator: String,
    #[serde(flatten)]
    change: GroupChange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quitting {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Burst {
    count: u32,
    per_second: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pushing {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscriptions {
    types: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disconnect {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silencing {
    silence: Silence,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sending {
    text: String,
}
