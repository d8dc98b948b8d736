//! Lists that travel as one string: legacy calls join ids by commas, pinned cards join clients by `|`.

use serde::{Serializer, ser::Error};

/// `a,b,c`
pub(super) fn commas<S: Serializer>(items: &[impl AsRef<str>], serializer: S) -> Result<S::Ok, S::Error> {
    joined(items, ',', serializer)
}

/// `a|b|c`
pub(super) fn pipes<S: Serializer>(items: &[impl AsRef<str>], serializer: S) -> Result<S::Ok, S::Error> {
    joined(items, '|', serializer)
}

fn joined<S: Serializer>(
    items: &[impl AsRef<str>],
    separator: char,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut text = String::new();
    for item in items {
        let item = item.as_ref();
        // It would name somebody else: there is no way to quote a separator.
        if item.contains(separator) {
            return Err(S::Error::custom(format_args!("an item of a joined list contains `{separator}`")));
        }
        if !text.is_empty() {
            text.push(separator);
        }
        text.push_str(item);
    }
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::value::Serializer;

    use super::*;

    #[test]
    fn items_are_joined_in_their_order() {
        assert_eq!(commas(&["b", "a"], Serializer).ok(), Some("b,a".into()));
        assert_eq!(pipes(&["ios"], Serializer).ok(), Some("ios".into()));
        assert_eq!(commas(&[] as &[&str], Serializer).ok(), Some("".into()));
    }

    #[test]
    fn an_item_with_the_separator_in_it_is_refused() {
        assert!(commas(&["a,b"], Serializer).is_err());
        assert!(pipes(&["a|b"], Serializer).is_err());
    }
}
