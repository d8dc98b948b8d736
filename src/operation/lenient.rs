//! DingTalk is not strict about JSON types: numbers arrive as strings, and the other way round.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(i64),
    Text(String),
}

/// A number, a number in a string, or nothing.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Loose>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Loose::Number(number)) => Ok(Some(number)),
        Some(Loose::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(Loose::Text(text)) => text.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "number")]
        n: Option<i64>,
    }

    #[test]
    fn numbers_may_be_strings() {
        let parse = |json: &str| serde_json::from_str::<Holder>(json).map(|holder| holder.n).ok();
        for (json, expected) in [
            (r#"{"n":2}"#, Some(Some(2))),
            (r#"{"n":"2"}"#, Some(Some(2))),
            (r#"{"n":""}"#, Some(None)),
            (r#"{"n":null}"#, Some(None)),
            ("{}", Some(None)),
            (r#"{"n":"two"}"#, None),
            (r#"{"n":{}}"#, None),
        ] {
            assert_eq!(parse(json), expected, "{json}");
        }
    }
}
