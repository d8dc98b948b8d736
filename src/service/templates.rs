//! `dinggate.group.v1.TemplateService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    convert,
    once::Once,
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
    once: Once,
}

impl TemplateApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups, once: Once) -> Self {
        Self { apps, groups, once }
    }
}

#[async_trait]
impl TemplateService for TemplateApi {
    async fn enable_template(
        &self,
        request: Request<pb::EnableTemplateRequest>,
    ) -> Result<Response<pb::EnableTemplateResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, owner) = (convert::group_ref_of(&rpc.message.group), owner(&rpc.message.owner));
            let template_id = rpc.message.template_id.clone();
            let outcome = groups.enable_template(&request, &group, template_id, owner).await;
            let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(()) => Vec::new(),
                Outcome::Planned(calls) => convert::planned(calls),
            };
            Ok(pb::EnableTemplateResponse { planned_calls })
        })
        .await
    }

    async fn disable_template(
        &self,
        request: Request<pb::DisableTemplateRequest>,
    ) -> Result<Response<pb::DisableTemplateResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, owner) = (convert::group_ref_of(&rpc.message.group), owner(&rpc.message.owner));
            let template_id = rpc.message.template_id.clone();
            let outcome = groups.disable_template(&request, &group, template_id, owner).await;
            let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(()) => Vec::new(),
                Outcome::Planned(calls) => convert::planned(calls),
            };
            Ok(pb::DisableTemplateResponse { planned_calls })
        })
        .await
    }

    async fn get_template_robot(
        &self,
        request: Request<pb::GetTemplateRobotRequest>,
    ) -> Result<Response<pb::GetTemplateRobotResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let request = rpc.admit()?;
        let group = convert::group_ref_of(&rpc.message.group);
        let staleness = convert::staleness(rpc.message.max_staleness);
        let code = &rpc.message.robot_code;
        let answer = self.groups.template_robot(&request, &group, code, staleness).await;
        let answer = answer.map_err(|error| rpc.failed(error))?;
        Ok(Response::new(pb::GetTemplateRobotResponse {
            robot: answer.value.map(convert::member_to_pb),
            read_time: Some(answer.read_time.into()),
            from_cache: answer.from_cache,
        }))
    }
}

/// Absent: to be read from the group.
fn owner(named: &Option<pb::MemberRef>) -> Option<UserId> {
    named.is_some().then(|| convert::user_id(named))
}
