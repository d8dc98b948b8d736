//! Resume tokens, which callers keep and may spoil.

#![no_main]

use dinggate::event::Cursor;
use dinggate_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    bounded(text.len(), || {
        let Some(cursor) = Cursor::of_token("demo", text) else { return };
        assert_eq!(cursor.token("demo"), text, "there is one token for each place");
        assert_eq!(Cursor::of_token("other", text), None, "and it is of one app");
    });
});
