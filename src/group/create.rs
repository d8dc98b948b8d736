//! Creating a group.

use std::collections::HashSet;

use super::{
    Groups, Request,
    error::{Error, Fault},
    model::{Group, GroupRef, Kind, Member, Outcome, PlannedCall, State, split},
    settings::{Setting, Settings},
};
use crate::{
    dingtalk::Endpoint,
    operation::{
        group::{CreateGroup, TAG_INTERNAL, TAG_STANDARD},
        id::MediaId,
    },
};

/// What is to be created.
#[derive(Debug, Clone, Hash)]
pub struct NewGroup {
    /// The name.
    pub title: String,
    /// Who owns it. Becomes a member without being listed.
    pub owner: Member,
    /// Who else is in it.
    pub members: Vec<Member>,
    /// The avatar.
    pub icon: Option<MediaId>,
    /// Settings that differ from DingTalk's defaults.
    pub settings: Settings,
    /// The kind.
    pub kind: Kind,
}

impl NewGroup {
    /// What DingTalk would not take, beyond the rules of single fields.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let most = CreateGroup::SPEC.max_members.unwrap_or(usize::MAX);
        let count = self.everyone().count();
        if self.kind != Kind::Scenario && count > most {
            let text =
                format!("are {count} with the owner; this version creates a group with at most {most}");
            faults.push(Fault::new("members", text));
        }
        for setting in self.settings.stated() {
            let own_call = setting == Setting::PrivateChat && self.kind != Kind::Scenario;
            let own_call =
                own_call.then_some("cannot be set while creating: call UpdateGroup with this path alone");
            if let Some(text) = own_call.or_else(|| setting.refusal(self.kind)) {
                faults.push(Fault::new(format!("settings.{}", setting.name()), text));
            }
        }
        faults
    }

    /// The owner and the members, each once.
    fn everyone(&self) -> impl Iterator<Item = &Member> {
        let mut seen = HashSet::new();
        std::iter::once(&self.owner).chain(&self.members).filter(move |member| seen.insert(*member))
    }
}

impl Groups {
    /// Creates an internal or standard group with all its members in one call.
    pub async fn create(&self, request: &Request, new: NewGroup) -> Result<Outcome<Group>, Error> {
        let faults = new.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        if new.kind == Kind::Scenario {
            return Err(Error::KindNotImplemented { kind: new.kind });
        }
        if request.validate_only {
            return Ok(Outcome::Planned(vec![PlannedCall::once(CreateGroup::SPEC)]));
        }
        let (groups, own_request, payload) = (self.clone(), request.clone(), new.clone());
        let work = async move { groups.create_ordinary(&own_request, new).await };
        self.created.run(request, &payload, CreateGroup::SPEC, work).await.map(Outcome::Done)
    }

    async fn create_ordinary(&self, request: &Request, new: NewGroup) -> Result<Group, Error> {
        // Nobody is in a group by owning it: DingTalk wants the owner among the members.
        let (user_ids, union_ids) = split(new.everyone().cloned());
        let (owner, owner_type) = new.owner.as_owner();
        let endpoint = CreateGroup {
            name: &new.title,
            owner,
            owner_type,
            user_ids: &user_ids,
            union_ids: &union_ids,
            icon: new.icon.as_ref(),
            conversation_tag: if new.kind == Kind::Standard { TAG_STANDARD } else { TAG_INTERNAL },
            management_options: (new.settings != Settings::default()).then(|| new.settings.to_options()),
        };
        let reply = self.call(request, &endpoint).await?;
        let group_ref = GroupRef {
            open_conversation_id: Some(reply.open_conversation_id),
            chat_id: Some(reply.chatid),
            kind: Some(Kind::from_tag(reply.conversation_tag).unwrap_or(new.kind)),
        };
        self.directory.learn(&request.app, &group_ref);
        Ok(Group {
            group_ref,
            member_count: Some(user_ids.len() + union_ids.len()),
            title: Some(new.title),
            owner: Some(new.owner),
            icon: new.icon,
            settings: new.settings,
            state: Some(State::Active),
        })
    }
}

impl Kind {
    /// From `conversationTag`.
    pub(super) fn from_tag(tag: Option<i64>) -> Option<Kind> {
        match tag {
            Some(TAG_STANDARD) => Some(Kind::Standard),
            Some(TAG_INTERNAL) => Some(Kind::Internal),
            _ => None,
        }
    }
}
