//! `dinggate.admin.v1.TokenService`.

use std::time::{Duration, SystemTime};

use tonic::{Request, Response, Status, async_trait};
use tracing::info;

use super::{
    check::Check,
    rpc::{Apps, Common, Rpc},
    status,
};
use crate::{
    dingtalk::{Client, Error, token_endpoint},
    group,
    pb::admin::{self as pb, token_service_server::TokenService},
};

/// How long a token is valid at least for callers who do not say.
const MIN_REMAINING: Duration = Duration::from_secs(300);

/// The service.
#[derive(Debug, Clone)]
pub struct TokenApi {
    apps: Apps,
    client: Client,
}

impl TokenApi {
    /// Serves these apps, as far as their configuration allows it.
    pub fn new(apps: Apps, client: Client) -> Self {
        Self { apps, client }
    }
}

#[async_trait]
impl TokenService for TokenApi {
    async fn get_access_token(
        &self,
        request: Request<pb::GetAccessTokenRequest>,
    ) -> Result<Response<pb::GetAccessTokenResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = allowed(&mut rpc)?;
        let asked = rpc.message.min_remaining.and_then(|remaining| remaining.try_into().ok());
        let min_remaining: Duration = asked.unwrap_or(MIN_REMAINING);
        let lent = self.client.lend_token(&request.app, min_remaining, request.context.deadline).await;
        let lent = lent.map_err(|error| failed(&rpc, &request, error))?;
        let fingerprint = lent.fingerprint();
        // The audit: who has it, and which. Never the token.
        let (app, caller) = (request.app.alias(), &*request.context.claimant.caller);
        info!(app, caller, fingerprint, "handed out an access token");
        Ok(Response::new(pb::GetAccessTokenResponse {
            access_token: lent.reveal().to_owned(),
            expire_time: Some((SystemTime::now() + lent.expires_in).into()),
            fingerprint,
        }))
    }

    async fn report_invalid_access_token(
        &self,
        request: Request<pb::ReportInvalidAccessTokenRequest>,
    ) -> Result<Response<pb::ReportInvalidAccessTokenResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = allowed(&mut rpc)?;
        let fingerprint = &rpc.message.fingerprint;
        let report = self.client.report_token(&request.app, fingerprint, request.context.deadline).await;
        let changed = report.map_err(|error| failed(&rpc, &request, error))?;
        if changed {
            let (app, caller) = (request.app.alias(), &*request.context.claimant.caller);
            info!(app, caller, fingerprint, "replaced an access token that was reported");
        }
        Ok(Response::new(pb::ReportInvalidAccessTokenResponse { changed }))
    }
}

/// Goes on where the app's tokens are shared.
fn allowed<M: Check + Common>(rpc: &mut Rpc<M>) -> Result<group::Request, Status> {
    let request = rpc.admit()?;
    if request.app.exposes_token() {
        return Ok(request);
    }
    let text = "the tokens of this app are not shared: apps.expose_token is off";
    Err(status::not_allowed(request.app.alias(), &request.context.claimant.caller, text))
}

fn failed<M: Check + Common>(rpc: &Rpc<M>, request: &group::Request, error: Error) -> Status {
    rpc.failed(group::Error::Upstream { spec: token_endpoint::spec_of(&request.app), error }).into()
}
