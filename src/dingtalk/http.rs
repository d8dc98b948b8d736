//! One HTTP exchange with DingTalk. The only file that knows the HTTP client.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use ::http::{HeaderMap, HeaderValue, Method, header};
use bytes::{Bytes, BytesMut};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::{
    runtime::{Handle, Id},
    sync::SemaphorePermit,
    time::{Instant, timeout_at},
};
use url::Url;

use super::{
    client::DingtalkConfig,
    error::{Applied, Error},
    places::Places,
};
use crate::causes::chain;

const TOKEN_HEADER: &str = "x-acs-dingtalk-access-token";
const REQUEST_ID_HEADER: &str = "x-acs-request-id";

/// Runtimes that can have connections of their own; further ones share those of the first.
const POOLS: usize = 64;

/// Connections to DingTalk. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Http {
    pools: Arc<Pools>,
    request_timeout: Duration,
    max_response_size: usize,
}

/// A pool for each runtime: a connection is served by the one that opened it, and calls of another would wait for two
/// threads to wake each other, out and back.
#[derive(Debug)]
struct Pools {
    config: DingtalkConfig,
    /// Shared, because the system's authorities take a megabyte.
    tls: ClientConfig,
    of: [OnceLock<Pool>; POOLS],
}

/// The connections of one runtime.
#[derive(Debug)]
struct Pool {
    runtime: Id,
    client: reqwest::Client,
    places: Places,
}

impl Pools {
    fn new(config: &DingtalkConfig) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let pools = Self { config: config.clone(), tls, of: [const { OnceLock::new() }; POOLS] };
        let first =
            pools.open().map_err(|error| format!("the HTTP client cannot be set up: {}", chain(&error)))?;
        pools.of[0].get_or_init(|| pools.pool(first));
        Ok(pools)
    }

    fn open(&self) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(concat!("dinggate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(self.config.connect_timeout)
            .pool_idle_timeout(self.config.pool_idle_timeout)
            .pool_max_idle_per_host(self.config.max_in_flight)
            .tcp_nodelay(true)
            .build()
    }

    fn pool(&self, client: reqwest::Client) -> Pool {
        Pool { runtime: Handle::current().id(), client, places: Places::new(self.config.max_in_flight) }
    }

    /// The pool of the runtime that asks.
    fn here(&self) -> &Pool {
        let asks = Handle::current().id();
        let open = || self.pool(self.open().expect("the same settings have made a client before"));
        let mut opened = self.of.iter().map(|pool| pool.get_or_init(open));
        opened.find(|pool| pool.runtime == asks).unwrap_or_else(|| self.of[0].get_or_init(open))
    }
}

/// The right to one exchange.
pub(super) struct Place<'a> {
    client: &'a reqwest::Client,
    _held: SemaphorePermit<'a>,
}

/// What goes out.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) token_header: Option<HeaderValue>,
    pub(super) body: Option<Bytes>,
}

/// What came back, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) is_html: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<String>,
    pub(super) body: Bytes,
}

impl Http {
    pub(super) fn new(config: &DingtalkConfig) -> Result<Self, String> {
        let max_response_size = usize::try_from(config.max_response_size.as_u64()).unwrap_or(usize::MAX);
        let pools = Arc::new(Pools::new(config)?);
        Ok(Self { pools, request_timeout: config.request_timeout, max_response_size })
    }

    /// A place, where nobody has to be waited for.
    pub(super) fn place_at_once(&self) -> Option<Place<'_>> {
        let Pool { client, places, .. } = self.pools.here();
        Some(Place { client, _held: places.at_once()? })
    }

    /// A place, as soon as there is one.
    pub(super) async fn place(&self) -> Place<'_> {
        let Pool { client, places, .. } = self.pools.here();
        Place { client, _held: places.take().await }
    }

    /// Sends the request and reads the whole answer, both before the deadline.
    pub(super) async fn exchange(
        &self,
        place: Place<'_>,
        request: Request,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let now = Instant::now();
        if now >= deadline {
            return Err(Error::DeadlineExceeded { applied: Applied::No });
        }
        let own_limit = now + self.request_timeout;
        match timeout_at(deadline.min(own_limit), self.send(place.client, request)).await {
            Ok(outcome) => outcome,
            Err(_) if own_limit < deadline => {
                Err(Error::Lost(format!("no answer within {:?}", self.request_timeout)))
            }
            Err(_) => Err(Error::DeadlineExceeded { applied: Applied::Maybe }),
        }
    }

    async fn send(&self, client: &reqwest::Client, request: Request) -> Result<Answer, Error> {
        let mut builder = client
            .request(request.method, request.url)
            .header(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = request.token_header {
            builder = builder.header(TOKEN_HEADER, token);
        }
        if let Some(body) = request.body {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            builder = builder.header(header::CONTENT_TYPE, json).body(body);
        }
        let response = builder.send().await.map_err(failed)?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            is_html: header_contains(response.headers(), header::CONTENT_TYPE.as_str(), "html"),
            retry_after: header_text(response.headers(), header::RETRY_AFTER.as_str())
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            request_id: header_text(response.headers(), REQUEST_ID_HEADER).map(ToOwned::to_owned),
            body: Bytes::new(),
        };
        answer.body = self.read(response).await?;
        Ok(answer)
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, Error> {
        let status = response.status().as_u16();
        let mut body = Bytes::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max_response_size {
                let what = format!("longer than dingtalk.max_response_size ({})", self.max_response_size);
                return Err(Error::Garbled { what, status });
            }
            // Most answers come in one piece, which stays where it is.
            body = if body.is_empty() { chunk } else { joined(body, &chunk) };
        }
        Ok(body)
    }
}

/// Copies the first part only where somebody else holds it as well.
fn joined(first: Bytes, second: &[u8]) -> Bytes {
    let mut joined = BytesMut::from(first);
    joined.extend_from_slice(second);
    joined.freeze()
}

/// Only a failure to connect is certain to have sent nothing.
fn failed(error: reqwest::Error) -> Error {
    // The URL can carry the access token.
    let error = error.without_url();
    if error.is_connect() {
        Error::Unreachable(chain(&error))
    } else if error.is_builder() {
        Error::Request(chain(&error))
    } else {
        Error::Lost(chain(&error))
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn header_contains(headers: &HeaderMap, name: &str, word: &str) -> bool {
    header_text(headers, name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
}
