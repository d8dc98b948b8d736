//! `POST /v1.0/gateway/connections/open`: registers a client of Stream mode and answers where its websocket is.

use ::http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use super::{
    app::App,
    client::Client,
    endpoint::{Auth, Endpoint, Generation, Params, Repeat, Spec},
    error::Error,
    generation,
    transport::Outgoing,
};

/// The registration. It authenticates by the app's secret, needs no token, and is not metered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenStream<'a> {
    /// Client ID.
    pub client_id: &'a str,
    /// Client Secret.
    pub client_secret: &'a str,
    /// What is to be pushed.
    pub subscriptions: [Subscription; 1],
    /// Who we are, for DingTalk's logs.
    pub ua: &'static str,
}

/// What is to be pushed. Which types of events is ticked in DingTalk's console.
#[derive(Serialize)]
pub struct Subscription {
    /// `EVENT`, or `CALLBACK` for messages to robots and the like.
    pub r#type: &'static str,
    /// `*` is the only one for events.
    pub topic: &'static str,
}

/// Answer of [`OpenStream`].
#[derive(Deserialize)]
pub struct OpenStreamReply {
    endpoint: String,
    ticket: SecretString,
}

impl Endpoint for OpenStream<'_> {
    type Reply = OpenStreamReply;
    const SPEC: &'static Spec = &Spec {
        id: "stream.open",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/gateway/connections/open",
        params: Params::Body,
        auth: Auth::None,
        repeat: Repeat::Read,
        max_members: None,
        permission: None,
    };
}

/// The address of one websocket: good for one connection, soon. It holds a secret.
pub struct StreamAddress(SecretString);

impl StreamAddress {
    /// To be connected to, and never to be logged.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Client {
    /// Asks for a websocket over which DingTalk pushes the app's events.
    pub async fn open_stream(&self, app: &App) -> Result<StreamAddress, Error> {
        let (transport, secret) = (self.transport(), app.app_secret());
        let registration = OpenStream {
            client_id: app.app_key(),
            client_secret: secret.expose_secret(),
            subscriptions: [Subscription { r#type: "EVENT", topic: "*" }],
            ua: concat!("dinggate/", env!("CARGO_PKG_VERSION")),
        };
        let deadline = Instant::now() + transport.request_timeout();
        let (outgoing, place) = (Outgoing::new(app, &registration)?, transport.place(deadline).await?);
        let (body, _) = transport.attempt(place, &outgoing, None, 1, deadline).await?;
        address(&generation::reply(&body)?)
    }
}

/// The path is DingTalk's, whatever it is; the ticket is a parameter.
fn address(reply: &OpenStreamReply) -> Result<StreamAddress, Error> {
    let garbled = |what: &str| Error::Garbled { what: what.to_owned(), status: 200 };
    let mut url = Url::parse(&reply.endpoint).map_err(|_| garbled("an endpoint that is no URL"))?;
    if !matches!(url.scheme(), "ws" | "wss") || !url.has_host() {
        return Err(garbled("an endpoint that is no websocket"));
    }
    url.query_pairs_mut().append_pair("ticket", reply.ticket.expose_secret());
    Ok(StreamAddress(String::from(url).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(endpoint: &str, ticket: &str) -> Result<String, Error> {
        let reply = OpenStreamReply { endpoint: endpoint.to_owned(), ticket: ticket.into() };
        address(&reply).map(|address| address.expose().to_owned())
    }

    #[test]
    fn the_ticket_goes_to_the_path_that_dingtalk_names() {
        assert_eq!(
            address_of("wss://host.example:443/connect", "a+b/c=").unwrap(),
            "wss://host.example/connect?ticket=a%2Bb%2Fc%3D"
        );
        assert_eq!(address_of("ws://127.0.0.1:1/a?b=c", "t").unwrap(), "ws://127.0.0.1:1/a?b=c&ticket=t");
        for endpoint in ["", "/connect", "https://host.example/connect", "wss:/", "file:///etc/passwd"] {
            assert!(matches!(address_of(endpoint, "t"), Err(Error::Garbled { .. })), "{endpoint}");
        }
    }
}
