//! Where events come in: wired here, and bound to a port of their own where that is wanted.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::anyhow;
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{bind, http};
use crate::{
    dingtalk::{App, Client},
    event::{Callbacks, EventsConfig, Feed, Mode, Pace, Recovery, Streams, callback::crypto::Crypto, hear},
    group::Groups,
    metrics::Metrics,
    store::Store,
};

/// The sources of events, not opened yet.
#[derive(Debug)]
pub(super) struct Sources {
    mode: Mode,
    /// What callbacks are opened with, by alias.
    secrets: BTreeMap<String, Crypto>,
    /// Where DingTalk posts, if not to the HTTP port.
    listener: Option<TcpListener>,
}

impl Sources {
    pub(super) async fn bind(config: &EventsConfig) -> anyhow::Result<Self> {
        // They were there when the configuration was loaded; that they still are is not certain.
        let secrets = config.callbacks().map_err(|fault| anyhow!(fault))?;
        let listener = match config.callback_addr() {
            Some(addr) => Some(bind("events.callback_addr", addr).await?),
            None => None,
        };
        Ok(Self { mode: config.mode, secrets, listener })
    }

    /// The port of their own.
    pub(super) fn addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref()?.local_addr().ok()
    }

    /// Opens the connections, and has the gateway itself hear what comes. The routes are for the HTTP port.
    pub(super) fn open(
        self,
        (apps, client, groups, feed, store): (impl Iterator<Item = App>, &Client, &Groups, &Feed, &Store),
        metrics: &Metrics,
        stop: &CancellationToken,
    ) -> (Option<Streams>, Router) {
        let apps: Vec<_> = apps.collect();
        for app in &apps {
            tokio::spawn(hear(app.clone(), feed.clone(), groups.clone(), store.facts.clone()));
        }
        for app in apps.iter().filter(|app| self.secrets.contains_key(app.alias())) {
            let recovery = Recovery::new(app.clone(), client, feed, store, Pace::default());
            tokio::spawn(stop.clone().run_until_cancelled_owned(recovery.run()));
        }
        let streams = self.mode.has_stream().then(|| Streams::open(apps, client, feed, store));
        let routes = http::callback_routes(Callbacks::new(self.secrets, feed.clone()));
        let Some(listener) = self.listener else { return (streams, routes) };
        // Pushes that are cut off come again.
        tokio::spawn(http::serve(listener, routes, metrics.clone(), stop.clone()));
        (streams, Router::new())
    }
}
