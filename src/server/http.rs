//! The HTTP port: probes for those who cannot ask over gRPC.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::json;
use tokio::sync::watch;

use crate::store::{Health, Store};

/// What `/readyz` looks at.
#[derive(Clone)]
pub(super) struct Readiness {
    pub(super) ready: watch::Receiver<bool>,
    /// Held for as long as the gateway serves: a store that nobody holds is not looked after.
    pub(super) store: Store,
}

/// `/livez`: the process answers. `/readyz`: it wants calls; neither asks DingTalk.
pub(super) fn routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(readiness)
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
