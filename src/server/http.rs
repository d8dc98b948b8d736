//! The HTTP port: probes for those who cannot ask over gRPC.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
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
