//! Numbers that somebody has to look at when metrics are collected. All of them are at hand: neither DingTalk nor Redis
//! is asked.

use std::time::SystemTime;

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};
use tokio::sync::watch;

use super::tls::Tls;
use crate::{
    dingtalk::{App, Client},
    metrics::{
        definitions::{self as define, Definition},
        process::whole,
    },
    service::Apps,
    store::Health,
};

/// Has the gateway observed.
pub(super) fn observe(meter: &Meter, apps: &Apps, client: &Client, store: &watch::Receiver<Health>) {
    let of_apps = |definition, number| of_apps(definition, meter, apps, client, number);
    of_apps(&define::MONTH_CALLS, |client, app| client.month_calls(app).map(whole));
    of_apps(&define::MONTH_CALLS_LIMIT, |_, app| app.month().map(whole));
    of_apps(&define::QUEUE_LENGTH, |client, app| Some(whole(client.queue_length(app) as u64)));
    tokens(meter, apps, client);
    breakers(meter, apps, client);
    let health = store.clone();
    define::STORE_UP.observe(meter, move |gauge| {
        gauge.observe(if *health.borrow() == Health::Up { 1.0 } else { 0.0 }, &[]);
    });
    define::BUILD_INFO
        .observe(meter, |gauge| gauge.observe(1.0, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]));
}

/// When the certificate of the gRPC port expires, also after it was replaced.
pub(super) fn certificate(meter: &Meter, tls: Tls) {
    define::CERTIFICATE_EXPIRY.observe(meter, move |gauge| {
        let expires = tls.expires().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gauge.observe(expires.as_secs_f64(), &[]);
    });
}

/// A number of each app; none where there is none.
fn of_apps(
    definition: &Definition,
    meter: &Meter,
    apps: &Apps,
    client: &Client,
    number: fn(&Client, &App) -> Option<f64>,
) {
    let (apps, client) = (apps.clone(), client.clone());
    definition.observe(meter, move |gauge| {
        for app in apps.iter() {
            if let Some(number) = number(&client, app) {
                gauge.observe(number, &[KeyValue::new("app", app.name())]);
            }
        }
    });
}

fn tokens(meter: &Meter, apps: &Apps, client: &Client) {
    let (apps, client) = (apps.clone(), client.clone());
    define::TOKEN_EXPIRY.observe(meter, move |gauge| {
        let tokens = client.tokens_last();
        for app in apps.iter() {
            if let Some(left) = tokens.of(app) {
                gauge.observe(left.as_secs_f64(), &[KeyValue::new("app", app.name())]);
            }
        }
    });
}

fn breakers(meter: &Meter, apps: &Apps, client: &Client) {
    let (apps, client) = (apps.clone(), client.clone());
    define::BREAKER_OPEN.observe(meter, move |gauge: &dyn AsyncInstrument<f64>| {
        for app in apps.iter() {
            for circuit in client.circuits(app) {
                let labels =
                    [KeyValue::new("app", app.name()), KeyValue::new("operation", circuit.operation)];
                gauge.observe(1.0, &labels);
            }
        }
    });
}
