//! `dinggate.group.v1.TemplateService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    convert,
    rpc::{Apps, Rpc},
};
use crate::{
    group::{Groups, Outcome},
    operation::id::UserId,
    pb::group::{self as pb, template_service_server::TemplateService},
};

/// The service.
#[derive(Debug, Clone)]
pub struct TemplateApi {
    apps: Apps,
    groups: Groups,
}

impl TemplateApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups) -> Self {
        Self { apps, groups }
    }
}

#[async_trait]
impl TemplateService for TemplateApi {
    async fn enable_template(
        &self,
        request: Request<pb::EnableTemplateRequest>,
    ) -> Result<Response<pb::EnableTemplateResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let (group, owner) = (convert::group_ref_of(&rpc.message.group), owner(&rpc.message.owner));
        let template_id = rpc.message.template_id.clone();
        let outcome = self.groups.enable_template(&request, &group, template_id, owner).await;
        let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
            Outcome::Done(()) => Vec::new(),
            Outcome::Planned(calls) => convert::planned(calls),
        };
        Ok(Response::new(pb::EnableTemplateResponse { planned_calls }))
    }

    async fn disable_template(
        &self,
        request: Request<pb::DisableTemplateRequest>,
    ) -> Result<Response<pb::DisableTemplateResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let (group, owner) = (convert::group_ref_of(&rpc.message.group), owner(&rpc.message.owner));
        let template_id = rpc.message.template_id.clone();
        let outcome = self.groups.disable_template(&request, &group, template_id, owner).await;
        let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
            Outcome::Done(()) => Vec::new(),
            Outcome::Planned(calls) => convert::planned(calls),
        };
        Ok(Response::new(pb::DisableTemplateResponse { planned_calls }))
    }

    async fn get_template_robot(
        &self,
        request: Request<pb::GetTemplateRobotRequest>,
    ) -> Result<Response<pb::GetTemplateRobotResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let robot = self.groups.template_robot(&request, &group, &rpc.message.robot_code).await;
        Ok(Response::new(pb::GetTemplateRobotResponse {
            robot: robot.map_err(|error| rpc.failed(error))?.map(convert::member_to_pb),
            read_time: Some(convert::now()),
            from_cache: false,
        }))
    }
}

/// Absent: to be read from the group.
fn owner(named: &Option<pb::MemberRef>) -> Option<UserId> {
    named.is_some().then(|| convert::user_id(named))
}
