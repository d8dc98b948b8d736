//! What goes over the websocket: JSON texts, of which only what we act on is read.

use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::event::{
    Event,
    payload::{self, Cover},
};

/// A frame from DingTalk.
#[derive(Debug, Deserialize)]
pub struct Frame {
    /// SYSTEM, EVENT, CALLBACK.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// One official sample calls them `header`.
    #[serde(default, alias = "header")]
    pub headers: Headers,
    /// JSON in a string.
    #[serde(default)]
    pub data: String,
}

/// The headers that mean something to us. Values are strings, times as well.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Headers {
    /// What a SYSTEM frame is about.
    pub topic: String,
    /// When DingTalk sent it, in milliseconds since 1970.
    pub time: Option<String>,
    /// To be repeated in the answer.
    pub message_id: String,
    /// DingTalk's id of the event.
    pub event_id: Option<String>,
    /// Its type.
    pub event_type: Option<String>,
    /// When it was born, in milliseconds since 1970.
    pub event_born_time: Option<String>,
}

/// What a frame asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// An answer that says the same.
    Ping,
    /// Another connection: this one is about to end.
    Disconnect,
    /// To be kept.
    Event,
    /// Nothing that we have subscribed to.
    Other,
}

impl Frame {
    /// What it asks for.
    pub fn asks(&self) -> Asked {
        match (self.kind.as_str(), self.headers.topic.as_str()) {
            ("SYSTEM", "ping") => Asked::Ping,
            ("SYSTEM", "disconnect") => Asked::Disconnect,
            ("EVENT", _) => Asked::Event,
            _ => Asked::Other,
        }
    }

    /// When DingTalk sent it; now, where it does not say, or says that it will.
    fn sent(&self, now: u64) -> u64 {
        let stated = self.headers.time.as_ref().and_then(|time| time.parse().ok());
        stated.unwrap_or(now).min(now)
    }

    /// What stands around the event.
    pub fn cover(&self) -> Cover {
        let Headers { event_id, event_type, event_born_time, .. } = &self.headers;
        let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Cover {
            event_id: stated(event_id),
            type_name: stated(event_type),
            born: event_born_time.as_ref().and_then(|time| time.parse().ok()),
        }
    }
}

/// What is to be done with a frame.
#[derive(Debug)]
pub enum Taken {
    /// To be kept; the id of its frame.
    Event(String, Event),
    /// An event of which only that it was is told; its answer.
    KeptBack(String),
    /// To be answered at once.
    Answer(String),
    /// The connection is about to end.
    Disconnect,
    /// It means nothing to us, and nobody waits for an answer.
    Nothing,
}

/// Reads a frame: when DingTalk sent it, in milliseconds since 1970 and not after now, and what is to be done with it.
pub fn read(text: &str, now: u64) -> (u64, Taken) {
    let Ok(frame) = serde_json::from_str::<Frame>(text) else {
        warn!(size = text.len(), "a frame of the event stream is not understood");
        return (0, Taken::Nothing);
    };
    (frame.sent(now), take(frame))
}

fn take(frame: Frame) -> Taken {
    match frame.asks() {
        Asked::Ping => Taken::Answer(pong(&frame)),
        Asked::Disconnect => {
            debug!(reason = frame.data, "dingtalk is about to close the event stream");
            Taken::Disconnect
        }
        Asked::Event if payload::is_over_quota(&frame.data) => {
            Taken::KeptBack(answer(&frame.headers.message_id, Verdict::Done))
        }
        Asked::Event => match payload::read(frame.cover(), &frame.data) {
            Ok(event) => Taken::Event(frame.headers.message_id, event),
            // Nobody could say what it is, now or later.
            Err(error) => {
                warn!(%error, "an event is left out");
                Taken::Answer(answer(&frame.headers.message_id, Verdict::Done))
            }
        },
        Asked::Other if frame.kind == "SYSTEM" => Taken::Nothing,
        Asked::Other => Taken::Answer(answer(&frame.headers.message_id, Verdict::Unknown)),
    }
}

/// How a frame was dealt with. DingTalk's own clients disagree on whether the code or the status counts, so both say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is kept.
    Done,
    /// It could not be kept: send it again.
    Later,
    /// We know nothing of this topic.
    Unknown,
}

/// The answer to a frame.
pub(super) fn answer(message_id: &str, verdict: Verdict) -> String {
    let (code, message, data) = match verdict {
        Verdict::Done => (200, "OK", r#"{"status":"SUCCESS","message":"success"}"#),
        Verdict::Later => (500, "later", r#"{"status":"LATER","message":"not now"}"#),
        Verdict::Unknown => (404, "unknown topic", "{}"),
    };
    encode(code, message, message_id, data)
}

/// The answer to a ping: the same data.
pub(super) fn pong(ping: &Frame) -> String {
    encode(200, "OK", &ping.headers.message_id, &ping.data)
}

fn encode(code: u16, message: &str, message_id: &str, data: &str) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        code: u16,
        message: &'a str,
        headers: AnswerHeaders<'a>,
        data: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct AnswerHeaders<'a> {
        message_id: &'a str,
        content_type: &'a str,
    }
    let headers = AnswerHeaders { message_id, content_type: "application/json" };
    serde_json::to_string(&Answer { code, message, headers, data }).expect("texts are JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn frame(value: &Value) -> Frame {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn frames_are_known_by_type_and_topic() {
        for (kind, topic, asked) in [
            ("SYSTEM", "ping", Asked::Ping),
            ("SYSTEM", "disconnect", Asked::Disconnect),
            ("SYSTEM", "KEEPALIVE", Asked::Other),
            ("EVENT", "*", Asked::Event),
            ("EVENT", "ping", Asked::Event),
            ("CALLBACK", "/v1.0/im/bot/messages/get", Asked::Other),
        ] {
            let read = frame(&json!({"type": kind, "headers": {"topic": topic, "messageId": "m"}}));
            assert_eq!(read.asks(), asked, "{kind} {topic}");
        }
        assert_eq!(frame(&json!({})).asks(), Asked::Other);
    }

    #[test]
    fn the_cover_of_an_event_is_in_its_headers_under_either_name() {
        let headers = json!({
            "topic": "*", "messageId": "m", "eventId": "e", "eventType": "chat_disband",
            "eventBornTime": "1760000000150", "eventCorpId": "c", "other": "x",
        });
        for name in ["headers", "header"] {
            let cover = frame(&json!({"type": "EVENT", name: headers, "data": "{}"})).cover();
            assert_eq!(cover.event_id.as_deref(), Some("e"));
            assert_eq!(cover.type_name.as_deref(), Some("chat_disband"));
            assert_eq!(cover.born, Some(1_760_000_000_150));
        }
    }

    #[test]
    fn a_frame_was_sent_when_it_says_but_not_in_the_future() {
        for (time, sent) in [(json!("90"), 90), (json!("110"), 100), (json!("soon"), 100), (json!(null), 100)]
        {
            let ping = json!({"type": "SYSTEM", "headers": {"topic": "ping", "time": time}});
            assert_eq!(read(&ping.to_string(), 100).0, sent, "{time}");
        }
        assert_eq!(read("{}", 100).0, 100);
        assert_eq!(read("no frame", 100).0, 0);
    }

    #[test]
    fn answers_say_it_in_both_ways() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let done = read(&answer("m1", Verdict::Done));
        assert_eq!((&done["code"], &done["headers"]["messageId"]), (&json!(200), &json!("m1")));
        assert_eq!(read(done["data"].as_str().unwrap())["status"], "SUCCESS");
        let later = read(&answer("m1", Verdict::Later));
        assert_eq!(later["code"], 500);
        assert_eq!(read(later["data"].as_str().unwrap())["status"], "LATER");
        let ping = frame(&json!({"type": "SYSTEM", "headers": {"topic": "ping", "messageId": "p"},
                                 "data": "{\"opaque\":\"o\"}"}));
        assert_eq!(read(&pong(&ping))["data"], "{\"opaque\":\"o\"}");
    }
}
