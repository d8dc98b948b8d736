//! TLS of the gRPC port: a certificate, its key and the authority of clients, from files that may be replaced.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use serde::Deserialize;
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

/// How often the files are looked at. Their content is compared, because mounted secrets are links to links.
const PERIOD: Duration = Duration::from_secs(2);
const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";
const CLIENT_CA: &str = "server.tls.client_ca";

/// `[server.tls]` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and its chain, as PEM. Empty: plaintext.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// The authorities that may vouch for clients, as PEM. Empty: clients show no certificate.
    pub client_ca: PathBuf,
    /// Whether clients without a certificate are turned away.
    pub client_cert_required: bool,
}

/// A path in the configuration, and what is wrong there.
type Fault = (&'static str, String);

impl TlsConfig {
    /// Whether the port speaks TLS.
    pub fn is_on(&self) -> bool {
        is_set(&self.cert)
    }

    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<Fault> {
        let missing = |path, other: &str| vec![(path, format!("is missing: {other} is set"))];
        match (is_set(&self.cert), is_set(&self.key), is_set(&self.client_ca)) {
            (true, true, _) => Files::read(self).and_then(|files| files.parse()).err().into_iter().collect(),
            (true, false, _) => missing(KEY, CERT),
            (false, true, _) => missing(CERT, KEY),
            (false, false, true) => missing(CERT, CLIENT_CA),
            (false, false, false) => Vec::new(),
        }
    }

    /// What can be used, but not for long or not by everybody, as (path, warning).
    pub fn warnings(&self) -> Vec<Fault> {
        let identity = self.is_on().then(|| Files::read(self).and_then(|files| files.parse()));
        let Some(Ok(identity)) = identity else { return Vec::new() };
        let now = SystemTime::now();
        let warning = |text, time| (CERT, format!("{text} {}", humantime::format_rfc3339_seconds(time)));
        let expired = (identity.expires <= now).then(|| warning("has expired at", identity.expires));
        let early = (identity.valid_from > now).then(|| warning("is not valid before", identity.valid_from));
        expired.into_iter().chain(early).collect()
    }
}

fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// What the files hold.
#[derive(PartialEq)]
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_cert_required: bool,
}

impl Files {
    fn read(config: &TlsConfig) -> Result<Self, Fault> {
        let read = |path, file: &Path| {
            fs::read(file).map_err(|error| (path, format!("{} cannot be read: {error}", file.display())))
        };
        Ok(Self {
            cert: read(CERT, &config.cert)?,
            key: read(KEY, &config.key)?,
            client_ca: is_set(&config.client_ca).then(|| read(CLIENT_CA, &config.client_ca)).transpose()?,
            client_cert_required: config.client_cert_required,
        })
    }

    fn parse(&self) -> Result<Identity, Fault> {
        let chain = certificates(CERT, &self.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| (KEY, "holds no private key in PEM".to_owned()))?;
        let (_, leaf) = X509Certificate::from_der(&chain[0])
            .map_err(|error| (CERT, format!("holds a certificate that cannot be read: {error}")))?;
        let [valid_from, expires] = [leaf.validity().not_before, leaf.validity().not_after]
            .map(|time| SystemTime::UNIX_EPOCH + Duration::from_secs(time.timestamp().max(0).unsigned_abs()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions");
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let roots = authorities_of_clients(authorities)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier =
                    if self.client_cert_required { verifier } else { verifier.allow_unauthenticated() };
                let verifier = verifier.build().map_err(|error| (CLIENT_CA, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Who resumes a session does not show its certificate again. Connections live for minutes: it would save little.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Identity { config: Arc::new(config), valid_from, expires })
    }
}

fn certificates(path: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err((path, "holds no certificate in PEM".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err((path, format!("is not PEM: {error}"))),
    }
}

fn authorities_of_clients(pem: &[u8]) -> Result<Arc<RootCertStore>, Fault> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(CLIENT_CA, pem)? {
        let unusable = |error| (CLIENT_CA, format!("holds an authority that cannot be used: {error}"));
        roots.add(authority).map_err(unusable)?;
    }
    Ok(Arc::new(roots))
}

fn unusable(error: rustls::Error) -> Fault {
    match error {
        rustls::Error::InconsistentKeys(_) => (KEY, format!("is not the key of {CERT}")),
        rustls::Error::InvalidCertificate(error) => {
            (CERT, format!("holds a certificate that cannot be used: {error:?}"))
        }
        other => (KEY, format!("cannot be used: {other}")),
    }
}

/// Who the gateway is, for new connections.
#[derive(Debug)]
struct Identity {
    config: Arc<ServerConfig>,
    valid_from: SystemTime,
    expires: SystemTime,
}

/// TLS for new connections, always by the newest files that could be used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls {
    identity: watch::Receiver<Identity>,
    look: Arc<Notify>,
    _follow: Arc<AbortOnDropHandle<()>>,
}

impl Tls {
    /// Takes a configuration without faults, and follows its files; none where the port speaks plaintext.
    pub(super) fn open(config: &TlsConfig) -> Result<Option<Self>, String> {
        if !config.is_on() {
            return Ok(None);
        }
        let told = |(path, fault)| format!("{path}: {fault}");
        let files = Files::read(config).map_err(told)?;
        let (sender, identity) = watch::channel(files.parse().map_err(told)?);
        let look = Arc::new(Notify::new());
        let follow = tokio::spawn(follow(config.clone(), files, sender, look.clone()));
        Ok(Some(Self { identity, look, _follow: Arc::new(AbortOnDropHandle::new(follow)) }))
    }

    /// For one handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.identity.borrow().config.clone())
    }

    /// When the certificate expires.
    pub fn expires(&self) -> SystemTime {
        self.identity.borrow().expires
    }

    /// Looks at the files now, and not only in a moment.
    pub fn reload(&self) {
        self.look.notify_one();
    }
}

/// Takes over whatever else the files hold from now on. What cannot be used is told once, and changes nothing.
async fn follow(config: TlsConfig, files: Files, identity: watch::Sender<Identity>, look: Arc<Notify>) {
    let mut seen = Ok(files);
    loop {
        tokio::select! {
            () = sleep(PERIOD) => {}
            () = look.notified() => {}
        }
        let config = config.clone();
        let Ok(found) = spawn_blocking(move || Files::read(&config)).await else { continue };
        if found == seen {
            continue;
        }
        seen = found;
        match seen.as_ref().map_err(Clone::clone).and_then(Files::parse) {
            Ok(new) => {
                let expires = humantime::format_rfc3339_seconds(new.expires);
                info!(%expires, "the TLS files have changed and are in use");
                identity.send_replace(new);
            }
            Err((setting, fault)) => {
                error!(setting, fault, "the TLS files have changed and cannot be used, the old ones stay");
            }
        }
    }
}
