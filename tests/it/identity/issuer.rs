//! Issuers of tokens: keys made here, and a loopback server that publishes them.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value, json};

/// A private key of an issuer.
pub struct Signer {
    pub id: String,
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    pub fn new(id: &str, algorithm: Algorithm) -> Self {
        let (key, mut jwk) = match algorithm {
            Algorithm::ES256 => {
                let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
                let key = EncodingKey::from_ec_der(&pair.serialize_der());
                let point = pair.der_bytes()[1..].to_vec();
                let (x, y) = point.split_at(32);
                (key, json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) }))
            }
            Algorithm::EdDSA => {
                let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
                let key = EncodingKey::from_ed_der(&pair.serialize_der());
                (key, json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.der_bytes()) }))
            }
            _ => {
                let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
                let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
                let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
                // One key for all algorithms of its kind.
                jwk.as_object_mut().unwrap().remove("alg");
                (key, jwk)
            }
        };
        jwk["kid"] = json!(id);
        jwk["use"] = json!("sig");
        Self { id: id.to_owned(), algorithm, key, jwk }
    }

    /// A token as it should be.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.algorithm, "kid": self.id, "typ": "JWT" }), claims)
    }

    /// A token with this header, whatever it says.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// What everybody can read of these keys.
pub fn jwks(signers: &[&Signer]) -> Value {
    json!({ "keys": signers.iter().map(|signer| signer.jwk.clone()).collect::<Vec<_>>() })
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token signed with a secret that everybody can read.
pub fn sign_with_secret(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// Seconds since 1970, so many from now.
pub fn in_seconds(seconds: i64) -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + seconds
}

/// Claims that are accepted, with some of them replaced; null takes one away.
pub fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test", "aud": ["dinggate"], "sub": "orders", "iat": in_seconds(-60),
        "nbf": in_seconds(-60), "exp": in_seconds(600),
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
    }
    claims
}

/// Puts the keys where the gateway reads them.
pub fn write(file: &Path, keys: &Value) {
    let new = file.with_extension("new");
    fs::write(&new, keys.to_string()).unwrap();
    fs::rename(new, file).unwrap();
}

/// A server that publishes keys, counts who asks, and can fail.
#[derive(Clone)]
pub struct Published {
    pub url: String,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
}

impl Published {
    pub async fn start(keys: Value) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/openid/v1/jwks", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(keys));
        let published = Self { url, keys, asked: Arc::default(), broken: Arc::default() };
        let router = Router::new().route("/openid/v1/jwks", get(answer)).with_state(published.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        published
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn publish(&self, keys: Value) {
        *self.keys.lock().unwrap() = keys;
    }

    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

async fn answer(State(published): State<Published>) -> Result<Json<Value>, StatusCode> {
    published.asked.fetch_add(1, Ordering::SeqCst);
    if published.broken.load(Ordering::SeqCst) {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Ok(Json(published.keys.lock().unwrap().clone()))
}
