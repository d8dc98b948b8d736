//! What an error says with everything that caused it.

use std::error::Error;

/// The error with its causes, which hold the useful part.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Because(&'static str, #[source] Option<Box<Because>>);

    #[test]
    fn an_error_is_told_with_its_causes_the_nearest_first() {
        let refused = Because("connection refused", None);
        let connect = Because("cannot connect", Some(Box::new(refused)));
        assert_eq!(
            chain(&Because("no answer", Some(Box::new(connect)))),
            "no answer: cannot connect: connection refused"
        );
    }
}
