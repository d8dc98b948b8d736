//! Page tokens: where the next page begins.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Most items of a page.
pub(super) const MAX: usize = 1000;

/// How many items a page has that is asked for with this size.
pub(super) fn size(asked: i32) -> usize {
    match usize::try_from(asked) {
        Ok(0) | Err(_) => MAX,
        Ok(asked) => asked.min(MAX),
    }
}

/// The token of the page that begins there; none is left behind the last.
pub(super) fn next(end: usize, total: usize) -> String {
    if end < total { BASE64_URL_SAFE_NO_PAD.encode(end.to_be_bytes()) } else { String::new() }
}

/// Where a page begins; none for a token that is not ours.
pub(super) fn begin(token: &str) -> Option<usize> {
    if token.is_empty() {
        return Some(0);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    Some(usize::from_be_bytes(bytes.try_into().ok()?))
}
