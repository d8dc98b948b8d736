//! Which two ids are one group, and of which kind it is: learned from DingTalk's answers, never from callers.

use std::time::Duration;

use moka::sync::Cache;

use super::{
    Groups, Request,
    error::{Error, Fault},
    model::{GroupRef, Kind, Member},
};
use crate::{
    dingtalk::App,
    operation::id::{ChatId, OpenConversationId},
};

/// Groups remembered at most; a forgotten one costs one read.
const CAPACITY: u64 = 100_000;
/// How long DingTalk may not yet know of a group that it has created.
const NEW: Duration = Duration::from_secs(60);

/// The directory of all apps. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    by_chat_id: Cache<(String, ChatId), GroupRef>,
    by_open_id: Cache<(String, OpenConversationId), GroupRef>,
    new: Cache<(String, OpenConversationId), ()>,
    robots: Cache<(String, OpenConversationId, Member), ()>,
}

impl Directory {
    pub(super) fn new() -> Self {
        let new = Cache::builder().max_capacity(CAPACITY).time_to_live(NEW).build();
        let (by_chat_id, by_open_id) = (Cache::new(CAPACITY), Cache::new(CAPACITY));
        Self { by_chat_id, by_open_id, new, robots: Cache::new(CAPACITY) }
    }

    /// Remembers for a while that the group was just created.
    pub(super) fn created(&self, app: &App, id: &OpenConversationId) {
        self.new.insert((app.alias().to_owned(), id.clone()), ());
    }

    /// Whether this gateway created the group less than a minute ago.
    pub(super) fn is_new(&self, app: &App, id: &OpenConversationId) -> bool {
        self.new.contains_key(&(app.alias().to_owned(), id.clone()))
    }

    /// Remembers what DingTalk said, over what was known before.
    pub(super) fn learn(&self, app: &App, said: &GroupRef) {
        let known = self.known(app, said);
        let merged = GroupRef {
            open_conversation_id: said.open_conversation_id.clone().or(known.open_conversation_id),
            chat_id: said.chat_id.clone().or(known.chat_id),
            kind: said.kind.or(known.kind),
        };
        if let Some(id) = &merged.chat_id {
            self.by_chat_id.insert((app.alias().to_owned(), id.clone()), merged.clone());
        }
        if let Some(id) = &merged.open_conversation_id {
            self.by_open_id.insert((app.alias().to_owned(), id.clone()), merged.clone());
        }
    }

    /// The kind of a group may have changed: it is learned anew.
    pub(super) fn forget_kind(&self, app: &App, id: &OpenConversationId) {
        let by_id = GroupRef { open_conversation_id: Some(id.clone()), ..GroupRef::default() };
        let Some(known) = self.of_open_id(app, &by_id) else { return };
        let app = app.alias().to_owned();
        let unsure = GroupRef { kind: None, ..known };
        if let Some(chat_id) = &unsure.chat_id {
            self.by_chat_id.insert((app.clone(), chat_id.clone()), unsure.clone());
        }
        self.by_open_id.insert((app, id.clone()), unsure);
    }

    /// The fullest handle known. A handle that contradicts itself is refused; `field` is where it stands.
    pub(super) fn complete(&self, app: &App, given: &GroupRef, field: &str) -> Result<GroupRef, Error> {
        let by_chat_id = self.of_chat_id(app, given).unwrap_or_default();
        let by_open_id = self.of_open_id(app, given).unwrap_or_default();
        let mut faults = Vec::new();
        let known_open_id = by_chat_id.open_conversation_id.or(by_open_id.open_conversation_id);
        let known_chat_id = by_open_id.chat_id.or(by_chat_id.chat_id);
        if differ(&given.open_conversation_id, &known_open_id) || differ(&given.chat_id, &known_chat_id) {
            let field = format!("{field}.chat_id");
            faults.push(Fault::new(field, "belongs to another group than open_conversation_id"));
        }
        let known_kind = by_chat_id.kind.or(by_open_id.kind);
        if let Some(kind) = known_kind.filter(|kind| given.kind.is_some_and(|given| given != *kind)) {
            faults.push(Fault::new(
                format!("{field}.kind"),
                format!("is wrong: this is a group of kind {kind}"),
            ));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        Ok(GroupRef {
            open_conversation_id: given.open_conversation_id.clone().or(known_open_id),
            chat_id: given.chat_id.clone().or(known_chat_id),
            kind: given.kind.or(known_kind),
        })
    }

    /// Whether DingTalk has said which newer id belongs to the chat id.
    pub(super) fn knows_both_ids(&self, app: &App, group: &GroupRef) -> bool {
        self.of_chat_id(app, group).is_some_and(|known| known.open_conversation_id.is_some())
    }

    /// Remembers that this member of a scenario group is a robot.
    pub(super) fn learn_robot(&self, app: &App, group: &OpenConversationId, robot: &Member) {
        self.robots.insert((app.alias().to_owned(), group.clone(), robot.clone()), ());
    }

    /// Whether DingTalk has called this member of a scenario group a robot.
    pub(super) fn is_robot(&self, app: &App, group: &OpenConversationId, member: &Member) -> bool {
        self.robots.contains_key(&(app.alias().to_owned(), group.clone(), member.clone()))
    }

    fn known(&self, app: &App, group: &GroupRef) -> GroupRef {
        self.of_chat_id(app, group).or_else(|| self.of_open_id(app, group)).unwrap_or_default()
    }

    fn of_chat_id(&self, app: &App, group: &GroupRef) -> Option<GroupRef> {
        let id = group.chat_id.as_ref()?;
        self.by_chat_id.get(&(app.alias().to_owned(), id.clone()))
    }

    fn of_open_id(&self, app: &App, group: &GroupRef) -> Option<GroupRef> {
        let id = group.open_conversation_id.as_ref()?;
        self.by_open_id.get(&(app.alias().to_owned(), id.clone()))
    }
}

fn differ<T: PartialEq>(given: &Option<T>, known: &Option<T>) -> bool {
    matches!((given, known), (Some(given), Some(known)) if given != known)
}

/// By which of its ids, and so by which operations, a group is reached.
#[derive(Debug, Clone)]
pub(super) enum Path {
    /// Internal and standard groups.
    Ordinary(ChatId),
    /// Scenario groups.
    Scenario(OpenConversationId),
}

impl GroupRef {
    /// The way to the group. Where the kind is not known, the id decides that is given: DingTalk's operations on
    /// ordinary groups want the chat id, those on scenario groups the other one.
    fn path(&self) -> Result<Path, Error> {
        match (self.kind, &self.chat_id, &self.open_conversation_id) {
            (Some(Kind::Internal | Kind::Standard) | None, Some(chat_id), _) => {
                Ok(Path::Ordinary(chat_id.clone()))
            }
            (Some(Kind::Scenario) | None, _, Some(open_id)) => Ok(Path::Scenario(open_id.clone())),
            _ => Err(Error::ChatIdUnknown),
        }
    }
}

impl Groups {
    /// The fullest handle of a group, and the way to it. Costs a call where a scenario group is named by its chat id
    /// for the first time. `field` is where the handle stands in the request.
    pub(super) async fn reach(
        &self,
        request: &Request,
        group: &GroupRef,
        field: &str,
    ) -> Result<(GroupRef, Path), Error> {
        let mut handle = self.directory.complete(&request.app, group, field)?;
        if handle.kind == Some(Kind::Scenario) && handle.open_conversation_id.is_none() {
            handle = self.convert(request, &handle).await?;
        }
        let path = handle.path()?;
        Ok((handle, path))
    }

    /// The newer id of a group, for operations that know groups of every kind by it. Costs a call where the group
    /// is named by its chat id for the first time.
    pub(super) async fn reach_open_id(
        &self,
        request: &Request,
        group: &GroupRef,
    ) -> Result<OpenConversationId, Error> {
        let known = self.directory.complete(&request.app, group, "group")?;
        let handle = match known.open_conversation_id {
            Some(_) => known,
            None => self.convert(request, &known).await?,
        };
        Ok(handle.open_conversation_id.expect("a resolved handle has it"))
    }
}
