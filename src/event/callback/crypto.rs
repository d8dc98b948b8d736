//! The envelope of an HTTP callback: a signature around AES-256-CBC around the message and the name of its owner.
//!
//! The initialisation vector is the beginning of the key, and the hash is SHA-1: DingTalk's choice, not ours. What a
//! stranger can do with that is bounded by the signature, which is checked before anything is decrypted.

use std::fmt;

use aes::Aes256;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding::NoPadding};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

/// AES keys are written in 43 characters of base64, without the padding. The last of them may have bits that say nothing.
const KEY_CHARACTERS: usize = 43;
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const BLOCK: usize = 16;
/// Messages are padded to this. Some of DingTalk's own libraries pad to [`BLOCK`], so less is accepted.
const PADDED_TO: usize = 32;
const RANDOM: usize = 16;
const LENGTH: usize = 4;

/// The secrets that one app shares with DingTalk for its callbacks.
pub struct Crypto {
    token: SecretString,
    key: Zeroizing<[u8; 32]>,
    owner_keys: Vec<String>,
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto").field("owner_keys", &self.owner_keys).finish_non_exhaustive()
    }
}

/// The AES key is not one of DingTalk's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 43 characters of a-z, A-Z, 0-9, as DingTalk's console shows it")]
pub struct BadKey;

/// Why a message is not taken for DingTalk's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else sent it, or the token is another one.
    #[error("the signature does not fit: is the token the one of DingTalk's console?")]
    Signature,
    /// It is no message under this key.
    #[error("it cannot be decrypted: is the aes_key the one of DingTalk's console?")]
    Undecryptable,
    /// The length inside goes beyond the end.
    #[error("its length does not fit")]
    Length,
    /// It is for another app or organisation.
    #[error("it is for another owner: does owner_keys have the app key and the corp id?")]
    Owner,
}

/// An encrypted message and what vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Lower-case hex.
    pub signature: String,
    /// As it was sent; milliseconds or seconds.
    pub timestamp: String,
    /// As it was sent.
    pub nonce: String,
    /// Base64.
    pub encrypt: String,
}

impl Crypto {
    /// With the token and the AES key of DingTalk's console, and the owners that messages may be for.
    pub fn new(token: SecretString, aes_key: &SecretString, owner_keys: Vec<String>) -> Result<Self, BadKey> {
        let text = aes_key.expose_secret();
        if text.len() != KEY_CHARACTERS {
            return Err(BadKey);
        }
        let key = Zeroizing::new(LENIENT.decode(text).map_err(|_| BadKey)?);
        let key = <[u8; 32]>::try_from(&key[..]).map_err(|_| BadKey)?;
        Ok(Self { token, key: Zeroizing::new(key), owner_keys })
    }

    /// The message, if it is DingTalk's, and for which of our owners it is.
    pub fn open(&self, sealed: &Sealed) -> Result<(Vec<u8>, &str), Refused> {
        let expected = self.signature(&sealed.timestamp, &sealed.nonce, &sealed.encrypt);
        if !bool::from(expected.as_bytes().ct_eq(sealed.signature.as_bytes())) {
            return Err(Refused::Signature);
        }
        let plain = self.decrypt(&sealed.encrypt)?;
        let (message, owner) = parts(&plain).ok_or(Refused::Length)?;
        let owner = self.owner_keys.iter().find(|known| known.as_bytes() == owner).ok_or(Refused::Owner)?;
        Ok((message.to_vec(), owner))
    }

    /// Encrypts and signs a message for an owner.
    pub fn seal(
        &self,
        (message, owner): (&[u8], &str),
        timestamp: &str,
        nonce: &str,
        random: [u8; RANDOM],
    ) -> Sealed {
        let length = u32::try_from(message.len()).expect("replies are short").to_be_bytes();
        let mut plain = [&random[..], &length, message, owner.as_bytes()].concat();
        let padding = PADDED_TO - plain.len() % PADDED_TO;
        plain.resize(plain.len() + padding, u8::try_from(padding).expect("at most 32"));
        let cipher = cbc::Encryptor::<Aes256>::new((&*self.key).into(), self.iv().into());
        let encrypt = STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&plain));
        Sealed {
            signature: self.signature(timestamp, nonce, &encrypt),
            timestamp: timestamp.to_owned(),
            nonce: nonce.to_owned(),
            encrypt,
        }
    }

    fn decrypt(&self, encrypt: &str) -> Result<Vec<u8>, Refused> {
        let bytes = LENIENT.decode(encrypt).map_err(|_| Refused::Undecryptable)?;
        let cipher = cbc::Decryptor::<Aes256>::new((&*self.key).into(), self.iv().into());
        let mut plain = cipher.decrypt_padded_vec::<NoPadding>(&bytes).map_err(|_| Refused::Undecryptable)?;
        let padding = usize::from(*plain.last().ok_or(Refused::Undecryptable)?);
        let is_padded = (1..=PADDED_TO).contains(&padding) && padding <= plain.len();
        // Nobody learns anything from this answer that the signature does not keep from them already.
        if !is_padded || plain[plain.len() - padding..].iter().any(|byte| usize::from(*byte) != padding) {
            return Err(Refused::Undecryptable);
        }
        plain.truncate(plain.len() - padding);
        Ok(plain)
    }

    fn iv(&self) -> &[u8; BLOCK] {
        self.key.first_chunk().expect("32 bytes have 16")
    }

    /// Over the four texts in the order of their bytes, whatever they mean.
    fn signature(&self, timestamp: &str, nonce: &str, encrypt: &str) -> String {
        let mut texts = [self.token.expose_secret(), timestamp, nonce, encrypt];
        texts.sort_unstable();
        let mut hash = Sha1::new();
        texts.iter().for_each(|text| hash.update(text));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Message and owner of random, length, message, owner.
fn parts(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_random, rest) = plain.split_at_checked(RANDOM)?;
    let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        positive: Vec<Vector>,
        negative: Vec<Vector>,
        raw_aes: Vec<Vector>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Vector {
        id: String,
        token: String,
        aes_key: String,
        owner_key: String,
        timestamp: String,
        nonce: String,
        random: String,
        plaintext: String,
        encrypt: String,
        signature: String,
        pad_block: usize,
        expect: String,
    }

    impl Vector {
        fn crypto(&self) -> Result<Crypto, BadKey> {
            Crypto::new(
                self.token.as_str().into(),
                &self.aes_key.as_str().into(),
                vec![self.owner_key.clone()],
            )
        }

        fn sealed(&self) -> Sealed {
            Sealed {
                signature: self.signature.clone(),
                timestamp: self.timestamp.clone(),
                nonce: self.nonce.clone(),
                encrypt: self.encrypt.clone(),
            }
        }
    }

    fn vectors() -> Vectors {
        let text = include_str!("../../../tests/vectors/callback.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_dingtalk_encrypts_is_opened() {
        let vectors = vectors().positive;
        assert_eq!(vectors.len(), 12);
        for vector in vectors {
            let crypto = vector.crypto().unwrap();
            let message = crypto.open(&vector.sealed());
            let expected = (vector.plaintext.clone().into_bytes(), vector.owner_key.as_str());
            assert_eq!(message, Ok(expected), "{}", vector.id);
        }
    }

    #[test]
    fn what_we_encrypt_is_what_dingtalk_would() {
        for vector in vectors().positive.iter().filter(|vector| vector.pad_block == PADDED_TO) {
            let random = vector.random.as_bytes().try_into().unwrap();
            let message = (vector.plaintext.as_bytes(), vector.owner_key.as_str());
            let sealed = vector.crypto().unwrap().seal(message, &vector.timestamp, &vector.nonce, random);
            assert_eq!(sealed, vector.sealed(), "{}", vector.id);
        }
    }

    #[test]
    fn what_is_not_dingtalks_is_refused_for_its_reason() {
        let vectors = vectors().negative;
        assert_eq!(vectors.len(), 7);
        for vector in vectors {
            let expected = match vector.expect.as_str() {
                "signature_mismatch" => Refused::Signature,
                "owner_key_mismatch" => Refused::Owner,
                "length_mismatch" => Refused::Length,
                "decrypt_error" => Refused::Undecryptable,
                "aes_key_illegal" => {
                    assert_eq!(vector.crypto().unwrap_err(), BadKey);
                    continue;
                }
                other => panic!("{other} is not known"),
            };
            let crypto = vector.crypto().unwrap();
            assert_eq!(crypto.open(&vector.sealed()), Err(expected), "{}", vector.id);
        }
    }

    #[test]
    fn bare_aes_without_a_length_is_no_message() {
        for vector in vectors().raw_aes {
            let crypto = vector.crypto().unwrap();
            let plain = crypto.decrypt(&vector.encrypt).unwrap();
            assert!(plain.starts_with(b"5p7b4jXMWUshiBCosucc111esssuite4"), "{}", vector.id);
            let signature = crypto.signature("1", "2", &vector.encrypt);
            let sealed = Sealed { signature, timestamp: "1".into(), nonce: "2".into(), ..vector.sealed() };
            assert_eq!(crypto.open(&sealed), Err(Refused::Length), "{}", vector.id);
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let vector = vectors().positive.swap_remove(0);
        let shown = format!("{:?}", vector.crypto().unwrap());
        assert!(!shown.contains(&vector.token) && !shown.contains(&vector.aes_key), "{shown}");
    }

    proptest! {
        #[test]
        fn every_message_survives_the_way(
            message in prop::collection::vec(any::<u8>(), 0..300), nonce in ".{0,20}", random: [u8; 16],
        ) {
            let crypto = vectors().positive[3].crypto().unwrap();
            let owner = crypto.owner_keys[0].as_str();
            let sealed = crypto.seal((&message, owner), "1760000000000", &nonce, random);
            prop_assert_eq!(crypto.open(&sealed), Ok((message.clone(), owner)));
        }

        #[test]
        fn nothing_that_is_signed_can_hurt(encrypt in prop_oneof![
            ".{0,100}",
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| STANDARD.encode(bytes)),
        ]) {
            let crypto = vectors().positive[3].crypto().unwrap();
            let signature = crypto.signature("1", "2", &encrypt);
            let sealed = Sealed { signature, timestamp: "1".into(), nonce: "2".into(), encrypt };
            prop_assert!(crypto.open(&sealed).is_err());
        }
    }
}
