//! Frames of the event stream, from their text to the answer or to the event in the log.

#![no_main]

use dinggate::event::stream::{Taken, read};
use dinggate_fuzz::{RUNTIME, bounded, feed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    // The websocket's library refuses a text that is not UTF-8.
    let Ok(text) = std::str::from_utf8(data) else { return };
    bounded(text.len(), || match read(text, u64::MAX).1 {
        Taken::Answer(answer) | Taken::KeptBack(answer) => {
            let answer: Value = serde_json::from_str(&answer).expect("answers are JSON");
            assert!(answer["code"].is_u64() && answer["headers"]["messageId"].is_string(), "{answer}");
        }
        Taken::Event(_, event) => {
            let kept = RUNTIME.block_on(async { feed().accept("demo", None, vec![event]).await });
            assert_eq!(kept.expect("there is memory"), [true]);
        }
        Taken::Disconnect | Taken::Nothing => {}
    });
});
