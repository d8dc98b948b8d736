//! Creating a group.

use std::collections::HashSet;

use super::{
    Groups, Request,
    error::{Error, Fault},
    model::{Group, GroupRef, Kind, Member, PlannedCall, State, split},
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

/// What was created, or would be.
#[derive(Debug, Clone)]
pub struct Created {
    /// The group; its handle is empty when only a plan was asked for.
    pub group: Group,
    /// Who is in it.
    pub members: Vec<Member>,
    /// The plan, when only that was asked for.
    pub planned: Vec<PlannedCall>,
}

impl NewGroup {
    /// What DingTalk would not take, beyond the rules of single fields.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let most = CreateGroup::SPEC.max_members.unwrap_or(usize::MAX);
        let count = self.everyone().count();
        if self.kind != Kind::Scenario && count > most {
            let text = format!("are {count} with the owner; this version creates a group with at most {most}");
            faults.push(Fault::new("members", text));
        }
        for setting in self.settings.stated() {
            let own_call = setting == Setting::PrivateChat && self.kind != Kind::Scenario;
            let own_call = own_call.then_some("cannot be set while creating: call UpdateGroup with this path alone");
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
    pub async fn create(&self, request: &Request, new: NewGroup) -> Result<Created, Error> {
        let faults = new.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        if new.kind == Kind::Scenario {
            return Err(Error::KindNotImplemented { kind: new.kind });
        }
        if request.validate_only {
            return Ok(new.plan());
        }
        let (groups, own_request, payload) = (self.clone(), request.clone(), new.clone());
        let work = async move { groups.create_ordinary(&own_request, new).await };
        self.created.run(request, &payload, CreateGroup::SPEC, work).await
    }

    async fn create_ordinary(&self, request: &Request, new: NewGroup) -> Result<Created, Error> {
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
        let mut created = new.plan();
        created.group.group_ref = group_ref;
        created.planned.clear();
        Ok(created)
    }
}

impl NewGroup {
    /// The group as it will be, and the call that makes it.
    fn plan(&self) -> Created {
        let members: Vec<Member> = self.everyone().cloned().collect();
        let group = Group {
            group_ref: GroupRef { kind: Some(self.kind), ..GroupRef::default() },
            title: Some(self.title.clone()),
            owner: Some(self.owner.clone()),
            icon: self.icon.clone(),
            settings: self.settings.clone(),
            member_count: Some(members.len()),
            state: Some(State::Active),
        };
        Created { group, members, planned: vec![PlannedCall::once(CreateGroup::SPEC)] }
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
