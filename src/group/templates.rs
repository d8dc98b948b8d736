//! Templates in force in a group, and their robots.

use std::time::Duration;

use super::{
    Groups, Request,
    cache::Answer,
    directory::Path,
    error::{Error, Fault},
    model::{GroupRef, Member, Outcome, PlannedCall},
    reads::Read,
};
use crate::{
    dingtalk::{Endpoint, Spec},
    operation::{
        group::GetGroup,
        id::{OpenConversationId, UserId},
        scene::{GetGroupBrief, GetTemplateRobot},
        template::{DisableTemplate, EnableTemplate},
    },
};

/// What becomes of a template.
#[derive(Debug, Clone, Copy)]
enum Switch {
    On,
    Off,
}

/// In whose name it is done.
#[derive(Debug)]
enum Owner {
    Named(UserId),
    /// Whoever owns the group that is found there.
    Of(Path),
}

impl Groups {
    /// Puts a template into force in the name of the owner, who is read from the group unless named.
    pub async fn enable_template(
        &self,
        request: &Request,
        group: &GroupRef,
        template_id: String,
        owner: Option<UserId>,
    ) -> Result<Outcome<()>, Error> {
        self.switch_template(request, Switch::On, group, template_id, owner).await
    }

    /// Takes a template out of force; the owner as when it was put into force.
    pub async fn disable_template(
        &self,
        request: &Request,
        group: &GroupRef,
        template_id: String,
        owner: Option<UserId>,
    ) -> Result<Outcome<()>, Error> {
        self.switch_template(request, Switch::Off, group, template_id, owner).await
    }

    /// Who a robot of the group's template is in the group.
    pub async fn template_robot(
        &self,
        request: &Request,
        group: &GroupRef,
        robot_code: &str,
        max_staleness: Option<Duration>,
    ) -> Result<Answer<Option<Member>>, Error> {
        let (_, open_id) = self.reach_scenario(request, group).await?;
        let read = Read::Robot(open_id, robot_code.to_owned());
        let Answer { value, read_time, from_cache } = self.cached(request, &read, max_staleness).await?;
        Ok(Answer { value: value.robot.clone(), read_time, from_cache })
    }

    pub(super) async fn read_robot(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
        robot_code: &str,
    ) -> Result<Option<Member>, Error> {
        let endpoint = GetTemplateRobot { open_conversation_id, robot_code };
        let robot = self.call_scene(request, open_conversation_id, &endpoint).await?.result;
        let robot = robot.user_id.map(Member::User).or(robot.union_id.map(Member::Union));
        if let Some(robot) = &robot {
            self.directory.learn_robot(&request.app, open_conversation_id, robot);
        }
        Ok(robot)
    }

    async fn switch_template(
        &self,
        request: &Request,
        switch: Switch,
        group: &GroupRef,
        template_id: String,
        owner: Option<UserId>,
    ) -> Result<Outcome<()>, Error> {
        let open_id = self.reach_open_id(request, group).await?;
        let handle = GroupRef { open_conversation_id: Some(open_id.clone()), ..group.clone() };
        let owner = match owner {
            Some(id) => Owner::Named(id),
            None => Owner::Of(self.reach(request, group, "group").await?.1),
        };
        if request.validate_only {
            let calls = owner.read().into_iter().chain([switch.spec()]);
            return Ok(Outcome::Planned(calls.map(PlannedCall::once).collect()));
        }
        let owner = self.owner_id(request, owner).await?;
        let work = self.set_template(request, switch, &open_id, &template_id, &owner);
        self.changing(request, &handle, work).await.map(Outcome::Done)
    }

    async fn set_template(
        &self,
        request: &Request,
        switch: Switch,
        open_conversation_id: &OpenConversationId,
        template_id: &str,
        owner_user_id: &UserId,
    ) -> Result<(), Error> {
        match switch {
            Switch::On => {
                let endpoint = EnableTemplate { open_conversation_id, owner_user_id, template_id };
                self.call_scene(request, open_conversation_id, &endpoint).await?;
            }
            Switch::Off => {
                let endpoint = DisableTemplate { open_conversation_id, owner_user_id, template_id };
                self.call_scene(request, open_conversation_id, &endpoint).await?;
            }
        }
        // A template makes a scenario group of any group; without it, it may be an ordinary one again.
        let open_conversation_id = Some(open_conversation_id.clone());
        self.kind_changed(&request.app, GroupRef { open_conversation_id, ..GroupRef::default() });
        Ok(())
    }

    async fn owner_id(&self, request: &Request, owner: Owner) -> Result<UserId, Error> {
        let owner = match owner {
            Owner::Named(id) => return Ok(id),
            Owner::Of(Path::Ordinary(chat_id)) => Some(self.read_ordinary(request, &chat_id).await?.owner()),
            Owner::Of(Path::Scenario(open_id)) => {
                self.read_brief(request, &open_id).await?.owner_user_id.map(Member::User)
            }
        };
        match owner {
            Some(Member::User(id)) => Ok(id),
            _ => {
                let text = "is required: DingTalk names no employee as the owner of this group";
                Err(Error::Invalid(vec![Fault::new("owner", text)]))
            }
        }
    }
}

impl Switch {
    fn spec(self) -> &'static Spec {
        match self {
            Switch::On => EnableTemplate::SPEC,
            Switch::Off => DisableTemplate::SPEC,
        }
    }
}

impl Owner {
    /// What tells who it is.
    fn read(&self) -> Option<&'static Spec> {
        match self {
            Owner::Named(_) => None,
            Owner::Of(Path::Ordinary(_)) => Some(GetGroup::SPEC),
            Owner::Of(Path::Scenario(_)) => Some(GetGroupBrief::SPEC),
        }
    }
}
