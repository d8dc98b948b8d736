//! Disbanding a group.

use super::{
    Groups, Request,
    error::Error,
    model::{GroupRef, Outcome, PlannedCall},
};
use crate::{
    dingtalk::{Endpoint, Reason},
    operation::scene::DeleteGroup,
};

impl Groups {
    /// Disbands a scenario group; DingTalk offers it for no other kind. True if this request did it, false if there
    /// was nothing left to disband and `allow_missing` takes that for done.
    pub async fn delete(
        &self,
        request: &Request,
        group: &GroupRef,
        allow_missing: bool,
    ) -> Result<Outcome<bool>, Error> {
        let (handle, open_id) = self.reach_scenario(request, group).await?;
        if request.validate_only {
            return Ok(Outcome::Planned(vec![PlannedCall::once(DeleteGroup::SPEC)]));
        }
        let endpoint = DeleteGroup { open_conversation_id: &open_id };
        match self.changing(request, &handle, self.call_scene(request, &open_id, &endpoint)).await {
            Ok(_) => {
                self.directory.disbanded(&request.app, &open_id);
                Ok(Outcome::Done(true))
            }
            Err(error) if allow_missing && is_missing(&error) => Ok(Outcome::Done(false)),
            Err(error) => Err(error),
        }
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error.reason(), Reason::GroupDisbanded | Reason::GroupNotFound)
}
