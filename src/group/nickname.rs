//! The name that a member has in a group.

use super::{
    Groups, Request,
    directory::Path,
    error::Error,
    model::{GroupRef, Outcome, PlannedCall},
};
use crate::{
    dingtalk::Endpoint,
    operation::{group, id::UserId, scene},
};

impl Groups {
    /// Gives a member a name in the group.
    pub async fn set_nickname(
        &self,
        request: &Request,
        group: &GroupRef,
        member: UserId,
        nickname: String,
    ) -> Result<Outcome<()>, Error> {
        let (handle, path) = self.reach(request, group, "group").await?;
        let spec = match path {
            Path::Ordinary(_) => group::SetMemberNickname::SPEC,
            Path::Scenario(_) => scene::SetMemberNickname::SPEC,
        };
        if request.validate_only {
            return Ok(Outcome::Planned(vec![PlannedCall::once(spec)]));
        }
        match &path {
            Path::Ordinary(chatid) => {
                let endpoint = group::SetMemberNickname { chatid, userid: &member, group_nick: &nickname };
                self.changing(request, &handle, self.call(request, &endpoint)).await?;
            }
            Path::Scenario(open_conversation_id) => {
                let endpoint = scene::SetMemberNickname {
                    open_conversation_id,
                    user_id: &member,
                    group_nick: &nickname,
                };
                let work = self.call_scene(request, open_conversation_id, &endpoint);
                self.changing(request, &handle, work).await?;
            }
        }
        Ok(Outcome::Done(()))
    }
}
