//! The HTTP port: probes for those who cannot ask over gRPC, and where DingTalk posts events.

use std::{pin::pin, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Path, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::port::Port;
use crate::{
    event::{
        Callbacks,
        callback::{self, Rejected},
    },
    metrics::Metrics,
    store::{Health, Store},
    telemetry::Scrape,
};

/// The head of a request comes within this, also the next one on a connection.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The body of a callback comes within this. DingTalk itself does not wait for its answer for so long.
const BODY_TIME: Duration = Duration::from_secs(5);
/// Connections at the same time; further ones are closed at once.
const CONNECTIONS: usize = 1024;

/// Serves until `stop`, then until all requests are answered. A peer has little time to say what it wants.
pub(super) async fn serve(listener: TcpListener, routes: Router, metrics: Metrics, stop: CancellationToken) {
    let mut port = Port::new(listener, "connections to an HTTP port", CONNECTIONS, metrics);
    while let Some(stream) = port.accept(&stop).await {
        port.open.spawn(connection(stream, routes.clone(), stop.clone()));
    }
    port.close().await;
}

async fn connection(stream: TcpStream, routes: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection to the HTTP port failed");
    }
}

/// What `/readyz` looks at.
#[derive(Clone)]
pub(super) struct Readiness {
    pub(super) ready: watch::Receiver<bool>,
    /// Held for as long as the gateway serves: a store that nobody holds is not looked after.
    pub(super) store: Store,
}

/// `/livez`: the process answers. `/readyz`: it wants calls. `/metrics`: what it has done. None asks DingTalk.
pub(super) fn routes(readiness: Readiness, scrape: Scrape) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(readiness)
        .route("/metrics", get(move || metrics(scrape.clone())))
}

async fn metrics(scrape: Scrape) -> Result<impl IntoResponse, (StatusCode, String)> {
    // Some thousands of series take a moment.
    let text = tokio::task::spawn_blocking(move || scrape.text()).await;
    let text = text.map_err(|error| error.to_string()).and_then(|text| text);
    let text = text.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(([(header::CONTENT_TYPE, Scrape::CONTENT_TYPE)], text))
}

/// A gateway whose store is lost still wants calls: the others have lost it, too.
async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<serde_json::Value>) {
    let mut reasons = Vec::new();
    if *readiness.store.health.borrow() == Health::Degraded {
        reasons.push("store: degraded, Redis cannot be reached");
    }
    if *readiness.ready.borrow() {
        (StatusCode::OK, Json(json!({ "status": "ready", "reasons": reasons })))
    } else {
        reasons.insert(0, "the gateway is stopping");
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "draining", "reasons": reasons })))
    }
}

/// `POST /callback/{alias}`: DingTalk pushes an event of that app.
pub(super) fn callback_routes(callbacks: Callbacks) -> Router {
    Router::new()
        .route("/callback/{app}", post(take_callback))
        .layer(DefaultBodyLimit::max(callback::BODY_MAX))
        .with_state(callbacks)
}

/// Anything but the one answer that DingTalk wants makes it post the event again.
async fn take_callback(
    State(callbacks): State<Callbacks>,
    Path(app): Path<String>,
    Query(query): Query<callback::Query>,
    request: Request,
) -> Response {
    let body = match timeout(BODY_TIME, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(unread)) => {
            callbacks.refuse();
            return unread.into_response();
        }
        Err(_) => {
            callbacks.refuse();
            return StatusCode::REQUEST_TIMEOUT.into_response();
        }
    };
    match callbacks.take(&app, query, &body).await {
        Ok(reply) => Json(reply).into_response(),
        Err(rejected) => {
            let status = match rejected {
                Rejected::UnknownApp => StatusCode::NOT_FOUND,
                Rejected::Malformed(_) => StatusCode::BAD_REQUEST,
                Rejected::Stale | Rejected::Refused(_) => StatusCode::FORBIDDEN,
                Rejected::NotKept => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("{rejected}\n")).into_response()
        }
    }
}
