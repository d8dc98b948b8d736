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
