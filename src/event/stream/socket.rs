//! The websocket itself: through a proxy where the environment names one, with bounded frames.

use std::{future::poll_fn, time::Duration};

use http::Uri;
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async_tls_with_config, tungstenite::protocol::WebSocketConfig,
};
use tower::Service;

use crate::dingtalk::StreamAddress;

/// A connection over which DingTalk pushes.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// DingTalk's own clients take frames of up to 256 KiB. A larger one ends the connection.
const FRAME_MAX: usize = 512 * 1024;
/// For proxy, TCP, TLS and the handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no connection. Says nothing of the address: it holds a secret.
#[derive(Debug, thiserror::Error)]
#[error("the websocket cannot be opened: {0}")]
pub(super) struct NoSocket(String);

/// Opens the connection.
pub(super) async fn connect(address: &StreamAddress) -> Result<Socket, NoSocket> {
    let opening = async {
        let uri: Uri = address.expose().parse().map_err(|_| NoSocket("the address is no URI".to_owned()))?;
        let stream = reach(&uri).await?;
        let config =
            WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
        let connected = client_async_tls_with_config(uri, stream, Some(config), None).await;
        connected.map(|(socket, _)| socket).map_err(|error| NoSocket(error.to_string()))
    };
    timeout(CONNECT_TIMEOUT, opening)
        .await
        .unwrap_or_else(|_| Err(NoSocket(format!("not within {CONNECT_TIMEOUT:?}"))))
}

/// TCP to the host, or to whatever is between.
async fn reach(uri: &Uri) -> Result<TcpStream, NoSocket> {
    let (scheme, port) = if uri.scheme_str() == Some("wss") { ("https", 443) } else { ("http", 80) };
    let host = uri.host().unwrap_or_default();
    let target = format!("{scheme}://{host}:{}", uri.port_u16().unwrap_or(port));
    let target: Uri = target.parse().map_err(|_| NoSocket("the address has no host".to_owned()))?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let connected = match Matcher::from_env().intercept(&target) {
        None => call(connector, target).await,
        Some(proxy) => {
            let tunnel = Tunnel::new(proxy.uri().clone(), connector);
            match proxy.basic_auth() {
                Some(auth) => call(tunnel.with_auth(auth.clone()), target).await,
                None => call(tunnel, target).await,
            }
        }
    };
    connected.map(TokioIo::into_inner)
}

async fn call<C>(mut connector: C, target: Uri) -> Result<TokioIo<TcpStream>, NoSocket>
where
    C: Service<Uri, Response = TokioIo<TcpStream>>,
    C::Error: std::fmt::Display,
{
    let failed = |error: C::Error| NoSocket(error.to_string());
    poll_fn(|cx| connector.poll_ready(cx)).await.map_err(failed)?;
    connector.call(target).await.map_err(failed)
}
