//! Client certificates: what the subject alternative names of the leaf say. TLS has verified the chain before.

use moka::sync::Cache;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{
    Refused,
    policy::{Identity, Known, Policy},
};

/// Certificates remembered at most; a forgotten one is read again.
const CAPACITY: u64 = 10_000;

/// The certificates that have been read, by SHA-256, with the seconds since 1970 at which they expire.
#[derive(Debug)]
pub(super) struct Certificates(Cache<[u8; 32], (Known, i64)>);

impl Certificates {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    /// Whose certificate this is. TLS looks at its time once; a connection may outlive it.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        policy: &Policy,
        now: i64,
    ) -> Result<Known, Refused> {
        let hash = Sha256::digest(leaf).into();
        let (known, until) = match self.0.get(&hash) {
            Some(read) => read,
            None => {
                let read = read(leaf, policy)?;
                self.0.insert(hash, read.clone());
                read
            }
        };
        if now > until { Err(Refused::bad("the client certificate has expired")) } else { Ok(known) }
    }
}

/// The one caller that all names of a certificate lead to which lead to any.
fn read(leaf: &[u8], policy: &Policy) -> Result<(Known, i64), Refused> {
    let (_, certificate) = X509Certificate::from_der(leaf)
        .map_err(|error| Refused::bad(format!("the client certificate cannot be read: {error}")))?;
    let names = certificate.subject_alternative_name();
    let names =
        names.map_err(|error| Refused::bad(format!("the client certificate cannot be read: {error}")))?;
    let identities: Vec<_> =
        names.iter().flat_map(|names| &names.value.general_names).filter_map(identity).collect();
    let mut known = identities.iter().filter_map(|identity| policy.find(identity));
    let Some(first) = known.next() else { return Err(Refused::Nobody(format!("{identities:?}"))) };
    if known.any(|other| other.grant.name != first.grant.name) {
        return Err(Refused::bad("the client certificate has the names of several callers"));
    }
    Ok((first.clone(), certificate.validity().not_after.timestamp()))
}

fn identity(name: &GeneralName<'_>) -> Option<Identity> {
    match name {
        GeneralName::URI(uri) => Some(Identity::Uri((*uri).to_owned())),
        GeneralName::DNSName(name) => Some(Identity::Dns(name.to_ascii_lowercase())),
        _ => None,
    }
}
