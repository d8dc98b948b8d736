//! TLS towards DingTalk, with certificates that are checked.

use std::{path::Path, process::Output, sync::Arc};

use dinggate_simulator::{Options, Simulator};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::support::install_tls;

/// Puts TLS in front of the simulator; returns its port and the certificate of the authority that vouches for it.
async fn tls_in_front_of(simulator: &Simulator) -> (u16, String) {
    install_tls();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &authority).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let (acceptor, to) = (TlsAcceptor::from(Arc::new(config)), simulator.addr());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us hangs up in the handshake: nothing to forward.
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(to).await.expect("the simulator listens");
                drop(copy_bidirectional(&mut outside, &mut inside).await);
            });
        }
    });
    (port, authority.pem())
}

/// `dinggate check --online`, trusting only the authorities of a file.
async fn check_online(folder: &Path, url: &str, authorities: &Path) -> Output {
    let config = folder.join("dinggate.toml");
    let text = format!(
        "[server]\ngrpc_addr = \"127.0.0.1:0\"\n[[apps]]\nalias = \"demo\"\napp_key = \"dingdemo\"\n\
         app_secret = \"demo-secret\"\napi_url = \"{url}\"\noapi_url = \"{url}\"\n"
    );
    std::fs::write(&config, text).unwrap();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_dinggate"))
        .args(["check", "--online", "--config"])
        .arg(&config)
        .env_clear()
        .env("SSL_CERT_FILE", authorities)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_https_upstream_is_trusted_through_its_authority_only() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (port, authority) = tls_in_front_of(&simulator).await;
    let (_, stranger) = tls_in_front_of(&simulator).await;
    let folder = tempfile::tempdir().unwrap();
    let (trusted, untrusted) = (folder.path().join("ca.pem"), folder.path().join("stranger.pem"));
    std::fs::write(&trusted, authority).unwrap();
    std::fs::write(&untrusted, stranger).unwrap();

    let url = format!("https://localhost:{port}");
    let output = check_online(folder.path(), &url, &trusted).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(simulator.token_requests(), 1);

    let output = check_online(folder.path(), &url, &untrusted).await;
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(told.contains("cannot be reached") && told.contains("certificate"), "{told}");

    // The certificate is for localhost, not for this address.
    let output = check_online(folder.path(), &format!("https://127.0.0.1:{port}"), &trusted).await;
    assert!(!output.status.success());
    assert_eq!(simulator.token_requests(), 1, "nobody else was told the secret");
}
