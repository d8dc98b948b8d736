//! `/_sim/*`: the simulator's own controls over HTTP, JSON in and out.
//!
//! | request | does |
//! | --- | --- |
//! | `POST /_sim/reset` | everything as after the start: world from the seed, no tokens, groups, faults, records, counts |
//! | `POST /_sim/seed` | the same, with the seed in the body; an empty body is the demo seed |
//! | `GET /_sim/state` | apps, organizations, groups, faults in waiting; no secrets, no tokens |
//! | `GET /_sim/calls` | the latest requests, oldest first; `?operation=group.create` for one operation |
//! | `DELETE /_sim/calls` | forgets them and sets the counters to zero |
//! | `GET /_sim/counters` | requests per operation, per app and operation, refused by each limit; calls spent of the month; token requests, connections |
//! | `GET /_sim/quotas` | the limits in force |
//! | `POST /_sim/quotas` | other limits (see [`Quotas`]), such as `{"app_per_second": 40}`; what is left out is not limited |
//! | `GET /_sim/faults` | the faults in waiting |
//! | `POST /_sim/faults` | adds one: `{"operation": "group.create", "times": 2, "fault": {"kind": "delay", "ms": 100}}` (see [`Fault`]) |
//! | `DELETE /_sim/faults` | removes all, outages and chances too |
//! | `GET /_sim/chances` | the faults that are drawn by lot |
//! | `POST /_sim/chances` | replaces them: `{"seed": 7, "chances": [{"operation": "*", "share": 0.2, "fault": {"kind": "drop_after"}}]}` |
//! | `POST /_sim/outage` | every request meets a fault: `{"operation": "*", "fault": {"kind": "html", "status": 503}}` |
//! | `DELETE /_sim/outage` | ends all outages |
//! | `POST /_sim/latency` | `{"ms": 50}`: so long takes every answer |
//! | `GET /_sim/titles` | how many groups have each title |
//! | `POST /_sim/tokens/revoke` | makes every token invalid |
//! | `POST /_sim/tokens/lifetime` | `{"seconds": 60}`, for tokens issued from now on |
//! | `POST /_sim/apps/{app_key}/permissions` | `{"grant": ["…"], "revoke": ["…"]}` |
//! | `POST /_sim/groups/{chatid}/disband` | disbands a group |
//! | `POST /_sim/groups/{chatid}/change` | as a person does in DingTalk's client: `{"operator": "user001", "title": "…", "owner": "…", "add": ["…"], "remove": ["…"]}` |
//! | `POST /_sim/groups/{chatid}/quit` | `{"user": "user001"}`: a member leaves |
//! | `POST /_sim/groups/{chatid}/burst` | `{"count": 1000, "per_second": 500}`: so many changes of the title |
//! | `POST /_sim/lag` | `{"ms": 500}`: so long refuse new scenario groups every call |
//! | `POST /_sim/messages/read` | `{"message": "msg…", "users": ["user001"]}`: the users read an assistant message |
//! | `POST /_sim/organizations/{corp_id}/users/{user_id}/leave` | the user leaves the organization |
//! | `GET /_sim/pushes` | what became of events, by app (see [`PushCounters`]) |
//! | `GET /_sim/pushes/rules` | how events are pushed |
//! | `POST /_sim/pushes/rules` | other rules (see [`PushRules`]), such as `{"redelivery_ms": [200], "duplicates": 0.1}`; what is left out is as at the start |
//! | `POST /_sim/pushes/hold` | holds all pushes back |
//! | `POST /_sim/pushes/release` | `{"reversed": true}`: pushes what was held back, the last first |
//! | `GET /_sim/apps/{app_key}/events` | the latest events, oldest first, each with how far it has come |
//! | `POST /_sim/apps/{app_key}/events` | `{"type": "any", "data": {}}`: pushes any event |
//! | `POST /_sim/events/{id}/again` | pushes an event once more |
//! | `POST /_sim/apps/{app_key}/subscriptions` | `{"types": ["chat_quit"]}`: the types of events that are made for an app |
//! | `POST /_sim/apps/{app_key}/callback` | where it is pushed to by HTTP (see [`Callback`]), if that passes the check: `{"url": "http://…", "token": "…", "aes_key": "…", "owner_key": "…"}` |
//! | `DELETE /_sim/apps/{app_key}/callback` | it is not any more |
//! | `GET /_sim/apps/{app_key}/connections` | the open Stream connections |
//! | `POST /_sim/apps/{app_key}/connections/disconnect` | `{"reason": "…"}`: announces that they are closed soon |
//! | `POST /_sim/apps/{app_key}/connections/cut` | cuts them |
//! | `POST /_sim/apps/{app_key}/connections/silence` | `{"silence": "dead"}` or `"only_pongs"`: leaves them half-open |
//! | `POST /_sim/apps/{app_key}/connections/send` | `{"text": "…"}`: sends any text over them |
//! | `POST /_sim/tickets/expire` | no ticket handed out so far is good any more |
//!
//! A success is 200; what cannot be done is 400 or 404 with `{"error": "…"}`.
//!
//! [`Callback`]: crate::Callback
//! [`Fault`]: crate::Fault
//! [`PushCounters`]: crate::PushCounters
//! [`PushRules`]: crate::PushRules
//! [`Quotas`]: crate::Quotas

mod pushes;

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::faults::{self, ANY, Chance, Fault, Planned};
use crate::quotas::Quotas;
use crate::reference;
use crate::seed::Seed;
use crate::state::Shared;

/// What begins the path of every control request.
pub(crate) const PREFIX: &str = "/_sim/";

/// A refusal: the status and the reason.
type Refused = (StatusCode, String);

pub(crate) async fn answer(shared: &Arc<Shared>, call: &Call) -> Answer {
    let outcome = match pushes::register_callback(shared, call).await {
        Some(outcome) => outcome,
        None => serve(shared, call),
    };
    match outcome {
        Ok(body) => Answer::json(StatusCode::OK, &body),
        Err((status, error)) => Answer::json(status, &json!({"error": error})),
    }
}

fn serve(shared: &Arc<Shared>, call: &Call) -> Result<Value, Refused> {
    let path: Vec<&str> = call.path[PREFIX.len()..].split('/').collect();
    if let Some(answer) = pushes::serve(shared, call, &path)? {
        return Ok(answer);
    }
    let mut state = shared.lock();
    match (call.method.as_str(), path.as_slice()) {
        ("POST", ["reset"]) => state.reset(None),
        ("POST", ["seed"]) => state.reset(Some(seed(call)?)),
        ("GET", ["state"]) => {
            let mut view = json!(state.world.snapshot());
            view["faults"] = json!(state.faults.list());
            return Ok(view);
        }
        ("GET", ["calls"]) => {
            let mut records = state.log.records();
            if let Some(operation) = call.query_text("operation") {
                records.retain(|record| record.operation == operation);
            }
            return Ok(json!(records));
        }
        ("DELETE", ["calls"]) => state.log.clear(),
        ("GET", ["counters"]) => {
            return Ok(json!({
                "operations": state.log.counters(),
                "apps": state.log.tallies(),
                "faults": state.log.faults(),
                "throttled": state.log.limits(),
                "metered": state.metered(),
                "pushes_metered": state.pushes_metered(),
                "token_requests": state.log.token_requests(),
                "connections": shared.connections(),
            }));
        }
        ("GET", ["quotas"]) => return Ok(json!(state.gate.quotas())),
        ("POST", ["quotas"]) => state.gate.set_quotas(quotas(call)?),
        ("GET", ["faults"]) => return Ok(json!(state.faults.list())),
        ("POST", ["faults"]) => state.faults.plan(planned(call)?),
        ("GET", ["chances"]) => return Ok(json!(state.faults.chances())),
        ("POST", ["chances"]) => {
            let Lottery { seed, chances } = lottery(call)?;
            state.faults.set_chances(seed, chances);
        }
        ("POST", ["outage"]) => {
            let Planned { operation, fault, .. } = planned(call)?;
            state.faults.start_outage(&operation, fault);
        }
        ("DELETE", ["outage"]) => state.faults.end_outages(),
        ("POST", ["latency"]) => {
            let body: Lag = read(call)?;
            state.latency = Duration::from_millis(body.ms);
        }
        ("GET", ["titles"]) => return Ok(json!(state.world.titles())),
        ("DELETE", ["faults"]) => state.faults.clear(),
        ("POST", ["tokens", "revoke"]) => state.world.revoke_tokens(),
        ("POST", ["tokens", "lifetime"]) => {
            let body: Lifetime = read(call)?;
            state.world.set_token_lifetime(Duration::from_secs(body.seconds));
        }
        ("POST", ["apps", app_key, "permissions"]) => {
            let body: Permissions = read(call)?;
            let changes = body.grant.iter().map(|scope| (scope, true));
            for (scope, granted) in changes.chain(body.revoke.iter().map(|scope| (scope, false))) {
                if !state.world.set_permission(app_key, scope, granted) {
                    return Err((StatusCode::NOT_FOUND, format!("no app \"{app_key}\"")));
                }
            }
        }
        ("POST", ["groups", chatid, "disband"]) => {
            if !state.change(|world| world.disband(chatid)) {
                return Err((StatusCode::NOT_FOUND, format!("no group \"{chatid}\"")));
            }
        }
        ("POST", ["lag"]) => {
            let body: Lag = read(call)?;
            state.world.set_create_lag(Duration::from_millis(body.ms));
        }
        ("POST", ["messages", "read"]) => {
            let body: Reading = read(call)?;
            if !state.world.mark_read(&body.message, &body.users) {
                return Err((StatusCode::NOT_FOUND, format!("no message \"{}\"", body.message)));
            }
        }
        ("POST", ["organizations", corp_id, "users", user_id, "leave"]) => {
            if !state.change(|world| world.leave(corp_id, user_id)) {
                return Err((StatusCode::NOT_FOUND, format!("no user \"{user_id}\" in \"{corp_id}\"")));
            }
        }
        (method, _) => {
            return Err((StatusCode::NOT_FOUND, format!("no control {method} {}", call.path)));
        }
    }
    Ok(json!({"ok": true}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lifetime {
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lag {
    ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lottery {
    #[serde(default)]
    seed: u64,
    chances: Vec<Chance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading {
    message: String,
    users: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Permissions {
    grant: Vec<String>,
    revoke: Vec<String>,
}

fn seed(call: &Call) -> Result<Seed, Refused> {
    if call.body.is_empty() {
        return Ok(Seed::demo());
    }
    let text = std::str::from_utf8(&call.body).map_err(bad)?;
    Seed::from_json(text).map_err(bad)
}

fn planned(call: &Call) -> Result<Planned, Refused> {
    let planned: Planned = read(call)?;
    check(&planned.operation, &planned.fault)?;
    Ok(planned)
}

fn check(operation: &str, fault: &Fault) -> Result<(), Refused> {
    if operation != ANY && !reference::is_known(operation) {
        return Err(bad(format!("operation: no operation \"{operation}\" in the reference")));
    }
    if let Some(status) = fault.bad_status() {
        return Err(bad(format!("fault.status: {status} is not between 200 and 999")));
    }
    Ok(())
}

fn lottery(call: &Call) -> Result<Lottery, Refused> {
    let lottery: Lottery = read(call)?;
    for chance in &lottery.chances {
        check(&chance.operation, &chance.fault)?;
    }
    match faults::impossible(&lottery.chances) {
        Some(chance) => {
            Err(bad(format!("share: \"{}\" has more than all of its requests", chance.operation)))
        }
        None => Ok(lottery),
    }
}

fn quotas(call: &Call) -> Result<Quotas, Refused> {
    let quotas: Quotas = read(call)?;
    match quotas.unknown_operation() {
        Some(id) => Err(bad(format!("app_per_second_of: no operation \"{id}\" in the reference"))),
        None => Ok(quotas),
    }
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Refused> {
    let mut json = serde_json::Deserializer::from_slice(&call.body);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| bad(format!("at {}: {}", error.path(), error.inner())))
}

fn bad(error: impl ToString) -> Refused {
    (StatusCode::BAD_REQUEST, error.to_string())
}
