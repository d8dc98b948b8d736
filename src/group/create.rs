//! Creating a group.

use std::collections::{HashMap, HashSet};

use super::{
    Groups, Request,
    bulk::{Verdict, Verdicts},
    directory::Path,
    error::{Error, Fault},
    members::Way,
    model::{Group, GroupRef, Kind, Member, Outcome, PlannedCall, State, split},
    settings::{Setting, Settings},
    twins,
};
use crate::{
    dingtalk::{App, Endpoint, Spec},
    operation::{
        group::{CreateGroup, TAG_INTERNAL, TAG_STANDARD, UpdateGroup},
        id::MediaId,
        scene,
    },
};

/// Most people in a group.
const GROUP_MAX: usize = 1000;

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
    /// What only scenario groups have.
    pub scenario: Option<Scenario>,
}

/// What a scenario group is made from.
#[derive(Debug, Clone, Hash)]
pub struct Scenario {
    /// The template.
    pub template_id: String,
    /// First admins, members as well.
    pub admins: Vec<Member>,
}

/// What was created.
#[derive(Debug, Clone)]
pub struct Created {
    /// The group.
    pub group: Group,
    /// What became of the listed members.
    pub verdicts: Verdicts,
}

impl NewGroup {
    /// What DingTalk would not take, beyond the rules of single fields.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let count = self.everyone().count();
        if count > GROUP_MAX {
            faults.push(Fault::new(
                "members",
                format!("are {count} with the owner; a group has at most {GROUP_MAX}"),
            ));
        }
        if let Some(scenario) = &self.scenario {
            let text = "must be named by user_id: a scenario group begins with employees";
            if matches!(self.owner, Member::Union(_)) {
                faults.push(Fault::new("owner", text));
            }
            if scenario.admins.iter().any(|admin| matches!(admin, Member::Union(_))) {
                faults.push(Fault::new("scenario.admins", text));
            }
            if self.settings.get(Setting::EntryApproval).is_some() {
                faults.push(Fault::new(
                    "settings.entry_approval",
                    "cannot be set while creating: call UpdateGroup",
                ));
            }
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

    /// The owner and the members, each once. Nobody is in a group by owning it: DingTalk wants the owner among the
    /// members, and among those of the first call.
    fn everyone(&self) -> impl Iterator<Item = &Member> {
        let mut seen = HashSet::new();
        std::iter::once(&self.owner).chain(&self.members).filter(move |member| seen.insert(*member))
    }
}

impl Groups {
    /// Creates a group: one call with as many people as it takes, and further calls for the others.
    pub async fn create(&self, request: &Request, new: NewGroup) -> Result<Outcome<Created>, Error> {
        let mut faults = new.faults();
        if new.scenario.is_some() {
            faults.extend(twins::unnamed(&request.app, "members", &new.members));
            faults.extend(twins::untold(&request.app, "settings", &new.settings));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let (create, add) = (twins::of(&request.app, new.spec()), twins::of(&request.app, new.add_spec()));
        if request.validate_only {
            let (_, rest) = new.first_and_rest(&request.app);
            let calls =
                [vec![PlannedCall::once(create)], PlannedCall::chunked(&request.app, add, rest.len())];
            return Ok(Outcome::Planned(calls.concat()));
        }
        self.create_with_everybody(request, new).await.map(Outcome::Done)
    }

    async fn create_with_everybody(&self, request: &Request, new: NewGroup) -> Result<Created, Error> {
        let (first, rest) = new.first_and_rest(&request.app);
        let (group_ref, path) = match &new.scenario {
            None => self.create_ordinary(request, &new, &first).await?,
            Some(scenario) => self.create_scenario(request, &new, scenario, &first).await?,
        };
        self.directory.learn(&request.app, &group_ref);
        if let Path::Scenario(open_id) = &path {
            self.directory.created(&request.app, open_id);
        }
        // From here on the group is there, and no error may hide it.
        let added = match self.change_members(request, &path, &rest, Way::In).await {
            Ok(verdicts) => verdicts,
            Err(error) => rest.into_iter().map(|member| (member, Verdict::Failed(error.clone()))).collect(),
        };
        self.touched(&request.app, &group_ref);
        let late = added.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Applied)).count();
        let mut added: HashMap<Member, Verdict> = added.into_iter().collect();
        let verdict = |member: &Member| (member.clone(), added.remove(member).unwrap_or(Verdict::Applied));
        let verdicts = new.members.iter().map(verdict).collect();
        let group = Group {
            group_ref,
            member_count: Some(first.len() + late),
            title: Some(new.title),
            owner: Some(new.owner),
            icon: new.icon,
            settings: new.settings,
            admins: new.scenario.as_ref().map(|scenario| scenario.admins.clone()).unwrap_or_default(),
            template_id: new.scenario.map(|scenario| scenario.template_id),
            state: Some(State::Active),
            join_url: None,
        };
        Ok(Created { group, verdicts })
    }

    async fn create_ordinary(
        &self,
        request: &Request,
        new: &NewGroup,
        members: &[Member],
    ) -> Result<(GroupRef, Path), Error> {
        let (user_ids, union_ids) = split(members.iter().cloned());
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
        let reply = self.send_create(request, endpoint).await?;
        let path = Path::Ordinary(reply.chatid.clone());
        let group_ref = GroupRef {
            open_conversation_id: Some(reply.open_conversation_id),
            chat_id: Some(reply.chatid),
            kind: Some(Kind::from_tag(reply.conversation_tag).unwrap_or(new.kind)),
        };
        Ok((group_ref, path))
    }

    async fn create_scenario(
        &self,
        request: &Request,
        new: &NewGroup,
        scenario: &Scenario,
        members: &[Member],
    ) -> Result<(GroupRef, Path), Error> {
        let Member::User(owner_user_id) = &new.owner else { return Err(Error::Invalid(new.faults())) };
        let (user_ids, _) = split(members.iter().cloned());
        let (admin_ids, _) = split(scenario.admins.iter().cloned());
        // By it DingTalk recognises a repeat; without a request_id nobody will repeat this request.
        let uuid = request.request_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let endpoint = scene::CreateGroup {
            title: &new.title,
            template_id: &scenario.template_id,
            owner_user_id,
            admin_ids: &admin_ids,
            user_ids: &user_ids,
            icon: new.icon.as_ref(),
            uuid: &uuid,
            management_options: (new.settings != Settings::default())
                .then(|| new.settings.to_scene_options()),
        };
        let reply = self.send_scene_create(request, endpoint).await?;
        let path = Path::Scenario(reply.open_conversation_id.clone());
        let group_ref = GroupRef {
            open_conversation_id: Some(reply.open_conversation_id),
            chat_id: reply.chat_id,
            kind: Some(Kind::Scenario),
        };
        Ok((group_ref, path))
    }
}

impl NewGroup {
    fn spec(&self) -> &'static Spec {
        if self.scenario.is_some() { scene::CreateGroup::SPEC } else { CreateGroup::SPEC }
    }

    fn add_spec(&self) -> &'static Spec {
        if self.scenario.is_some() { scene::AddMembers::SPEC } else { UpdateGroup::SPEC }
    }

    /// Those who fit into the call that creates the group, and those who follow. A scenario group begins with
    /// employees only.
    fn first_and_rest(&self, app: &App) -> (Vec<Member>, Vec<Member>) {
        let most = app.chunk_size(twins::of(app, self.spec()));
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        for member in self.everyone().cloned() {
            let fits = first.len() < most && (self.scenario.is_none() || matches!(member, Member::User(_)));
            if fits { first.push(member) } else { rest.push(member) }
        }
        (first, rest)
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
