//! The three token endpoints for internal apps, and the [`TokenSource`] over them.

use std::borrow::Cow;

use ::http::Method;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    app::{App, TokenEndpoint},
    endpoint::{Auth, Endpoint, Generation, Params, Repeat, Spec, segment},
    error::Error,
    generation,
    token::{Grant, Token, TokenSource},
    transport::{Outgoing, Transport},
};

/// `POST /v1.0/oauth2/accessToken`: asking again within the lifetime returns the same token and extends it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessToken<'a> {
    /// Client ID.
    pub app_key: &'a str,
    /// Client Secret.
    pub app_secret: &'a str,
}

/// Answer of [`AccessToken`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessTokenReply {
    access_token: String,
    #[serde(default)]
    expire_in: Option<i64>,
}

impl Endpoint for AccessToken<'_> {
    type Reply = AccessTokenReply;
    const SPEC: &'static Spec = &Spec {
        id: "auth.access_token.get",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/oauth2/accessToken",
        params: Params::Body,
        auth: Auth::None,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_base"),
    };
}

/// `POST /v1.0/oauth2/{corpId}/token`: snake case, unlike its sibling.
#[derive(Serialize)]
pub struct CorpToken<'a> {
    /// The organisation; part of the path.
    #[serde(skip)]
    pub corp_id: &'a str,
    /// Client ID.
    pub client_id: &'a str,
    /// Client Secret.
    pub client_secret: &'a str,
    /// Always `client_credentials`.
    pub grant_type: &'a str,
}

/// Answer of [`CorpToken`] and [`GetToken`].
#[derive(Deserialize)]
pub struct SnakeTokenReply {
    access_token: String,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl Endpoint for CorpToken<'_> {
    type Reply = SnakeTokenReply;
    const SPEC: &'static Spec = &Spec {
        id: "auth.token.get_by_corp",
        generation: Generation::New,
        method: Method::POST,
        path: "/v1.0/oauth2/{corpId}/token",
        params: Params::Body,
        auth: Auth::None,
        repeat: Repeat::Read,
        max_members: None,
        permission: Some("qyapi_base"),
    };

    fn path(&self) -> Cow<'static, str> {
        format!("/v1.0/oauth2/{}/token", segment(self.corp_id)).into()
    }
}

/// `GET /gettoken`: the secret travels in the query, where access logs see it; for deployments with nothing else.
#[derive(Serialize)]
pub struct GetToken<'a> {
    /// Client ID.
    pub appkey: &'a str,
    /// Client Secret.
    pub appsecret: &'a str,
}

impl Endpoint for GetToken<'_> {
    type Reply = SnakeTokenReply;
    const SPEC: &'static Spec = &Spec {
        id: "auth.gettoken_legacy",
        generation: Generation::Legacy,
        method: Method::GET,
        path: "/gettoken",
        params: Params::Query,
        auth: Auth::None,
        repeat: Repeat::Read,
        max_members: None,
        permission: None,
    };
}

/// The operation that fetches the app's tokens.
pub fn spec_of(app: &App) -> &'static Spec {
    match app.token_endpoint() {
        TokenEndpoint::AccessToken => AccessToken::SPEC,
        TokenEndpoint::CorpToken => CorpToken::SPEC,
        TokenEndpoint::GetToken => GetToken::SPEC,
    }
}

/// The token endpoint that an app is configured with.
#[derive(Debug)]
pub(super) struct UpstreamTokens(pub(super) Transport);

impl TokenSource for UpstreamTokens {
    async fn fetch(&self, app: &App) -> Result<Grant, Error> {
        let grant = self.grant(app).await;
        self.0.metrics.token_refresh(app.name(), grant.is_ok());
        grant
    }
}

impl UpstreamTokens {
    async fn grant(&self, app: &App) -> Result<Grant, Error> {
        let (key, secret) = (app.app_key(), app.app_secret());
        let secret = secret.expose_secret();
        let (token, lifetime) = match app.token_endpoint() {
            TokenEndpoint::AccessToken => {
                let reply = self.ask(app, &AccessToken { app_key: key, app_secret: secret }).await?;
                (reply.access_token, reply.expire_in)
            }
            TokenEndpoint::CorpToken => {
                let corp_id = app.corp_id();
                let grant_type = "client_credentials";
                let ask = CorpToken { corp_id, client_id: key, client_secret: secret, grant_type };
                let reply = self.ask(app, &ask).await?;
                (reply.access_token, reply.expires_in)
            }
            TokenEndpoint::GetToken => {
                let reply = self.ask(app, &GetToken { appkey: key, appsecret: secret }).await?;
                (reply.access_token, reply.expires_in)
            }
        };
        let sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !sendable {
            return Err(Error::Garbled { what: "a token that no header can carry".to_owned(), status: 200 });
        }
        Ok(Grant { token: Token::new(token), lifetime })
    }

    async fn ask<E: Endpoint>(&self, app: &App, endpoint: &E) -> Result<E::Reply, Error> {
        // Shared by a crowd, so bounded by the transport's own timeout and not by one caller's deadline.
        let far = Instant::now() + self.0.request_timeout() * 2;
        let (outgoing, place) = (Outgoing::new(app, endpoint)?, self.0.place(far).await?);
        let (body, _) = self.0.attempt(place, &outgoing, None, 1, far).await?;
        generation::reply(&body)
    }
}
