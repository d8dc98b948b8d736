//! Who has read a message of the group assistant, which only the new face tells.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Caller, ReadersQuery, Refusal, World};

const MAX_PAGE: i64 = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadStatusBody {
    #[serde(default)]
    open_conversation_id: String,
    #[serde(default)]
    robot_code: String,
    process_query_key: String,
    #[serde(default = "max_page")]
    max_results: i64,
    #[serde(default)]
    next_token: String,
    #[serde(default)]
    token: String,
}

fn max_page() -> i64 {
    MAX_PAGE
}

/// DingTalk calls group and robot optional and has errors for their absence: here they have to be there.
pub(super) fn read_status(world: &World, caller: &Caller, body: ReadStatusBody) -> Result<Value, Refusal> {
    if body.open_conversation_id.is_empty() {
        // There are no webhooks in this world.
        let given = !body.token.is_empty();
        return Err(if given { Refusal::Invalid("token") } else { Refusal::Missing("openConversationId") });
    }
    if body.robot_code.is_empty() {
        return Err(Refusal::Missing("robotCode"));
    }
    if !(1..=MAX_PAGE).contains(&body.max_results) {
        return Err(Refusal::Invalid("maxResults"));
    }
    let query = ReadersQuery {
        id: &body.open_conversation_id,
        robot_code: &body.robot_code,
        open_message_id: &body.process_query_key,
        size: usize::try_from(body.max_results).unwrap_or_default(),
        token: &body.next_token,
    };
    let page = world.readers(caller, &query)?;
    let user_ids: Vec<&String> = page.readers.iter().map(|(user_id, _)| user_id).collect();
    let users =
        page.readers.iter().map(|(user_id, union_id)| json!({"userId": user_id, "unionId": union_id}));
    Ok(json!({
        "sendStatus": "SUCCESS",
        "readUserIds": user_ids,
        "readUsers": users.collect::<Vec<_>>(),
        "hasMore": page.has_more,
        "nextToken": page.next,
    }))
}
