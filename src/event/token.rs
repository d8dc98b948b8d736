//! Resume tokens: places in the log of an app, in a form that nobody needs to read.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::store::Position;

const VERSION: u8 = 1;
const PLACE: usize = 24;
const SEAL: usize = 7;

/// A place in the log of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The epoch of the log. Any other than the present one is an earlier one.
    pub epoch: u64,
    /// The last entry that is done with.
    pub position: Position,
}

impl Cursor {
    /// As a token of this app.
    pub fn token(&self, app: &str) -> String {
        let mut bytes = Vec::with_capacity(1 + PLACE + SEAL);
        bytes.push(VERSION);
        for number in [self.epoch, self.position.millis, self.position.number] {
            bytes.extend(number.to_be_bytes());
        }
        let seal = seal(app, &bytes);
        bytes.extend(seal);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says; none if it is not one of this app.
    pub fn of_token(app: &str, token: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, sealed) = bytes.split_at_checked(1 + PLACE)?;
        if said[0] != VERSION || seal(app, said) != *sealed {
            return None;
        }
        let mut numbers = said[1..].as_chunks().0.iter().map(|number| u64::from_be_bytes(*number));
        let (epoch, millis, number) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some(Self { epoch, position: Position { millis, number } })
    }
}

/// Tells a token that was cut off, typed wrong or given to another app from one that was made here. No secret: a token
/// opens nothing that its holder may not read from the beginning.
fn seal(app: &str, said: &[u8]) -> [u8; SEAL] {
    let digest = Sha256::new().chain_update(said).chain_update(app).finalize();
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&digest[..SEAL]);
    seal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors() -> impl Strategy<Value = Cursor> {
        (any::<u64>(), any::<u64>(), any::<u64>())
            .prop_map(|(epoch, millis, number)| Cursor { epoch, position: Position { millis, number } })
    }

    proptest! {
        #[test]
        fn a_token_comes_back_as_what_it_was(cursor in cursors(), app in "[a-z0-9_-]{1,64}") {
            let token = cursor.token(&app);
            prop_assert!(token.len() <= 64);
            prop_assert_eq!(Cursor::of_token(&app, &token), Some(cursor));
        }

        #[test]
        fn a_token_of_another_app_is_none(cursor in cursors(), app in "[a-z]{1,9}", other in "[a-z]{1,9}") {
            prop_assume!(app != other);
            prop_assert_eq!(Cursor::of_token(&other, &cursor.token(&app)), None);
        }

        #[test]
        fn a_token_with_another_character_is_none(cursor in cursors(), at in any::<prop::sample::Index>()) {
            let token = cursor.token("demo");
            let at = at.index(token.len());
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let spoiled = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            prop_assert_eq!(Cursor::of_token("demo", &spoiled), None);
        }

        #[test]
        fn whatever_else_is_none(text in ".{0,80}") {
            prop_assert_eq!(Cursor::of_token("demo", &text), None);
        }
    }
}
