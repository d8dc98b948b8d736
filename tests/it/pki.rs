//! Authorities that only tests trust, and the certificates that they vouch for.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use tonic::transport::{Certificate, ClientTlsConfig};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The certificate of the authority itself, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For a server that is reached by this DNS name.
    pub fn server(&self, name: &str) -> Identity {
        self.vouch(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    /// For a client that is known by this URI, such as `spiffe://corp/orders`, or by a DNS name.
    pub fn client(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let text = name.to_owned().try_into().unwrap();
        let is_uri = name.contains("://");
        params.subject_alt_names = vec![if is_uri { SanType::URI(text) } else { SanType::DnsName(text) }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.vouch(params)
    }

    pub fn vouch(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Identity { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// What a client of a server named `localhost` needs.
    pub fn trusted(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.pem())).domain_name("localhost")
    }
}

impl Identity {
    /// For a tonic client.
    pub fn shown(&self) -> tonic::transport::Identity {
        tonic::transport::Identity::from_pem(&self.cert, &self.key)
    }

    /// Writes `NAME.pem` and `NAME-key.pem`, as whole files.
    pub fn write(&self, folder: &Path, name: &str) {
        for (file, text) in [(format!("{name}.pem"), &self.cert), (format!("{name}-key.pem"), &self.key)] {
            fs::write(folder.join(file), text).unwrap();
        }
    }
}
