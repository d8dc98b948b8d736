//! DingTalk is not strict about JSON types: numbers and booleans arrive as strings, numbers the other way round, and
//! what is empty as null.

use serde::{Deserialize, Deserializer, de::Error};

#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Flag(bool),
    Number(i64),
    Text(String),
}

/// A number, a number in a string, or nothing.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Loose>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Loose::Number(number)) => Ok(Some(number)),
        Some(Loose::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(Loose::Text(text)) => text.trim().parse().map(Some).map_err(Error::custom),
        Some(Loose::Flag(_)) => Err(Error::custom("a boolean instead of a number")),
    }
}

/// A boolean, a boolean in a string, 0 or 1, or nothing.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Option::<Loose>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Loose::Flag(flag)) => Ok(Some(flag)),
        Some(Loose::Number(number @ 0..=1)) => Ok(Some(number == 1)),
        Some(Loose::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(Loose::Text(text)) => text.trim().parse().map(Some).map_err(Error::custom),
        Some(Loose::Number(_)) => Err(Error::custom("a number instead of a boolean")),
    }
}

/// A list, map or object, or null for an empty one.
pub(super) fn collection<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "number")]
        n: Option<i64>,
        #[serde(default, deserialize_with = "flag")]
        b: Option<bool>,
        #[serde(default, deserialize_with = "collection")]
        l: Vec<String>,
    }

    fn parse<T>(json: &str, field: impl Fn(Holder) -> T) -> Option<T> {
        serde_json::from_str(json).map(field).ok()
    }

    #[test]
    fn numbers_may_be_strings() {
        for (json, expected) in [
            (r#"{"n":2}"#, Some(Some(2))),
            (r#"{"n":"2"}"#, Some(Some(2))),
            (r#"{"n":""}"#, Some(None)),
            (r#"{"n":null}"#, Some(None)),
            ("{}", Some(None)),
            (r#"{"n":"two"}"#, None),
            (r#"{"n":true}"#, None),
            (r#"{"n":{}}"#, None),
        ] {
            assert_eq!(parse(json, |holder| holder.n), expected, "{json}");
        }
    }

    #[test]
    fn booleans_may_be_strings_and_numbers() {
        for (json, expected) in [
            (r#"{"b":true}"#, Some(Some(true))),
            (r#"{"b":"false"}"#, Some(Some(false))),
            (r#"{"b":1}"#, Some(Some(true))),
            (r#"{"b":""}"#, Some(None)),
            (r#"{"b":null}"#, Some(None)),
            ("{}", Some(None)),
            (r#"{"b":2}"#, None),
            (r#"{"b":"yes"}"#, None),
        ] {
            assert_eq!(parse(json, |holder| holder.b), expected, "{json}");
        }
    }

    #[test]
    fn an_empty_list_may_be_null() {
        for (json, expected) in
            [(r#"{"l":["a"]}"#, Some(1)), (r#"{"l":null}"#, Some(0)), ("{}", Some(0)), (r#"{"l":"a"}"#, None)]
        {
            assert_eq!(parse(json, |holder| holder.l.len()), expected, "{json}");
        }
    }
}
