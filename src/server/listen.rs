//! The gRPC port: takes connections, holds each to its limits, and lets them go.

use std::{convert::Infallible, future::poll_fn, io, net, ops::RangeInclusive, pin::pin, sync::Arc};

use ::http::{Extensions, Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{either::Either, sync::CancellationToken};
use tonic::{body::Body, transport::server::Connected as _};
use tower::{Service, ServiceExt as _};
use tracing::debug;

use super::{
    ServerConfig,
    port::Port,
    tls::Tls,
    workers::{Pool, Seat, Spread},
};
use crate::metrics::{Metrics, Rejection};

/// What every HTTP/2 client says first.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Parts of `max_connection_age`, so that connections that began together do not end together.
const AGES: RangeInclusive<f64> = 0.9..=1.1;
/// Bytes of one stream that are kept ready for its reader. A thousand watchers that do not read keep as many times this.
const MAX_READY: usize = 64 * 1024;
/// Streams that a peer may have broken the protocol on before its connection is closed.
const MAX_ERRORS: usize = 1024;

/// The port and what it serves.
#[derive(Clone)]
pub(super) struct Listener<S> {
    pub(super) config: Arc<ServerConfig>,
    pub(super) tls: Option<Tls>,
    pub(super) metrics: Metrics,
    pub(super) service: S,
    pub(super) workers: Pool,
    pub(super) stop: CancellationToken,
}

impl<S> Listener<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    /// Serves until `stop`, then until all connections have ended. No peer is waited for here: whatever takes time
    /// happens in a task per connection, at its worker.
    pub(super) async fn serve(self, listener: TcpListener) {
        let most = self.config.max_connections;
        let mut port = Port::new(listener, "server.max_connections", most, self.metrics.clone());
        while let Some(stream) = port.accept(&self.stop).await {
            let seat = self.workers.seat();
            let worker = seat.runtime().clone();
            port.open.spawn_on(self.clone().connection(stream.into_std(), seat), &worker);
        }
        port.close().await;
    }

    /// The stream comes without its runtime: it belongs to the one that this runs on.
    async fn connection(self, stream: io::Result<net::TcpStream>, seat: Seat) {
        let _present = self.metrics.connection();
        let handshake =
            async { open(TcpStream::from_std(stream?)?, self.tls.clone(), self.config.grpc_web).await };
        let opened = timeout(self.config.handshake_timeout, handshake).await;
        match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((io, peer)) => self.speak(io, peer, seat.spread()).await,
            Err(error) => {
                self.metrics.rejected(Rejection::Handshake);
                debug!(%error, "a connection did not become HTTP/2");
            }
        }
    }

    /// Serves until the peer leaves, the connection is too old, or the gateway stops.
    async fn speak<IO>(self, io: IO, peer: Extensions, spread: Spread)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { config, service, stop, .. } = self;
        let answer = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().extend(peer.clone());
            service.clone().oneshot(request)
        });
        let http = http(&config, spread.clone());
        let mut connection = pin!(http.serve_connection(TokioIo::new(io), answer));
        let age = config.max_connection_age.mul_f64(rand::random_range(AGES));
        let served = poll_fn(|cx| {
            spread.look();
            connection.as_mut().poll(cx)
        });
        let ended = tokio::select! {
            ended = served => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = sleep(age) => {
                connection.as_mut().graceful_shutdown();
                timeout(config.max_connection_age_grace, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection failed");
        }
    }
}

/// TLS, if it is on, and the peer's first words; and what the services may know of the peer.
async fn open(
    stream: TcpStream,
    tls: Option<Tls>,
    http1: bool,
) -> io::Result<(impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Extensions)> {
    stream.set_nodelay(true)?;
    let mut peer = Extensions::new();
    peer.insert(stream.connect_info());
    let mut stream = match tls {
        None => Either::Left(stream),
        Some(tls) => {
            let stream = tls.acceptor().accept(stream).await?;
            peer.insert(stream.connect_info());
            Either::Right(stream)
        }
    };
    let mut first = [0; PREFACE.len()];
    stream.read_exact(&mut first).await?;
    if first != PREFACE && !http1 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks something else"));
    }
    let (read, write) = tokio::io::split(stream);
    Ok((tokio::io::join(io::Cursor::new(first).chain(read), write), peer))
}

/// HTTP/2 and its limits; with gRPC-Web also HTTP/1.1, as a connection begins.
fn http(config: &ServerConfig, spread: Spread) -> auto::Builder<Spread> {
    let mut builder = auto::Builder::new(spread);
    if config.grpc_web {
        builder.http1().timer(TokioTimer::new());
    } else {
        builder = builder.http2_only();
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        // No gRPC client reads it.
        .auto_date_header(false)
        .keep_alive_interval(config.keepalive_interval)
        .keep_alive_timeout(config.keepalive_timeout)
        .max_concurrent_streams(config.max_concurrent_streams)
        .max_send_buf_size(MAX_READY)
        .max_header_list_size(u32::try_from(config.max_header_size.as_u64()).unwrap_or(u32::MAX))
        // A client may give up everything it has begun, at once; who goes on like that is told to calm down.
        .max_pending_accept_reset_streams(config.max_concurrent_streams as usize)
        .max_local_error_reset_streams(MAX_ERRORS);
    builder
}

#[cfg(test)]
mod tests;
