//! TLS of the gRPC port: who gets in, over which versions, and that nobody keeps others out.

use std::{net::SocketAddr, os::unix::fs::symlink, path::Path, sync::Arc, time::Duration};

use dinggate::config::Sources;
use rcgen::{CertificateParams, SanType};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    hostile::frames::{PREFACE, SETTINGS, frame, next},
    pki::{Authority, Identity},
    support::{Gateway, connect_over, install_tls, new_group},
};

const SOON: Duration = Duration::from_secs(30);

/// With `tls.pem` and `tls-key.pem` of a folder.
fn with_tls(sources: Sources, folder: &Path) -> Sources {
    let file = |name| folder.join(name).to_str().unwrap().to_owned();
    sources.with("server.tls.cert", file("tls.pem")).with("server.tls.key", file("tls-key.pem"))
}

/// A gateway with a certificate of the authority.
async fn start(authority: &Authority, adapt: impl FnOnce(Sources) -> Sources) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    authority.server("localhost").write(folder.path(), "tls");
    Gateway::start_over_tls(authority.trusted(), |sources| adapt(with_tls(sources, folder.path()))).await
}

/// A client of this version that remembers its sessions.
fn client(authority: &Authority, version: &'static SupportedProtocolVersion) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_protocol_versions(&[version])
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn handshake(client: &TlsConnector, addr: SocketAddr, name: &'static str) -> TlsStream<TcpStream> {
    let name = ServerName::try_from(name).unwrap();
    client.connect(name, TcpStream::connect(addr).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn callers_over_tls_are_served_and_plaintext_is_not() {
    let authority = Authority::new();
    let gateway = start(&authority, |sources| sources).await;
    gateway.groups.clone().create_group(new_group("Over TLS")).await.unwrap();

    let stranger = connect_over(Authority::new().trusted(), gateway.grpc_addr).await;
    assert!(stranger.is_err(), "a client trusts its own authority only");
    let mut plaintext = TcpStream::connect(gateway.grpc_addr).await.unwrap();
    plaintext.write_all(PREFACE).await.unwrap();
    let mut answer = Vec::new();
    let _ended = timeout(SOON, plaintext.read_to_end(&mut answer)).await.expect("an end");
    assert_eq!(answer.first(), Some(&21), "a TLS alert, and nothing of HTTP: {answer:?}");
}

#[tokio::test]
async fn both_versions_of_tls_speak_http_2_also_with_clients_that_name_no_server() {
    install_tls();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    authority.vouch(params).write(folder.path(), "tls");
    let adapt = |sources| with_tls(sources, folder.path());
    let gateway = Gateway::start_over_tls(authority.trusted(), adapt).await;
    for version in [&TLS12, &TLS13] {
        let client = client(&authority, version);
        // Addresses are not sent as server names. Nobody comes back on an old session.
        for name in ["localhost", "127.0.0.1", "localhost"] {
            let mut stream = handshake(&client, gateway.grpc_addr, name).await;
            stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
            // Sessions to come back on would come before this.
            assert_eq!(next(&mut stream).await.expect("settings").kind, SETTINGS);
            let agreed = stream.get_ref().1;
            assert_eq!(agreed.protocol_version(), Some(version.version));
            assert_eq!(agreed.alpn_protocol(), Some(&b"h2"[..]));
            assert_eq!(agreed.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn with_an_authority_for_clients_only_those_it_vouches_for_get_in() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let orders = authority.client("spiffe://corp/orders");
    authority.server("localhost").write(folder.path(), "tls");
    let trusted = authority.trusted().identity(orders.shown());
    let gateway = Gateway::start_over_tls(trusted, |sources| {
        with_tls(sources, folder.path()).with("server.tls.client_ca", ca.to_str().unwrap())
    })
    .await;
    gateway.groups.clone().create_group(new_group("Over mTLS")).await.unwrap();

    let calls = gateway.simulator.calls().len();
    let stranger = Authority::new().client("spiffe://corp/orders");
    for tls in [authority.trusted(), authority.trusted().identity(stranger.shown())] {
        // In TLS 1.3 a client learns only with its first call that it is not wanted.
        let served = async {
            let channel = connect_over(tls, gateway.grpc_addr).await.ok()?;
            let mut groups = dinggate::pb::group::group_service_client::GroupServiceClient::new(channel);
            groups.create_group(new_group("Not over mTLS")).await.ok()
        };
        assert!(served.await.is_none());
    }
    assert_eq!(gateway.simulator.calls().len(), calls);
}

#[tokio::test]
async fn peers_that_say_nothing_keep_nobody_out_and_are_closed() {
    let authority = Authority::new();
    let gateway = start(&authority, |sources| sources.with("server.handshake_timeout", "500ms")).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(gateway.grpc_addr).await.unwrap());
    }
    // It is through with TLS, and then says nothing.
    let mut mute = handshake(&client(&authority, &TLS13), gateway.grpc_addr, "localhost").await;
    let channel = connect_over(authority.trusted(), gateway.grpc_addr).await.unwrap();
    let mut groups = dinggate::pb::group::group_service_client::GroupServiceClient::new(channel);
    groups.create_group(new_group("Among silent peers")).await.unwrap();
    for mut stream in silent {
        assert_eq!(timeout(SOON, stream.read(&mut [0])).await.expect("an end").unwrap_or(0), 0);
    }
    assert_eq!(timeout(SOON, mute.read(&mut [0])).await.expect("an end").unwrap_or(0), 0);
    groups.create_group(new_group("After them")).await.unwrap();
}

/// Puts the certificate into a folder as Kubernetes does: behind a link to a folder of its own.
fn mount(folder: &Path, version: &str, identity: &Identity) {
    let (new, link) = (folder.join(version), folder.join("..link"));
    std::fs::create_dir(&new).unwrap();
    identity.write(&new, "tls");
    symlink(&new, &link).unwrap();
    std::fs::rename(&link, folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_used_without_a_restart() {
    let (before, after) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "1", &before.server("localhost"));
    for file in ["tls.pem", "tls-key.pem"] {
        symlink(Path::new("..data").join(file), folder.path().join(file)).unwrap();
    }
    let gateway = Gateway::start_over_tls(before.trusted(), |sources| with_tls(sources, folder.path())).await;
    assert!(connect_over(after.trusted(), gateway.grpc_addr).await.is_err());

    mount(folder.path(), "2", &after.server("localhost"));
    let renewed = async { while connect_over(after.trusted(), gateway.grpc_addr).await.is_err() {} };
    timeout(SOON, renewed).await.expect("the new certificate, soon");
    assert!(connect_over(before.trusted(), gateway.grpc_addr).await.is_err());
    gateway.groups.clone().create_group(new_group("An old connection")).await.unwrap();
}
