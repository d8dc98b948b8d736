//! `dinggate.admin.v1.AdminService`.

use std::time::SystemTime;

use tonic::{Request, Response, Status, async_trait};

use super::{
    check::{Check, Violations},
    page,
    rpc::{Admitted, Apps, Common, Rpc, no_context},
    status::{self, Subject},
};
use crate::{
    dingtalk::{App, Circuit, Client, Generation, TokenState, Trouble, app::Region, token_endpoint},
    group::{self, Fault, Finding, Groups, PERMISSIONS},
    pb::admin::{self as pb, admin_service_server::AdminService},
};

/// The service.
#[derive(Debug, Clone)]
pub struct AdminApi {
    apps: Apps,
    client: Client,
    groups: Groups,
}

impl AdminApi {
    /// Tells of these apps.
    pub fn new(apps: Apps, client: Client, groups: Groups) -> Self {
        Self { apps, client, groups }
    }

    async fn app(&self, app: &App) -> pb::App {
        let (standing, trouble) = (self.client.standing(app).await, self.client.last_trouble(app));
        let circuits = self.client.circuits(app);
        pb::App {
            alias: app.alias().to_owned(),
            region: region(app.region()).into(),
            generation: generation(app.generation()).into(),
            token_state: token_state(standing.state).into(),
            token_expire_time: standing.expires_in.map(|left| (SystemTime::now() + left).into()),
            last_error_time: trouble.as_ref().map(|trouble| trouble.at.into()),
            last_error: trouble.map(|trouble| error_of(app, trouble)),
            breakers: circuits.iter().map(breaker).collect(),
        }
    }
}

#[async_trait]
impl AdminService for AdminApi {
    async fn list_apps(
        &self,
        request: Request<pb::ListAppsRequest>,
    ) -> Result<Response<pb::ListAppsResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let caller = &extensions.get::<Admitted>().ok_or_else(no_context)?.caller;
        let begin = page::begin(&message.page_token);
        let mut faults = Violations::of(&message);
        if begin.is_none() {
            faults.extend(vec![Fault::new("page_token", "is not a token of this RPC")]);
        }
        faults.into_result().map_err(|error| status::of(&Subject::default(), &error))?;
        let (begin, size) = (begin.unwrap_or_default(), page::size(message.page_size));
        let mut apps = Vec::new();
        for app in self.apps.of(caller).skip(begin).take(size) {
            apps.push(self.app(app).await);
        }
        let next_page_token = page::next(begin.saturating_add(size), self.apps.of(caller).count());
        Ok(Response::new(pb::ListAppsResponse { apps, next_page_token }))
    }

    async fn get_app(
        &self,
        request: Request<pb::GetAppRequest>,
    ) -> Result<Response<pb::GetAppResponse>, Status> {
        let app = Rpc::new(&self.apps, request)?.admit()?.app;
        Ok(Response::new(pb::GetAppResponse { app: Some(self.app(&app).await) }))
    }

    async fn check_app(
        &self,
        request: Request<pb::CheckAppRequest>,
    ) -> Result<Response<pb::CheckAppResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        rpc.faults.extend(unknown(&rpc.message.permissions));
        let request = rpc.admit()?;
        let spec = token_endpoint::spec_of(&request.app);
        if let Err(error) = self.client.check_token(&request.app, request.context.deadline).await {
            let token = rpc.failed_in_body(&group::Error::Upstream { spec, error });
            return Ok(Response::new(pb::CheckAppResponse { token: Some(token), ..Default::default() }));
        }
        let asked = &rpc.message.permissions;
        let wanted =
            PERMISSIONS.iter().filter(|point| asked.is_empty() || asked.iter().any(|id| id == *point));
        let mut permissions = Vec::new();
        for permission in wanted {
            permissions.push(finding(&rpc, permission, self.groups.probe(&request, permission).await));
        }
        Ok(Response::new(pb::CheckAppResponse { token: Some(Default::default()), permissions }))
    }
}

fn unknown(permissions: &[String]) -> Vec<Fault> {
    let unknown = permissions.iter().enumerate().filter(|(_, point)| !PERMISSIONS.contains(&point.as_str()));
    let text = format!("is not a permission point that the gateway can use: {}", PERMISSIONS.join(", "));
    unknown.map(|(i, _)| Fault::new(format!("permissions[{i}]"), &text)).collect()
}

fn finding<M: Check + Common>(rpc: &Rpc<M>, permission: &str, finding: Finding) -> pb::PermissionCheck {
    let (state, spec, error) = match finding {
        Finding::Granted(spec) => (pb::PermissionState::Granted, Some(spec), None),
        Finding::Missing(spec, error) => (pb::PermissionState::Missing, Some(spec), Some(error)),
        Finding::Unknown(spec, error) => (pb::PermissionState::Unknown, Some(spec), Some(error)),
        Finding::Untried => (pb::PermissionState::Unknown, None, None),
    };
    pb::PermissionCheck {
        permission: permission.to_owned(),
        state: state.into(),
        operation: spec.map(|spec| spec.id.to_owned()).unwrap_or_default(),
        status: error.map(|error| rpc.failed_in_body(&error)),
    }
}

fn error_of(app: &App, Trouble { spec, error, .. }: Trouble) -> tonic_types::pb::Status {
    let subject = Subject { app: app.alias(), ..Default::default() };
    status::in_body(&status::of(&subject, &group::Error::Upstream { spec, error }))
}

fn region(region: Region) -> pb::Region {
    match region {
        Region::Com => pb::Region::Com,
        Region::Io => pb::Region::Io,
    }
}

fn generation(generation: Generation) -> pb::Generation {
    match generation {
        Generation::New => pb::Generation::New,
        Generation::Legacy => pb::Generation::Legacy,
    }
}

fn token_state(state: TokenState) -> pb::TokenState {
    match state {
        TokenState::None => pb::TokenState::None,
        TokenState::Valid => pb::TokenState::Valid,
        TokenState::RefreshFailing => pb::TokenState::RefreshFailing,
        TokenState::Unavailable => pb::TokenState::Unavailable,
    }
}

fn breaker(circuit: &Circuit) -> pb::Breaker {
    let state = if circuit.probing { pb::BreakerState::HalfOpen } else { pb::BreakerState::Open };
    pb::Breaker {
        operation: circuit.operation.to_owned(),
        state: state.into(),
        probe_time: Some((SystemTime::now() + circuit.probe_in).into()),
    }
}
