//! The frames of Stream mode, as text: JSON with header values that are all strings, and `data` that is JSON in a string.

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::Event;

/// What stands in the place of the event when the month is used up.
const OVER_QUOTA: &str = r#"{"errCode":20001,"errMsg":"企业本月的事件推送次数已用完"}"#;

/// An event for one connection.
pub(crate) fn event(
    event: &Event,
    connection: &str,
    message_id: &str,
    now_ms: u64,
    over_quota: bool,
) -> String {
    let data = if over_quota { OVER_QUOTA } else { &event.data };
    let headers = json!({
        "topic": "*",
        "messageId": message_id,
        "contentType": "application/json",
        "time": now_ms.to_string(),
        "appId": event.unified_app_id,
        "connectionId": connection,
        "eventId": event.id,
        "eventType": event.kind,
        "eventCorpId": event.corp_id,
        "eventBornTime": event.born_ms.to_string(),
        "eventUnifiedAppId": event.unified_app_id,
    });
    json!({"specVersion": "1.0", "type": "EVENT", "headers": headers, "data": data}).to_string()
}

/// `ping`, whose answer brings the `opaque` back.
pub(crate) fn ping(message_id: &str, now_ms: u64) -> String {
    system("ping", message_id, now_ms, &json!({"opaque": message_id}))
}

/// `disconnect`, after which nothing more is pushed.
pub(crate) fn disconnect(reason: &str, message_id: &str, now_ms: u64) -> String {
    system("disconnect", message_id, now_ms, &json!({"reason": reason}))
}

fn system(topic: &str, message_id: &str, now_ms: u64, data: &Value) -> String {
    let headers = json!({
        "topic": topic,
        "messageId": message_id,
        "contentType": "application/json",
        "time": now_ms.to_string(),
    });
    json!({"specVersion": "1.0", "type": "SYSTEM", "headers": headers, "data": data.to_string()}).to_string()
}

/// An answer to a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) message_id: String,
    /// Whether it is done. Which of code and status counts is not documented: here both have to say so, but the
    /// official Python SDK sends no status.
    pub(crate) done: bool,
    /// What a ping carried.
    pub(crate) opaque: Option<String>,
}

impl Ack {
    /// `None` if it is none.
    pub(crate) fn read(text: &str) -> Option<Ack> {
        #[derive(Deserialize)]
        struct Frame {
            code: i64,
            headers: Headers,
            #[serde(default)]
            data: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Headers {
            message_id: String,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Data {
            status: Option<String>,
            opaque: Option<String>,
        }
        let frame: Frame = serde_json::from_str(text).ok()?;
        // Whatever else handlers put there is theirs.
        let data = frame.data.and_then(|data| serde_json::from_str::<Data>(&data).ok()).unwrap_or_default();
        Some(Ack {
            message_id: frame.headers.message_id,
            done: frame.code == 200 && data.status.as_deref() != Some("LATER"),
            opaque: data.opaque,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_done_when_neither_code_nor_status_says_later() {
        let read = |code: i64, data: &str| {
            let frame = json!({"code": code, "message": "x", "headers": {"messageId": "1", "time": "2"}, "data": data});
            Ack::read(&frame.to_string()).unwrap()
        };
        assert!(read(200, r#"{"status":"SUCCESS","message":"x"}"#).done);
        assert!(read(200, r#"{"timeStamp":1,"title":"an event given back"}"#).done);
        assert!(read(200, "not JSON").done);
        assert!(!read(200, r#"{"status":"LATER"}"#).done);
        assert!(!read(500, r#"{"status":"SUCCESS"}"#).done);
        assert!(!read(404, "{}").done);
        assert_eq!(read(200, r#"{"opaque":"o"}"#).opaque.as_deref(), Some("o"));
        for none in
            ["", "[]", "{}", r#"{"code":200,"headers":{}}"#, r#"{"code":"200","headers":{"messageId":"1"}}"#]
        {
            assert_eq!(Ack::read(none), None, "{none}");
        }
    }
}
