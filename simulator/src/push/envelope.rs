//! The envelope of HTTP callbacks: AES-256-CBC around a message and the name of its owner, and a SHA-1 signature.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};

/// Keys are 43 characters whose last may have bits that are of no use.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The padding fills up to a multiple of this, not of AES's own block.
const BLOCK: usize = 32;
/// What is random, and the length of the message.
const PREFIX: usize = 16 + 4;

/// Why an envelope cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("the AES key is not 43 characters of base64")]
    AesKey,
    #[error("it cannot be decrypted")]
    Decrypt,
    #[error("its length is not that of its content")]
    Length,
    #[error("it is for another owner")]
    Owner,
}

/// What both sides know.
pub(crate) struct Envelope<'a> {
    key: [u8; 32],
    token: &'a str,
    owner_key: &'a str,
}

impl<'a> Envelope<'a> {
    pub(crate) fn new(
        token: &'a str,
        aes_key: &str,
        owner_key: &'a str,
    ) -> Result<Envelope<'a>, EnvelopeError> {
        let key = BASE64.decode(aes_key).map_err(|_| EnvelopeError::AesKey)?;
        let key = key.try_into().map_err(|_| EnvelopeError::AesKey)?;
        Ok(Envelope { key, token, owner_key })
    }

    /// Encrypts a message; `random` makes equal ones differ.
    pub(crate) fn seal(&self, message: &str, random: [u8; 16]) -> String {
        let length = u32::try_from(message.len()).expect("messages are small");
        let mut plain =
            [&random[..], &length.to_be_bytes(), message.as_bytes(), self.owner_key.as_bytes()].concat();
        let padding = BLOCK - plain.len() % BLOCK;
        plain.resize(plain.len() + padding, u8::try_from(padding).expect("a block is small"));
        let cipher = cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.iv().into());
        BASE64.encode(cipher.encrypt_padded_vec::<NoPadding>(&plain))
    }

    /// The message in an envelope.
    pub(crate) fn open(&self, encrypt: &str) -> Result<String, EnvelopeError> {
        let sealed = BASE64.decode(encrypt).map_err(|_| EnvelopeError::Decrypt)?;
        let cipher = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.iv().into());
        let plain = cipher.decrypt_padded_vec::<NoPadding>(&sealed).map_err(|_| EnvelopeError::Decrypt)?;
        let padding = usize::from(*plain.last().ok_or(EnvelopeError::Decrypt)?);
        if !(1..=BLOCK).contains(&padding) {
            return Err(EnvelopeError::Decrypt);
        }
        let plain = plain.get(..plain.len() - padding).ok_or(EnvelopeError::Decrypt)?;
        let (prefix, rest) = plain.split_at_checked(PREFIX).ok_or(EnvelopeError::Length)?;
        let length = u32::from_be_bytes(prefix[16..].try_into().expect("the prefix ends in four bytes"));
        let (message, owner) = rest.split_at_checked(length as usize).ok_or(EnvelopeError::Length)?;
        if owner != self.owner_key.as_bytes() {
            return Err(EnvelopeError::Owner);
        }
        String::from_utf8(message.to_vec()).map_err(|_| EnvelopeError::Decrypt)
    }

    /// The signature over what goes beside the envelope and the envelope.
    pub(crate) fn sign(&self, timestamp: &str, nonce: &str, encrypt: &str) -> String {
        let mut parts = [self.token, timestamp, nonce, encrypt];
        parts.sort_unstable();
        Sha1::digest(parts.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn iv(&self) -> [u8; 16] {
        self.key[..16].try_into().expect("a key is longer than that")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors(list: &str) -> Vec<Value> {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../tests/vectors/callback.json")).unwrap();
        vectors[list].as_array().unwrap().clone()
    }

    fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap()
    }

    #[test]
    fn the_published_and_generated_vectors_hold_in_both_directions() {
        let vectors = vectors("positive");
        for vector in &vectors {
            let text = |name| text(vector, name);
            let envelope = Envelope::new(text("token"), text("aes_key"), text("owner_key")).unwrap();
            assert_eq!(envelope.open(text("encrypt")).as_deref(), Ok(text("plaintext")), "{}", text("id"));
            let signature = envelope.sign(text("timestamp"), text("nonce"), text("encrypt"));
            assert_eq!(signature, text("signature"), "{}", text("id"));
            // What is padded to 16 is taken, but not made.
            if vector["pad_block"] == BLOCK {
                let random = text("random").as_bytes().try_into().unwrap();
                assert_eq!(envelope.seal(text("plaintext"), random), text("encrypt"), "{}", text("id"));
            }
        }
        assert!(vectors.len() >= 12);
    }

    #[test]
    fn what_is_wrong_is_refused_for_what_is_wrong_with_it() {
        let vectors = vectors("negative");
        for vector in &vectors {
            let text = |name| text(vector, name);
            let outcome =
                Envelope::new(text("token"), text("aes_key"), text("owner_key")).and_then(|envelope| {
                    let signature = envelope.sign(text("timestamp"), text("nonce"), text("encrypt"));
                    envelope.open(text("encrypt")).map(|_| signature == text("signature"))
                });
            let expected = match text("expect") {
                "signature_mismatch" => Ok(false),
                "owner_key_mismatch" => Err(EnvelopeError::Owner),
                "aes_key_illegal" => Err(EnvelopeError::AesKey),
                "length_mismatch" => Err(EnvelopeError::Length),
                "decrypt_error" => Err(EnvelopeError::Decrypt),
                other => panic!("{other}"),
            };
            assert_eq!(outcome, expected, "{}", text("id"));
        }
        assert!(vectors.len() >= 7);
    }
}
