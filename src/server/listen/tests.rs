//! Connections in front of a service that says what it knows of its peer.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio_rustls::TlsConnector;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::*;
use crate::{config::Sources, server::Workers};

/// A certificate that vouches for itself, and its key: for the server, for its client, and as the authority of both.
struct Pair {
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { cert: pair.cert.pem(), key: pair.signing_key.serialize_pem() }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()
    }

    /// Connects as a client that shows the certificate or none.
    async fn connect(&self, addr: SocketAddr, show: bool) -> io::Result<impl AsyncRead + AsyncWrite + use<>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let mut config = match show {
            true => builder.with_client_auth_cert(vec![self.certificate()], key).unwrap(),
            false => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// Who the peer is, as far as the request's extensions tell.
fn seen(request: &Request<Body>) -> String {
    let tcp = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    assert!(tcp.is_some_and(|addr| addr.ip().is_loopback()), "{tcp:?}");
    match request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>() {
        None => "plaintext".to_owned(),
        Some(tls) => format!("{:?}", tls.peer_certs().map(|certs| certs.len())),
    }
}

fn config(sources: Sources) -> ServerConfig {
    let sources = sources.with("server.grpc_addr", "127.0.0.1:0");
    let loaded = sources.with("apps.demo.app_key", "key").with("apps.demo.app_secret", "made-up").load();
    loaded.unwrap().config.server
}

/// A listener on a free port.
async fn listen(sources: Sources) -> SocketAddr {
    let config = Arc::new(config(sources));
    let service = tower::service_fn(|request: Request<Body>| async move {
        let response = Response::builder().header("seen", seen(&request)).body(Body::empty());
        Ok::<_, Infallible>(response.unwrap())
    });
    let port = TcpListener::bind(config.grpc_addr).await.unwrap();
    let addr = port.local_addr().unwrap();
    let tls = Tls::open(&config.tls).unwrap();
    let (metrics, workers, stop) = (Metrics::off(), Workers::here().pool(), CancellationToken::new());
    tokio::spawn(Listener { config, tls, metrics, service, workers, stop }.serve(port));
    addr
}

/// An answer without end, and how much of it was asked for.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let frames = std::iter::repeat_with(move || {
        let frame = Bytes::from_static(&[0; 4096]);
        count.fetch_add(frame.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(frame))
    });
    (Body::new(StreamBody::new(tokio_stream::iter(frames))), taken)
}

#[tokio::test(start_paused = true)]
async fn little_is_kept_ready_for_who_opens_a_wide_window_and_does_not_read() {
    let (body, taken) = endless();
    let body = Arc::new(Mutex::new(Some(body)));
    let service = tower::service_fn(move |_: Request<Body>| {
        let body = body.lock().unwrap().take().expect("one request");
        async move { Ok::<_, Infallible>(Response::new(body)) }
    });
    let config = Arc::new(config(Sources::defaults()));
    let (metrics, workers, stop) = (Metrics::off(), Workers::here().pool(), CancellationToken::new());
    let (near, far) = tokio::io::duplex(1024);
    let spread = workers.seat().spread();
    let listener = Listener { config, tls: None, metrics, service, workers, stop };
    tokio::spawn(listener.speak(far, Extensions::new(), spread));

    let mut wide = h2::client::Builder::new();
    wide.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
    let (mut client, connection) = wide.handshake::<_, Bytes>(near).await.unwrap();
    let request = Request::get("http://localhost/").body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    let mut connection = pin!(connection);
    tokio::select! {
        response = response => assert!(response.unwrap().status().is_success()),
        _ = connection.as_mut() => panic!("it answers"),
    }
    // Time passes when nobody has anything to do.
    sleep(Duration::from_secs(1)).await;
    let taken = taken.load(Ordering::Relaxed);
    assert!((MAX_READY..MAX_READY + 16 * 1024).contains(&taken), "{taken}");
}

/// What the service sees of a client.
async fn answer(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<String, h2::Error> {
    let (mut client, connection) = h2::client::handshake(io).await?;
    tokio::spawn(connection);
    let request = Request::get("http://localhost/").body(()).unwrap();
    let response = client.send_request(request, true)?.0.await?;
    Ok(response.headers()["seen"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_peer_in_plaintext_is_known_by_its_address() {
    let addr = listen(Sources::defaults()).await;
    assert_eq!(answer(TcpStream::connect(addr).await.unwrap()).await.unwrap(), "plaintext");
}

#[tokio::test]
async fn the_certificate_of_a_client_reaches_the_services() {
    let (folder, pair) = (tempfile::tempdir().unwrap(), Pair::new());
    let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("cert"), &pair.cert).unwrap();
    fs::write(path("key"), &pair.key).unwrap();
    let tls =
        || Sources::defaults().with("server.tls.cert", path("cert")).with("server.tls.key", path("key"));
    let mtls = || tls().with("server.tls.client_ca", path("cert"));

    let addr = listen(mtls()).await;
    assert_eq!(answer(pair.connect(addr, true).await.unwrap()).await.unwrap(), "Some(1)");
    // In TLS 1.3 a client is through with its handshake before the server has looked at its certificate.
    let nameless = pair.connect(addr, false).await.unwrap();
    assert!(answer(nameless).await.is_err(), "a certificate is required");

    let addr = listen(mtls().with("server.tls.client_cert_required", false)).await;
    assert_eq!(answer(pair.connect(addr, true).await.unwrap()).await.unwrap(), "Some(1)");
    assert_eq!(answer(pair.connect(addr, false).await.unwrap()).await.unwrap(), "None");

    let addr = listen(tls()).await;
    assert_eq!(answer(pair.connect(addr, true).await.unwrap()).await.unwrap(), "None", "it is not asked for");
}
