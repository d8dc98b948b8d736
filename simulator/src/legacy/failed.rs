//! Events that could not be pushed by HTTP.

use serde_json::{Map, Value, json};

use super::{Failure, authenticate, done};
use crate::call::Call;
use crate::push::FAILED_PAGE;
use crate::reference::Operation;
use crate::state::State;

/// The operation.
pub(super) const LIST: &str = "events.failed.list_legacy";

/// What is answered is forgotten, whether the answer arrives or not. The event stands in a field that has its type for
/// a name.
pub(super) fn list(state: &mut State, call: &Call, operation: &Operation) -> Result<Value, Failure> {
    let caller = authenticate(&state.world, call, operation)?;
    let mut failed = state.pushes.failed(&caller.app_key);
    let has_more = failed.len() > FAILED_PAGE;
    failed.truncate(FAILED_PAGE);
    let ids: Vec<String> = failed.iter().map(|failed| failed.event.id.clone()).collect();
    state.pushes.forget_failed(&ids);
    let items = failed.into_iter().map(|failed| {
        let data = serde_json::from_str(&failed.text).unwrap_or(Value::String(failed.text));
        let mut item = Map::new();
        item.insert("call_back_tag".to_owned(), json!(failed.event.kind));
        item.insert("event_time".to_owned(), json!(failed.event.born_ms));
        item.insert("corpid".to_owned(), json!(failed.event.corp_id));
        item.insert(failed.event.kind, data);
        Value::Object(item)
    });
    let items: Vec<Value> = items.collect();
    Ok(done(operation, json!({"failed_list": items, "has_more": has_more})))
}
