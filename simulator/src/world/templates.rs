//! Templates: who may use one, and what a group has of it.

use super::{Caller, Group, OwnerKind, Refusal, World};
use crate::seed::{Robot, Template};

impl World {
    /// A template this app may make groups of.
    pub(super) fn usable_template(&self, caller: &Caller, id: &str) -> Result<&Template, Refusal> {
        let Some(template) = self.corp(caller).template(id) else {
            let elsewhere = self.corps.values().any(|corp| corp.template(id).is_some());
            return Err(if elsewhere {
                Refusal::TemplateOfOtherOrganization
            } else {
                Refusal::TemplateUnknown
            });
        };
        if template.app_key != caller.app_key {
            return Err(Refusal::TemplateForeign);
        }
        if !template.online {
            return Err(Refusal::TemplateUnknown);
        }
        if !template.in_gray_list {
            return Err(Refusal::TemplateNotInGrayList);
        }
        if !template.app_installed {
            return Err(Refusal::TemplateAppNotInstalled);
        }
        Ok(template)
    }

    /// Makes a scenario group of any group, or changes its template.
    pub(crate) fn apply_template(
        &mut self,
        caller: &Caller,
        id: &str,
        template_id: &str,
        owner: &str,
    ) -> Result<(), Refusal> {
        self.usable_template(caller, template_id)?;
        let mut group = self.group_of_owner(caller, id, owner)?;
        if group.template_id.replace(template_id.to_owned()).is_none() {
            group.take_scene_defaults();
        }
        self.keep(group);
        Ok(())
    }

    /// The settings lapse and the robots go: an ordinary group again.
    pub(crate) fn close_template(
        &mut self,
        caller: &Caller,
        id: &str,
        template_id: &str,
        owner: &str,
    ) -> Result<(), Refusal> {
        self.usable_template(caller, template_id)?;
        let mut group = self.group_of_owner(caller, id, owner)?;
        if group.template_id.as_deref() != Some(template_id) {
            return Err(Refusal::NoTemplate);
        }
        group.template_id = None;
        group.scene_settings.clear();
        self.keep(group);
        Ok(())
    }

    fn group_of_owner(&self, caller: &Caller, id: &str, owner: &str) -> Result<Group, Refusal> {
        let group = self.open_group(caller, id)?;
        if group.disbanded {
            return Err(Refusal::GroupDisbanded);
        }
        if !group.is_owner(OwnerKind::Employee, owner) {
            return Err(Refusal::Invalid("owner_user_id"));
        }
        Ok(group.clone())
    }

    /// The userId of a robot in a group.
    pub(crate) fn template_robot(&self, caller: &Caller, id: &str, code: &str) -> Result<String, Refusal> {
        let group = self.live_scene(caller, id)?;
        Ok(self.robot(caller, group, code)?.user_id.clone())
    }

    /// The robots a group has by its template.
    pub(super) fn robots_of(&self, group: &Group) -> &[Robot] {
        let corp = self.corps.get(&group.corp_id);
        let template = group.template_id.as_ref().and_then(|id| corp?.template(id));
        template.map_or(&[], |template| &template.robots)
    }

    /// A robot of one of the caller's templates.
    pub(super) fn own_robot(&self, caller: &Caller, code: &str) -> Result<(), Refusal> {
        let templates = self.corp(caller).templates.iter();
        let own = templates.filter(|template| template.app_key == caller.app_key);
        let mut robots = own.flat_map(|template| &template.robots);
        match robots.find(|robot| robot.robot_code == code) {
            None => Err(Refusal::RobotUnknown),
            Some(robot) if !robot.enabled => Err(Refusal::RobotDisabled),
            Some(_) => Ok(()),
        }
    }

    /// A robot that is switched on and in the group.
    pub(super) fn robot(&self, caller: &Caller, group: &Group, code: &str) -> Result<&Robot, Refusal> {
        let mut all = self.corp(caller).templates.iter().flat_map(|template| &template.robots);
        if !all.any(|robot| robot.robot_code == code) {
            return Err(Refusal::RobotUnknown);
        }
        let robot = self.robots_of(group).iter().find(|robot| robot.robot_code == code);
        match robot {
            None => Err(Refusal::RobotNotInGroup),
            Some(robot) if !robot.enabled => Err(Refusal::RobotDisabled),
            Some(robot) => Ok(robot),
        }
    }
}

impl super::Corp {
    pub(super) fn template(&self, id: &str) -> Option<&Template> {
        self.templates.iter().find(|template| template.template_id == id)
    }
}
