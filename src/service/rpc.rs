//! What every RPC starts with: how long it may take, what it has cost, and for which app it works.

use std::sync::Arc;

use foldhash::HashMap;
use tonic::{Request, Status};

use super::{
    audit::Entry,
    caller::Caller,
    check::{Check, Violations},
    convert,
    status::{self, Subject},
    write::Failure,
};
use crate::{
    dingtalk::{App, Context, Reason},
    group::{self, Outcome, Verdict, Verdicts, is_complete},
    pb::group as pb,
};

/// The apps. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Apps {
    /// In the order of their aliases.
    all: Arc<[App]>,
    /// Asked in every call, where an order would be a dozen names to compare of a thousand.
    by_alias: Arc<HashMap<Arc<str>, App>>,
}

impl Apps {
    /// Aliases are unique: the configuration has been checked.
    pub fn new(apps: impl IntoIterator<Item = App>) -> Self {
        let mut all: Vec<App> = apps.into_iter().collect();
        all.sort_by(|a, b| a.alias().cmp(b.alias()));
        let by_alias = all.iter().map(|app| (app.name(), app.clone())).collect();
        Self { all: all.into(), by_alias: Arc::new(by_alias) }
    }

    /// All of them, in the order of their aliases.
    pub fn iter(&self) -> impl Iterator<Item = &App> {
        self.all.iter()
    }

    /// Takes over secrets that were read again, for the apps that are still the same.
    pub fn renew_secrets(&self, read: &[App]) {
        for app in read {
            let same = self.by_alias.get(app.alias()).filter(|known| known.app_key() == app.app_key());
            if let Some(known) = same {
                known.renew_secret(app);
            }
        }
    }

    /// Those that this caller may use, by alias.
    pub(super) fn of<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a App> {
        self.iter().filter(|app| caller.may_use(app.alias()))
    }

    /// The app of this alias; of no alias, the only one that the caller may use.
    fn find(&self, alias: &str, caller: &Caller) -> Result<App, group::Fault> {
        let fault = |text: &str| group::Fault::new("app", text);
        if !alias.is_empty() {
            return self.by_alias.get(alias).cloned().ok_or_else(|| fault("is not an app of this gateway"));
        }
        let mut usable = self.of(caller);
        match (usable.next(), usable.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => Err(fault("is required: there are several apps")),
        }
    }
}

/// What the layers know of a request that they let through. One extension of it and not three, because each takes memory
/// and a place of its own in every call.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) context: Context,
    pub(super) caller: Caller,
    /// None where the RPC is not audited.
    pub(super) entry: Option<Entry>,
}

/// An RPC whose request is being examined. In a box, because it is handed on several times and half a kilobyte long.
pub(super) struct Rpc<M> {
    pub(super) message: M,
    pub(super) faults: Violations,
    context: Context,
    caller: Caller,
    entry: Option<Entry>,
    app: Result<App, group::Fault>,
    alias: Arc<str>,
}

/// The fields that all requests have. Implemented by code that build.rs generates from the protos.
pub(super) trait Common {
    /// `app`.
    fn app(&self) -> &str;
    /// `request_id`; empty for reads.
    fn request_id(&self) -> &str {
        ""
    }
    /// `validate_only`; false for reads.
    fn validate_only(&self) -> bool {
        false
    }
    /// Every handle of a group that the request holds, wherever it stands.
    fn groups(&self) -> Vec<&pb::GroupRef> {
        Vec::new()
    }
    /// Whether the RPC works on groups, rather than on the app.
    const ON_GROUPS: bool;
    /// How many people it names; none where it names them one by one, or nobody.
    fn members(&self) -> Option<usize> {
        None
    }
    /// An id of the group the RPC is about, for error details.
    fn group(&self) -> Option<&str> {
        None
    }
    /// The id of the owner it names, for error details.
    fn owner(&self) -> Option<&str> {
        None
    }
    /// The field with the people it names, for error details.
    fn people(&self) -> &'static str {
        ""
    }
    /// What else it can name, for error details: the kinds of `errors.json`, each with an id, empty if it does not.
    fn resources(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// A request that changes something. Implemented by generated code too.
pub(super) trait Write: Common {
    /// The full name of its RPC.
    const RPC: &'static str;
    /// What is asked for, whatever the `request_id`: the same bytes at every replica.
    fn payload(&self) -> Vec<u8>;
}

/// The answer of an RPC that does something to many members, whatever its message is called.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    pub(super) complete: bool,
    pub(super) member_results: Vec<pb::MemberResult>,
    pub(super) planned_calls: Vec<pb::PlannedCall>,
}

impl<M: Check + Common> Rpc<M> {
    /// Refuses callers who may not use the app or name the groups of the request; then checks the rules of single
    /// fields. Further faults may be added before [`Rpc::admit`].
    pub(super) fn new(apps: &Apps, request: Request<M>) -> Result<Box<Self>, Status> {
        let rpc = Self::for_app(apps, request)?;
        rpc.caller.may_reach_all(&rpc.message)?;
        Ok(rpc)
    }

    /// The same for an RPC that answers for each of its groups by itself, and has to ask [`Rpc::may_reach`] of each.
    pub(super) fn for_app(apps: &Apps, mut request: Request<M>) -> Result<Box<Self>, Status> {
        // Without it there is no deadline to keep, and nobody to answer to.
        let admitted = request.extensions_mut().remove::<Admitted>();
        let Admitted { mut context, caller, entry } = admitted.ok_or_else(no_context)?;
        context.claimant = caller.claimant.clone();
        // What is on its way to DingTalk outlives the RPC whose caller leaves.
        context.witness = entry.clone().map(|entry| Arc::new(entry) as _);
        let message = request.into_inner();
        if let Some(entry) = &entry {
            entry.asks(&message);
        }
        let alias = Arc::from(message.app());
        caller.may_name(&alias)?;
        let faults = Violations::of(&message);
        let app = apps.find(&alias, &caller);
        if let Ok(app) = &app {
            context.stats.works_for(app);
        }
        Ok(Box::new(Self { message, faults, context, caller, entry, app, alias }))
    }

    /// Who calls.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Goes on if the caller may name this group.
    pub(super) fn may_reach(&self, group: &pb::GroupRef) -> Result<(), Status> {
        self.caller.may_reach(&self.alias, group)
    }

    /// Goes on without faults, or ends with all of them.
    pub(super) fn admit(&mut self) -> Result<group::Request, Status> {
        let mut faults = std::mem::take(&mut self.faults);
        let app = match &self.app {
            Ok(app) => Some(app.clone()),
            Err(fault) => {
                faults.extend(vec![fault.clone()]);
                None
            }
        };
        faults.into_result().map_err(|error| self.failed(error))?;
        let app = app.ok_or_else(|| status::plain(Reason::GatewayInternal, "no app"))?;
        self.alias = app.name();
        let request_id = Some(self.message.request_id()).filter(|id| !id.is_empty()).map(ToOwned::to_owned);
        Ok(group::Request {
            context: self.context.clone(),
            app,
            request_id,
            validate_only: self.message.validate_only(),
        })
    }

    /// What the audit log says of it, for work that outlives the RPC.
    pub(super) fn witness(&self) -> Option<Entry> {
        self.entry.clone()
    }

    /// A group has come of it.
    pub(super) fn made(&self, group: &Option<pb::GroupRef>) {
        if let (Some(entry), Some(group)) = (&self.entry, group) {
            entry.made(group);
        }
    }

    /// The failure of a job.
    pub(super) fn failed(&self, error: group::Error) -> Failure {
        if error.reason() == Reason::OutcomeUnknown {
            self.context.stats.leaves_outcome_unknown();
        }
        Failure { status: status::of(&self.subject(), &error), is_final: error.is_final() }
    }

    /// The same inside a message, for one of several.
    pub(super) fn failed_in_body(&self, error: &group::Error) -> tonic_types::pb::Status {
        status::in_body(&status::of(&self.subject(), error))
    }

    /// What a job on many members answers.
    pub(super) fn bulk(&self, outcome: Result<Outcome<Verdicts>, group::Error>) -> Result<Bulk, Failure> {
        Ok(match outcome.map_err(|error| self.failed(error))? {
            Outcome::Done(verdicts) => Bulk {
                complete: is_complete(&verdicts),
                member_results: self.results(verdicts),
                planned_calls: Vec::new(),
            },
            Outcome::Planned(calls) => Bulk { planned_calls: convert::planned(calls), ..Default::default() },
        })
    }

    /// What became of each member.
    pub(super) fn results(&self, verdicts: Verdicts) -> Vec<pb::MemberResult> {
        if let Some(entry) = &self.entry {
            entry.counts(verdicts.iter().map(|(_, verdict)| match verdict {
                Verdict::Applied => "applied",
                Verdict::Already => "already",
                Verdict::Failed(_) => "failed",
                Verdict::NotAttempted => "not_attempted",
                Verdict::Unknown(_) => "unknown",
            }));
        }
        let result = |(member, verdict)| {
            let (outcome, error) = match verdict {
                Verdict::Applied => (pb::MemberOutcome::Applied, None),
                Verdict::Already => (pb::MemberOutcome::Already, None),
                Verdict::Failed(error) => (pb::MemberOutcome::Failed, Some(error)),
                Verdict::NotAttempted => (pb::MemberOutcome::NotAttempted, None),
                Verdict::Unknown(error) => (pb::MemberOutcome::Unknown, Some(error)),
            };
            let status = error.map(|error| self.failed_in_body(&error));
            pb::MemberResult { r#ref: Some(convert::member_to_pb(member)), outcome: outcome.into(), status }
        };
        verdicts.into_iter().map(result).collect()
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            app: &self.alias,
            group: self.message.group(),
            owner: self.message.owner(),
            people: self.message.people(),
            resources: self.message.resources(),
        }
    }
}

/// A request that the layers did not look at.
pub(super) fn no_context() -> Status {
    status::plain(Reason::GatewayInternal, "the request did not come through the layers")
}

/// An id of the group for error messages, the newer one if there are two.
fn id_of(group: &Option<pb::GroupRef>) -> Option<&str> {
    let group = group.as_ref()?;
    [group.open_conversation_id.as_str(), group.chat_id.as_str()].into_iter().find(|id| !id.is_empty())
}

/// The id of a person, of either type.
fn person(member: &Option<pb::MemberRef>) -> Option<&str> {
    match member.as_ref()?.id.as_ref()? {
        pb::member_ref::Id::UserId(id) | pb::member_ref::Id::UnionId(id) => Some(id),
    }
}

/// `impl Common` for every request that names an app, `impl Write` for those with a `request_id`.
#[rustfmt::skip]
#[allow(clippy::collapsible_if, reason = "generated field by field")]
mod generated {
    use prost::Message as _;

    use super::{Common, Write, id_of, person};
    include!(concat!(env!("OUT_DIR"), "/common.rs"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> pb::MemberRef {
        pb::MemberRef { id: Some(pb::member_ref::Id::UserId("manager01".to_owned())) }
    }

    #[test]
    fn a_person_that_dingtalk_does_not_know_is_looked_for_where_the_request_names_people() {
        let create = pb::CreateGroupRequest { owner: Some(member()), ..Default::default() };
        assert_eq!((create.people(), create.owner()), ("owner", Some("manager01")));
        let create = pb::CreateGroupRequest { members: vec![member()], ..create };
        assert_eq!(create.people(), "members");

        let group = pb::Group { owner: Some(member()), ..Default::default() };
        let update = pb::UpdateGroupRequest { group: Some(group), ..Default::default() };
        assert_eq!((update.people(), update.owner()), ("group.owner", Some("manager01")));

        let params = pb::MemberParams { member: Some(member()), ..Default::default() };
        let pin = pb::PinCardRequest { member_params: vec![params], ..Default::default() };
        assert_eq!(pin.people(), "member_params");
        let pin = pb::PinCardRequest { audience: vec![member()], ..pin };
        assert_eq!(pin.people(), "audience");

        let send =
            pb::SendAssistantMessageRequest { mentions: Some(Default::default()), ..Default::default() };
        assert_eq!(send.people(), "mentions");
        let send = pb::SendAssistantMessageRequest { audience: Some(Default::default()), ..send };
        assert_eq!(send.people(), "audience");

        assert_eq!(pb::GetGroupRequest::default().people(), "");
    }
}
