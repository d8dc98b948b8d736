//! Events that could not be pushed by HTTP.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, authenticate, complain, typed};
use crate::call::Call;
use crate::push::FAILED_PAGE;
use crate::reference::{self, Operation, Types};
use crate::state::State;

/// The operation.
pub(super) const LIST: &str = "events.failed.list";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    begin_time: Option<u64>,
    end_time: Option<u64>,
}

/// From `beginTime` until before `endTime`, oldest first. Reading them does not take them off the list.
pub(super) fn list(state: &State, call: &Call, operation: &Operation) -> Result<Value, Failure> {
    let caller = authenticate(&state.world, call, operation)?;
    let query = reference::check(&operation.query, Types::FromStrings, call.query.clone());
    let query: ListQuery = typed(operation, query.map_err(|complaint| complain(operation, &complaint))?)?;
    let (begin, end) = (query.begin_time.unwrap_or_default(), query.end_time.unwrap_or(u64::MAX));
    let mut failed = state.pushes.failed(&caller.app_key);
    failed.retain(|failed| (begin..end).contains(&failed.event.born_ms));
    let items: Vec<Value> = failed
        .iter()
        .take(FAILED_PAGE)
        .map(|failed| {
            json!({
                "callBackTag": failed.event.kind,
                "callBackData": failed.text,
                "corpId": failed.event.corp_id,
                "eventTime": failed.event.born_ms,
            })
        })
        .collect();
    Ok(json!({"failedList": items, "hasMore": failed.len() > FAILED_PAGE}))
}
