//! Callbacks over HTTP, from the query and the body to the event in the log. The first byte says how much the sender knows.

#![no_main]

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use aes::Aes256;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::NoPadding};
use dinggate::event::{
    Callbacks,
    callback::{Query, crypto::Crypto},
};
use dinggate_fuzz::{RUNTIME, bounded, feed};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sha1::{Digest as _, Sha1};

/// Those of a published vector.
const TOKEN: &str = "123456";
/// The vector's ends in a 3, which is the same 32 bytes and two bits that say nothing.
const AES_KEY: &str = "1234567890123456789012345678901234567890120";
const OWNER: &str = "dingsnotzck6pm5veliw";

const BLOCK: usize = 16;

fuzz_target!(|data: &[u8]| {
    let Some((knows, data)) = data.split_first() else { return };
    let (query, body) = match knows {
        b'0' => as_it_is(data),
        b'1' => signed(&String::from_utf8_lossy(data)),
        b'2' => signed(&encrypted(data)),
        _ => return,
    };
    bounded(query.len() + body.len(), || take(&query, &body));
});

/// From anybody: a query, and the body behind a new line.
fn as_it_is(data: &[u8]) -> (String, Vec<u8>) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let query = parts.next().unwrap_or_default();
    (String::from_utf8_lossy(query).into_owned(), parts.next().unwrap_or_default().to_vec())
}

/// From somebody who knows the token.
fn signed(encrypt: &str) -> (String, Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().to_string();
    let mut texts = [TOKEN, &now, "n", encrypt];
    texts.sort_unstable();
    let mut hash = Sha1::new();
    texts.iter().for_each(|text| hash.update(text));
    let signature: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let query = format!("signature={signature}&timestamp={now}&nonce=n");
    (query, json!({ "encrypt": encrypt }).to_string().into_bytes())
}

/// From somebody who knows the key as well: an envelope in whole blocks.
fn encrypted(envelope: &[u8]) -> String {
    let key = STANDARD_NO_PAD.decode(AES_KEY).expect("base64");
    let whole = &envelope[..envelope.len() - envelope.len() % BLOCK];
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&key, &key[..BLOCK]).expect("lengths that fit");
    STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(whole))
}

fn take(query: &str, body: &[u8]) {
    let Ok(query) = serde_urlencoded::from_str::<Query>(query) else { return };
    let crypto = Crypto::new(TOKEN.into(), &AES_KEY.into(), vec![OWNER.to_owned()]).expect("a good key");
    RUNTIME.block_on(async {
        let callbacks = Callbacks::new(BTreeMap::from([("demo".to_owned(), crypto)]), feed());
        // Refusals are answers, too.
        let _ = callbacks.take("demo", query, body).await;
    });
}
