//! Static tokens: long random ones, of which the gateway keeps the SHA-256 only. A file has a line for each, and is
//! read again when it changes.

use std::{collections::hash_map::Entry, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use foldhash::HashMap;
use sha2::{Digest, Sha256};

use super::{config::is_name, policy::Identity};

/// So that tools which look for secrets in the wrong places can find one.
const PREFIX: &str = "dgt_";

/// What is read of a tokens file: identities by the hashes of their tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<[u8; 32], Identity>);

impl Tokens {
    /// The tokens of a file, or what is wrong with it.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        Self::parse(&text).map_err(|(line, fault)| format!("{}:{line}: {fault}", file.display()))
    }

    /// Lines of `<name> sha256:<hex>`; empty ones and those that begin with # are skipped. A name may have several
    /// tokens, so that one can follow the other. A fault has its line, and never what stands there.
    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut tokens = HashMap::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |text| (index + 1, text);
            let mut words = line.split_whitespace();
            let (Some(name), Some(hash), None) = (words.next(), words.next(), words.next()) else {
                return Err(fault("must be a line that `dinggate token NAME` prints: NAME sha256:HEX"));
            };
            if !is_name(name) {
                return Err(fault("begins with no name: 1 to 63 of a-z, 0-9, -, _ and ."));
            }
            let hash = hash.strip_prefix("sha256:").and_then(of_hex);
            let hash = hash.ok_or_else(|| fault("must end with sha256: and 64 hexadecimal digits"))?;
            match tokens.entry(hash) {
                Entry::Vacant(place) => place.insert(Identity::Static(name.to_owned())),
                Entry::Occupied(_) => return Err(fault("has the token of another line")),
            };
        }
        Ok(Self(tokens))
    }

    /// Whose token this is. How long that takes may tell something about the hashes, but nobody can choose a token by
    /// its hash, so nothing about the tokens.
    pub(super) fn owner(&self, token: &str) -> Option<&Identity> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        self.0.get(&hash)
    }
}

/// A new token, and the line of the tokens file that lets it in under this name.
pub fn new_token(name: &str) -> Result<(String, String), &'static str> {
    if !is_name(name) {
        return Err("a name has 1 to 63 of a-z, 0-9, -, _ and .");
    }
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let hash: String = Sha256::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((token, format!("{name} sha256:{hash}")))
}

fn of_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_let_in_by_its_line_under_its_name() {
        let (token, line) = new_token("orders").unwrap();
        let (other, other_line) = new_token("orders").unwrap();
        assert!(token.starts_with("dgt_") && token.len() == 47 && token != other, "{token}");
        assert!(!line.contains(&token[4..]), "the file does not give the token away");
        let tokens = Tokens::parse(&format!("# tokens\n\n  {line}\r\n{other_line}\n")).unwrap();
        let orders = Some(&Identity::Static("orders".to_owned()));
        assert_eq!((tokens.owner(&token), tokens.owner(&other)), (orders, orders));
        for wrong in ["", "dgt_", &token[..46], &format!("{token} "), &token.to_uppercase()] {
            assert_eq!(tokens.owner(wrong), None, "{wrong}");
        }
        assert!(new_token("Orders").is_err() && new_token("").is_err());
    }

    #[test]
    fn a_faulty_line_is_named_and_not_shown() {
        let (token, line) = new_token("orders").unwrap();
        for (text, place) in [
            ("orders".to_owned(), 1),
            (format!("\n{line} x"), 2),
            (format!("orders {token}"), 1),
            ("orders sha256:00".to_owned(), 1),
            (format!("orders sha256:{}", "+f".repeat(32)), 1),
            (format!("orders sha256:{}", "é".repeat(32)), 1),
            (line.replace("orders", "Orders"), 1),
            (format!("{line}\n{}", line.replace("orders", "other")), 2),
        ] {
            let (line, fault) = Tokens::parse(&text).unwrap_err();
            assert_eq!(line, place, "{text}");
            assert!(!fault.contains(&token), "{fault}");
        }
    }
}
