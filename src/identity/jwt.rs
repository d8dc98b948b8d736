//! JSON Web Tokens: signed by an issuer whose public keys are known here, for this gateway, for a while.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, Header, Validation, dangerous, decode, decode_header};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Refused,
    config::IssuerConfig,
    keys::{Key, Keys},
    policy::{Known, Policy},
};

/// How far the clocks of issuers may be off.
const LEEWAY: f64 = 30.0;
/// Tokens remembered at most; a forgotten one costs one verification.
const CAPACITY: u64 = 10_000;
/// Signatures only. With HS256 whoever knows the public key could sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The issuers, and the tokens of theirs that have been verified.
#[derive(Debug)]
pub(super) struct Jwt {
    issuers: Vec<Issuer>,
    /// By SHA-256, because the tokens themselves are secrets.
    verified: Cache<[u8; 32], Verified>,
}

#[derive(Debug)]
struct Issuer {
    name: String,
    audiences: Vec<String>,
    keys: Keys,
}

/// A token that need not be verified again, until it expires or the keys of its issuer change.
#[derive(Debug, Clone)]
struct Verified {
    known: Known,
    until: f64,
    issuer: usize,
    generation: u64,
}

/// What is read of a token. A claim of another type makes it none.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: f64,
    nbf: Option<f64>,
}

impl Jwt {
    /// Reads or fetches the keys of all issuers.
    pub(super) async fn open<'a>(configs: impl Iterator<Item = &'a IssuerConfig>) -> Result<Self, String> {
        let mut issuers = Vec::new();
        for config in configs {
            let (name, audiences) = (config.issuer.clone(), config.audiences.clone());
            issuers.push(Issuer { name, audiences, keys: Keys::open(config).await? });
        }
        Ok(Self { issuers, verified: Cache::new(CAPACITY) })
    }

    /// Who has been given this token.
    pub(super) async fn verify(&self, token: &str, policy: &Policy) -> Result<Known, Refused> {
        let hash = Sha256::digest(token).into();
        let now = now();
        if let Some(known) = self.remembered(&hash, now) {
            return Ok(known);
        }
        let bad = |error: jsonwebtoken::errors::Error| Refused::bad(format!("the token is refused: {error}"));
        let header = decode_header(token).map_err(bad)?;
        if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
            return Err(Refused::bad("the token is signed in a way that is not accepted"));
        }
        // Only to find the keys with which it can be verified.
        let Claims { iss, .. } = dangerous::insecure_decode_claims(token).map_err(bad)?;
        let issuer = self.issuers.iter().position(|issuer| issuer.name == iss);
        let issuer = issuer.ok_or_else(|| Refused::bad("the issuer of the token is not accepted"))?;
        let (claims, generation) = self.issuers[issuer].verify(token, &header).await?;
        if now >= claims.exp + LEEWAY {
            return Err(Refused::bad("the token has expired"));
        }
        if claims.nbf.is_some_and(|begin| now < begin - LEEWAY) {
            return Err(Refused::bad("the token is not valid yet"));
        }
        let known = policy.of_token(&iss, &claims.sub);
        let known = known.ok_or_else(|| Refused::Nobody(format!("jwt:{iss}#{}", claims.sub)))?.clone();
        let verified = Verified { known: known.clone(), until: claims.exp + LEEWAY, issuer, generation };
        self.verified.insert(hash, verified);
        Ok(known)
    }

    fn remembered(&self, hash: &[u8; 32], now: f64) -> Option<Known> {
        let verified = self.verified.get(hash)?;
        let keys = &self.issuers[verified.issuer].keys;
        let holds = now < verified.until && verified.generation == keys.generation();
        if !holds {
            self.verified.invalidate(hash);
        }
        holds.then_some(verified.known)
    }
}

impl Issuer {
    /// The claims of a token that one of the keys has signed, and which generation of keys that was. A key that is not
    /// known may be new: the issuer is asked once.
    async fn verify(&self, token: &str, header: &Header) -> Result<(Claims, u64), Refused> {
        let (mut keys, mut generation) = self.keys.current();
        if keys.candidates(header.kid.as_deref(), header.alg).is_empty() {
            (keys, generation) = self.keys.renewed().await;
        }
        let mut refused = Refused::bad("the key of the token is not known");
        for key in keys.candidates(header.kid.as_deref(), header.alg) {
            match self.claims(token, header.alg, key) {
                Ok(claims) => return Ok((claims, generation)),
                Err(error) => refused = Refused::bad(format!("the token is refused: {error}")),
            }
        }
        Err(refused)
    }

    fn claims(
        &self,
        token: &str,
        algorithm: Algorithm,
        key: &Key,
    ) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.name]);
        validation.set_audience(&self.audiences);
        // The times are looked at by the one who remembers tokens, by the same clock.
        validation.validate_exp = false;
        Ok(decode::<Claims>(token, &key.key, &validation)?.claims)
    }
}

/// Seconds since 1970, as tokens state times.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::EncodingKey;
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
    use serde_json::json;

    use super::*;
    use crate::identity::AuthConfig;

    #[tokio::test]
    async fn a_token_is_verified_once_until_it_expires() {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = pair.der_bytes()[1..].split_at(32);
        let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) }] });
        let file = std::env::temp_dir().join(format!("dinggate-jwks-{}", std::process::id()));
        fs::write(&file, keys.to_string()).unwrap();
        let config: AuthConfig = toml::from_str(&format!(
            "mode = 'jwt'\ninsecure_allow_remote = false\n[static]\ntokens_file = ''\n[jwt.1]\nissuer = 'me'\n\
             audiences = ['us']\njwks_file = '{}'\n[callers.orders]\nidentities = ['jwt:orders']\n",
            file.display()
        ))
        .unwrap();
        let policy = Policy::new(&config);
        let jwt = Jwt::open(config.jwt.values()).await.unwrap();
        fs::remove_file(file).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        // A whole number, which is the same when it has been JSON.
        let until = (now() + 60.0).floor();
        let claims = |id: u32| json!({ "iss": "me", "aud": "us", "sub": "orders", "exp": until, "jti": id });
        let token = |id| jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims(id), &key).unwrap();
        let (first, second) = (token(1), token(2));
        assert_eq!(&*jwt.verify(&first, &policy).await.unwrap().grant.name, "orders");

        // Without keys nothing can be verified: what is still accepted was not verified again.
        jwt.issuers[0].keys.forget();
        assert!(jwt.verify(&first, &policy).await.is_ok());
        assert!(jwt.verify(&second, &policy).await.is_err());
        let hash = Sha256::digest(&first).into();
        assert!(jwt.remembered(&hash, until + LEEWAY - 1.0).is_some());
        assert!(jwt.remembered(&hash, until + LEEWAY).is_none(), "expired");
        assert!(jwt.verify(&first, &policy).await.is_err(), "and forgotten");
    }
}
