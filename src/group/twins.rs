//! Apps of the legacy generation: the older twin of an operation serves where there is one. Requests are built in the
//! newer form; here they take the older one, and here stands what that form cannot say.

use super::{
    Groups, Request,
    error::{Error, Fault},
    model::{GroupRef, Member},
    settings::{Setting, Settings},
};
use crate::{
    dingtalk::{App, Endpoint, Generation, Spec},
    operation::{
        group,
        id::{ChatId, UserId},
        role::Role,
        scene,
    },
};

/// (the newer operation, its older twin).
const TWINS: [(&Spec, &Spec); 7] = [
    (group::CreateGroup::SPEC, group::CreateGroupLegacy::SPEC),
    (group::UpdateGroup::SPEC, group::UpdateGroupLegacy::SPEC),
    (group::SetAdmins::SPEC, group::SetAdminsLegacy::SPEC),
    (scene::CreateGroup::SPEC, scene::CreateGroupLegacy::SPEC),
    (scene::UpdateGroup::SPEC, scene::UpdateGroupLegacy::SPEC),
    (scene::AddMembers::SPEC, scene::AddMembersLegacy::SPEC),
    (scene::RemoveMembers::SPEC, scene::RemoveMembersLegacy::SPEC),
];

/// The settings that the older forms of both create and update lack.
const UNTOLD: [Setting; 2] = [Setting::AddMembers, Setting::StayAfterLeavingOrg];

/// The operation that serves this app.
pub(super) fn of(app: &App, spec: &'static Spec) -> &'static Spec {
    let twin = TWINS.iter().find(|(newer, _)| newer.id == spec.id).map(|(_, older)| *older);
    twin.filter(|_| is_legacy(app)).unwrap_or(spec)
}

fn is_legacy(app: &App) -> bool {
    app.generation() == Generation::Legacy
}

/// People of a scenario group whom the older form cannot name.
pub(super) fn unnamed(app: &App, field: &str, members: &[Member]) -> Vec<Fault> {
    let outside = members.iter().enumerate().filter(|(_, member)| matches!(member, Member::Union(_)));
    let text = "cannot be named by union_id: this app uses DingTalk's legacy operations on scenario groups";
    let faults = outside.map(|(i, _)| Fault::new(format!("{field}[{i}]"), text));
    if is_legacy(app) { faults.collect() } else { Vec::new() }
}

/// Settings of a scenario group that the older form cannot state.
pub(super) fn untold(app: &App, field: &str, settings: &Settings) -> Vec<Fault> {
    let text = "cannot be set: this app uses DingTalk's legacy operations on scenario groups";
    let stated = UNTOLD.into_iter().filter(|setting| settings.get(*setting).is_some());
    let faults = stated.map(|setting| Fault::new(format!("{field}.{}", setting.name()), text));
    if is_legacy(app) { faults.collect() } else { Vec::new() }
}

impl Groups {
    pub(super) async fn send_create(
        &self,
        request: &Request,
        new: group::CreateGroup<'_>,
    ) -> Result<group::Created, Error> {
        if !is_legacy(&request.app) {
            return self.call(request, &new).await;
        }
        let old = group::CreateGroupLegacy {
            name: new.name,
            owner: new.owner,
            owner_type: new.owner_type,
            user_ids: new.user_ids,
            union_ids: new.union_ids,
            icon: new.icon,
            conversation_tag: new.conversation_tag,
            management_options: new.management_options.unwrap_or_default(),
        };
        self.call(request, &old).await
    }

    pub(super) async fn send_update(
        &self,
        request: &Request,
        new: group::UpdateGroup<'_>,
    ) -> Result<(), Error> {
        if !is_legacy(&request.app) {
            return self.call(request, &new).await.map(drop);
        }
        let old = group::UpdateGroupLegacy {
            chatid: new.chatid,
            name: new.name,
            owner: new.owner,
            owner_type: new.owner_type,
            icon: new.icon,
            management_options: new.management_options.unwrap_or_default(),
            add_user_ids: new.add_user_ids,
            add_union_ids: new.add_union_ids,
            del_user_ids: new.del_user_ids,
            del_union_ids: new.del_union_ids,
        };
        self.call(request, &old).await.map(drop)
    }

    /// The newer form wants the newer id, which may have to be asked for, once; the older one makes do with the chat
    /// id.
    pub(super) async fn send_admins(
        &self,
        request: &Request,
        handle: &GroupRef,
        chatid: &ChatId,
        role: Role,
        user_ids: &[UserId],
    ) -> Result<(), Error> {
        if is_legacy(&request.app) {
            return self.call(request, &group::SetAdminsLegacy { chatid, role, user_ids }).await.map(drop);
        }
        let resolved = self.convert(request, handle).await?;
        let Some(open_conversation_id) = &resolved.open_conversation_id else {
            return Err(Error::ChatIdUnknown);
        };
        self.call(request, &group::SetAdmins { open_conversation_id, role, user_ids }).await.map(drop)
    }

    pub(super) async fn send_scene_create(
        &self,
        request: &Request,
        new: scene::CreateGroup<'_>,
    ) -> Result<scene::Created, Error> {
        if !is_legacy(&request.app) {
            return self.call(request, &new).await;
        }
        let old = scene::CreateGroupLegacy {
            title: new.title,
            template_id: new.template_id,
            owner_user_id: new.owner_user_id,
            admin_ids: new.admin_ids,
            user_ids: new.user_ids,
            icon: new.icon,
            uuid: new.uuid,
            management_options: new.management_options.unwrap_or_default(),
        };
        Ok(self.call(request, &old).await?.result)
    }

    pub(super) async fn send_scene_update(
        &self,
        request: &Request,
        new: scene::UpdateGroup<'_>,
    ) -> Result<(), Error> {
        let open_conversation_id = new.open_conversation_id;
        if !is_legacy(&request.app) {
            return self.call_scene(request, open_conversation_id, &new).await.map(drop);
        }
        let old = scene::UpdateGroupLegacy {
            open_conversation_id,
            title: new.title,
            icon: new.icon,
            owner_user_id: new.owner_user_id,
            management_options: new.management_options.unwrap_or_default(),
        };
        self.call_scene(request, open_conversation_id, &old).await.map(drop)
    }

    pub(super) async fn send_scene_add(
        &self,
        request: &Request,
        new: scene::AddMembers<'_>,
    ) -> Result<(), Error> {
        let open_conversation_id = new.open_conversation_id;
        if !is_legacy(&request.app) {
            return self.call_scene(request, open_conversation_id, &new).await.map(drop);
        }
        let old = scene::AddMembersLegacy { open_conversation_id, user_ids: new.user_ids };
        self.call_scene(request, open_conversation_id, &old).await.map(drop)
    }

    pub(super) async fn send_scene_remove(
        &self,
        request: &Request,
        new: scene::RemoveMembers<'_>,
    ) -> Result<(), Error> {
        let open_conversation_id = new.open_conversation_id;
        if !is_legacy(&request.app) {
            return self.call_scene(request, open_conversation_id, &new).await.map(drop);
        }
        let old = scene::RemoveMembersLegacy { open_conversation_id, user_ids: new.user_ids };
        self.call_scene(request, open_conversation_id, &old).await.map(drop)
    }
}
