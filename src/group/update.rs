//! Changing a group.

use super::{
    Groups, Request,
    directory::Path,
    error::{Error, Fault},
    model::{Group, GroupRef, Kind, Member, Outcome, PlannedCall, State},
    read::state,
    settings::{Choice, Setting, Settings},
    twins,
};
use crate::{
    dingtalk::{App, Endpoint, Spec},
    operation::{
        group::{GetGroup, SetPrivateChat, UpdateGroup},
        id::{ChatId, MediaId, OpenConversationId},
        scene,
    },
};

/// Most characters in the name of an internal or standard group.
const TITLE_MAX: usize = 20;

/// What is to be changed; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Changes {
    /// The new name.
    pub title: Option<String>,
    /// The new owner, a member already.
    pub owner: Option<Member>,
    /// The new avatar.
    pub icon: Option<MediaId>,
    /// The settings to change.
    pub settings: Settings,
}

impl Changes {
    /// What a group of this kind would not take, beyond the rules of single fields.
    pub fn faults(&self, kind: Kind) -> Vec<Fault> {
        let mut faults = Vec::new();
        let ordinary = kind != Kind::Scenario;
        if ordinary && self.title.as_ref().is_some_and(|title| title.chars().count() > TITLE_MAX) {
            let text = format!("has at most {TITLE_MAX} characters in an internal or standard group");
            faults.push(Fault::new("group.title", text));
        }
        for setting in self.settings.stated() {
            if let Some(text) = setting.refusal(kind) {
                faults.push(Fault::new(format!("group.settings.{}", setting.name()), text));
            }
        }
        if ordinary && self.private_chat().is_some() && !self.is_private_chat_only() {
            let text = "settings.private_chat must be the only path: it is a call of its own at DingTalk";
            faults.push(Fault::new("update_mask", text));
        }
        faults
    }

    fn private_chat(&self) -> Option<Choice> {
        self.settings.get(Setting::PrivateChat)
    }

    fn is_private_chat_only(&self) -> bool {
        let mut alone = Changes::default();
        if let Some(choice) = self.private_chat() {
            alone.settings.set(Setting::PrivateChat, choice);
        }
        *self == alone
    }

    fn touches_settings(&self) -> bool {
        self.settings != Settings::default()
    }

    /// DingTalk documents a setting that is left out as reset, so the others have to be read first.
    fn needs_read(&self) -> bool {
        self.touches_settings() && self.private_chat().is_none() && !self.settings.has_all_ordinary()
    }

    fn planned(&self, app: &App, path: &Path) -> Vec<PlannedCall> {
        let read = (self.needs_read() && matches!(path, Path::Ordinary(_))).then_some(GetGroup::SPEC);
        read.into_iter().chain([self.write_spec(app, path)]).map(PlannedCall::once).collect()
    }

    fn write_spec(&self, app: &App, path: &Path) -> &'static Spec {
        let newer = match path {
            Path::Ordinary(_) if self.private_chat().is_some() => SetPrivateChat::SPEC,
            Path::Ordinary(_) => UpdateGroup::SPEC,
            Path::Scenario(_) => scene::UpdateGroup::SPEC,
        };
        twins::of(app, newer)
    }
}

impl Groups {
    /// Changes a group in one write. On internal and standard groups one read comes before it when some but not all
    /// settings are to change; between the two, the last writer wins.
    pub async fn update(
        &self,
        request: &Request,
        group: &GroupRef,
        changes: Changes,
    ) -> Result<Outcome<Group>, Error> {
        let (handle, path) = self.reach(request, group, "group.ref").await?;
        let by_path = if matches!(path, Path::Ordinary(_)) { Kind::Internal } else { Kind::Scenario };
        let mut faults = changes.faults(handle.kind.unwrap_or(by_path));
        if by_path == Kind::Scenario {
            let owner = changes.owner.as_slice();
            let unnamed = twins::unnamed(&request.app, "group.owner", owner).into_iter();
            faults.extend(unnamed.map(|fault| Fault::new("group.owner", fault.description)));
            faults.extend(twins::untold(&request.app, "group.settings", &changes.settings));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        if request.validate_only {
            return Ok(Outcome::Planned(changes.planned(&request.app, &path)));
        }
        match &path {
            Path::Ordinary(id) => self.changing(request, &handle, self.write(request, id, &changes)).await?,
            Path::Scenario(id) => {
                self.changing(request, &handle, self.write_scene(request, id, &changes)).await?;
            }
        }
        Ok(Outcome::Done(written(handle, &changes)))
    }

    async fn write_scene(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
        changes: &Changes,
    ) -> Result<(), Error> {
        let (owner_user_id, owner_union_id) = match &changes.owner {
            Some(Member::User(id)) => (Some(id), None),
            Some(Member::Union(id)) => (None, Some(id)),
            None => (None, None),
        };
        let endpoint = scene::UpdateGroup {
            open_conversation_id,
            title: changes.title.as_deref(),
            icon: changes.icon.as_ref(),
            owner_user_id,
            owner_union_id,
            management_options: changes.touches_settings().then(|| changes.settings.to_scene_options()),
        };
        self.send_scene_update(request, endpoint).await
    }

    async fn write(&self, request: &Request, chatid: &ChatId, changes: &Changes) -> Result<(), Error> {
        if let Some(choice) = changes.private_chat() {
            let is_prohibit = choice == Choice::Disabled;
            return self.call(request, &SetPrivateChat { chatid, is_prohibit }).await.map(drop);
        }
        let mut settings = changes.settings.clone();
        if changes.needs_read() {
            let info = self.read_ordinary(request, chatid).await?;
            if state(info.status) == State::Disbanded {
                return Err(Error::GroupDisbanded);
            }
            settings = settings.or(&Settings::from(&info));
        }
        let owner = changes.owner.as_ref().map(Member::as_owner);
        let endpoint = UpdateGroup {
            chatid,
            name: changes.title.as_deref(),
            owner: owner.map(|(id, _)| id),
            owner_type: owner.map(|(_, owner_type)| owner_type),
            icon: changes.icon.as_ref(),
            management_options: changes.touches_settings().then(|| settings.to_options()),
            ..UpdateGroup::of(chatid)
        };
        self.send_update(request, endpoint).await
    }
}

/// The handle and what was written; nothing that was not.
fn written(group_ref: GroupRef, changes: &Changes) -> Group {
    Group {
        group_ref,
        title: changes.title.clone(),
        owner: changes.owner.clone(),
        icon: changes.icon.clone(),
        settings: changes.settings.clone(),
        ..Group::default()
    }
}
