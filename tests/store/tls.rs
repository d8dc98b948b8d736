//! Redis behind TLS and a password.

use std::fs;

use dinggate::store::{Health, Store, ping};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::{Redis, ask, becomes, install_tls, millis, open, place};

/// The certificate of an authority as `ca.pem`, and one for this machine that it has signed.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    for (name, text) in
        [("ca.pem", authority.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn redis_is_trusted_through_its_authority_only() {
    install_tls();
    let (ours, theirs) = (certificates(), certificates());
    let file = |folder: &TempDir, name| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key, ca) = (file(&ours, "cert.pem"), file(&ours, "key.pem"), file(&ours, "ca.pem"));
    let redis = Redis::start(&[
        "--tls-port",
        "PORT",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--requirepass",
        "s3cr3t",
    ]);
    let mut config = redis.config();
    let url = format!("rediss://:s3cr3t@localhost:{}", redis.port);
    config.url = url.as_str().into();
    config.ca_file = ca.into();
    ping(&config).await.unwrap();
    place(&open(&config).await, &ask(20, millis(10))).await;

    let mut filed = config.clone();
    let url_file = ours.path().join("url");
    fs::write(&url_file, format!("{url}\n")).unwrap();
    (filed.url, filed.url_file) = ("".into(), url_file);
    ping(&filed).await.unwrap();

    let mut stranger = config.clone();
    stranger.ca_file = file(&theirs, "ca.pem").into();
    let refused = ping(&stranger).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    becomes(&Store::open(&stranger).unwrap(), Health::Degraded).await;

    let mut wrong = config.clone();
    wrong.url = format!("rediss://:wr0ng@localhost:{}", redis.port).into();
    let refused = ping(&wrong).await.unwrap_err().to_string();
    assert!(!refused.contains("wr0ng") && refused.to_lowercase().contains("auth"), "{refused}");
    assert!(!format!("{config:?} {:?}", Store::open(&config)).contains("s3cr3t"));
}
