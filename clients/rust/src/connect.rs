//! The connection to dinggate, and repeats.

use std::{env, fs, path::PathBuf, time::Duration};

use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

use crate::Failure;

/// Where the gateway is, whom to trust and who we are.
pub struct Settings {
    addr: String,
    ca: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    token_file: Option<PathBuf>,
}

impl Settings {
    pub fn from_environment() -> Result<Self, String> {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let addr = env::var("DINGGATE_ADDR")
            .map_err(|_| "DINGGATE_ADDR is not set: the host:port of the gateway")?;
        let identity = match (path("DINGGATE_CERT"), path("DINGGATE_KEY")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("DINGGATE_CERT and DINGGATE_KEY go together".to_owned()),
        };
        let settings =
            Self { addr, ca: path("DINGGATE_CA"), identity, token_file: path("DINGGATE_TOKEN_FILE") };
        if settings.ca.is_none() && (settings.identity.is_some() || settings.token_file.is_some()) {
            return Err("a certificate or a token is sent over TLS only: set DINGGATE_CA".to_owned());
        }
        Ok(settings)
    }
}

// [docs:connect]
/// Reads the token for every call: Kubernetes replaces the file before the token expires.
#[derive(Clone)]
pub struct Token(Option<PathBuf>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(file) = &self.0 {
            let token =
                fs::read_to_string(file).map_err(|error| Status::unauthenticated(error.to_string()))?;
            let value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
                .parse()
                .map_err(|_| Status::unauthenticated("the token has characters that no header can carry"))?;
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

pub type Channel = InterceptedService<tonic::transport::Channel, Token>;

/// One channel serves the whole program: clones share it, and it reconnects by itself. `ca` vouches for the gateway;
/// a certificate (mTLS) or a token says who we are.
pub fn connect(settings: &Settings) -> Result<Channel, Failure> {
    let scheme = if settings.ca.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", settings.addr))?;
    // Notices a connection that nobody answers on any more, such as after the loss of a node, while calls are open.
    let (time, timeout) = (Duration::from_secs(10), Duration::from_secs(5));
    endpoint = endpoint.http2_keep_alive_interval(time).keep_alive_timeout(timeout);
    if let Some(ca) = &settings.ca {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(ca)?));
        if let Some((cert, key)) = &settings.identity {
            tls = tls.identity(Identity::from_pem(fs::read(cert)?, fs::read(key)?));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    Ok(InterceptedService::new(endpoint.connect_lazy(), Token(settings.token_file.clone())))
}
// [/docs:connect]

// [docs:service-config]
/// tonic has no service config: repeats a call that ended UNAVAILABLE. No other code may be repeated like this. A
/// connection that breaks under a call ends it as UNAVAILABLE, too: a write needs a `request_id`.
pub async fn repeat<T, F>(mut call: impl FnMut() -> F) -> Result<Response<T>, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut pause = Duration::from_millis(200);
    for _ in 1..4 {
        match call().await {
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
        pause *= 2;
    }
    call().await
}
// [/docs:service-config]
