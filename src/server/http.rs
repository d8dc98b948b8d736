//! The HTTP port: probes for those who cannot ask over gRPC, and where DingTalk posts events.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    event::{
        Callbacks,
        callback::{self, Rejected},
    },
    store::{Health, Store},
    telemetry::Scrape,
};

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
    body: Bytes,
) -> Response {
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
