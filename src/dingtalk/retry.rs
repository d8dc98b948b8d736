//! Whether a failed attempt is followed by another one. A pure function: the loop in `client.rs` acts.

use super::error::Error;

/// What to do after a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Give up; the error is the answer.
    Never,
    /// Once more, with a new token.
    WithFreshToken,
}

/// A refused token means that nothing was carried out, so even a write that acts twice may be replayed; but only
/// once: DingTalk refusing the next token as well is a matter of configuration.
pub(super) fn decide(attempt: u32, error: &Error) -> Retry {
    if error.token_refused() && attempt == 1 { Retry::WithFreshToken } else { Retry::Never }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dingtalk::{catalogue, endpoint::Generation, error::ApiError};

    fn api(code: &str) -> Error {
        Error::Api(Box::new(ApiError {
            status: 400,
            code: code.to_owned(),
            sub_code: None,
            message: String::new(),
            request_id: None,
            required_scopes: Vec::new(),
            retry_after: None,
            row: catalogue::find(Generation::New, 400, code, None),
        }))
    }

    #[test]
    fn a_refused_token_is_replaced_once() {
        assert_eq!(decide(1, &api("InvalidAuthentication")), Retry::WithFreshToken);
        assert_eq!(decide(2, &api("InvalidAuthentication")), Retry::Never);
    }

    #[test]
    fn nothing_else_is_sent_twice() {
        for error in [api("parameter.invalid"), api("system.error"), Error::Lost("reset".to_owned())] {
            assert_eq!(decide(1, &error), Retry::Never, "{error}");
        }
    }
}
