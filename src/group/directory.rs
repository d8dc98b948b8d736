//! Which two ids are one group, and of which kind it is: learned from DingTalk's answers, never from callers. Pairs of ids
//! and new groups are shared between replicas; a store that is not there is as one that knows nothing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka::sync::Cache;
use tracing::debug;

use super::{
    Groups, Request,
    error::{Error, Fault},
    model::{GroupRef, Kind, Member},
};
use crate::{
    dingtalk::App,
    operation::id::{ChatId, OpenConversationId},
    store::Facts,
};

/// Groups remembered at most; a forgotten one costs one read.
const CAPACITY: u64 = 100_000;
/// How long DingTalk may not yet know of a group that it has created.
const NEW: Duration = Duration::from_secs(60);
/// What is shared: under the older id the newer one, ...
const OPEN_ID_OF: &str = "open-id";
/// ... under the newer id the older one, ...
const CHAT_ID_OF: &str = "chat-id";
/// ... and that a group was just created.
const NEW_FACT: &str = "new-group";

/// What is known of a group of which nothing is known.
const NOTHING: &GroupRef = &GroupRef { open_conversation_id: None, chat_id: None, kind: None };

/// The directory of all apps. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// By [`place`]: looked up for every call, so in one piece.
    by_chat_id: Cache<String, Arc<GroupRef>>,
    by_open_id: Cache<String, Arc<GroupRef>>,
    new: Cache<(String, OpenConversationId), bool>,
    robots: Cache<(String, OpenConversationId, Member), ()>,
    facts: Arc<dyn Facts>,
}

impl Directory {
    pub(super) fn new(facts: Arc<dyn Facts>) -> Self {
        let new = Cache::builder().max_capacity(CAPACITY).time_to_live(NEW).build();
        let (by_chat_id, by_open_id) = (Cache::new(CAPACITY), Cache::new(CAPACITY));
        Self(Arc::new(Inner { by_chat_id, by_open_id, new, robots: Cache::new(CAPACITY), facts }))
    }

    /// Remembers for a while that the group was just created.
    pub(super) fn created(&self, app: &App, id: &OpenConversationId) {
        self.0.new.insert((app.alias().to_owned(), id.clone()), true);
        self.remember(key(NEW_FACT, app, &id.0), String::new(), Some(NEW));
    }

    /// Whether a replica of this gateway created the group less than a minute ago. May ask the store.
    pub(super) async fn is_new(&self, app: &App, id: &OpenConversationId) -> bool {
        match self.0.new.get(&(app.alias().to_owned(), id.clone())) {
            Some(is_new) => is_new,
            None => self.recall(key(NEW_FACT, app, &id.0)).await.is_some(),
        }
    }

    /// This gateway has disbanded the group: DingTalk not knowing it is no longer a matter of time.
    pub(super) fn disbanded(&self, app: &App, id: &OpenConversationId) {
        self.0.new.insert((app.alias().to_owned(), id.clone()), false);
    }

    /// Remembers what DingTalk said, over what was known before, and shares a pair of ids that is news.
    pub(super) fn learn(&self, app: &App, said: &GroupRef) {
        let known = self.known(app.alias(), said);
        let known = known.as_deref().unwrap_or(NOTHING);
        // Mostly it is news to nobody. Who says both ids is listened to, because one of them may have been forgotten.
        if said.ids().count() < 2 && known.says_all_of(said) {
            return;
        }
        if let (Some(open_id), Some(chat_id), true) =
            (&said.open_conversation_id, &said.chat_id, known.ids().count() < 2)
        {
            self.remember(key(OPEN_ID_OF, app, &chat_id.0), open_id.0.clone(), None);
            self.remember(key(CHAT_ID_OF, app, &open_id.0), chat_id.0.clone(), None);
        }
        self.keep(app, said, known);
    }

    /// What another replica may have learned: the other id of a group of which one is known. Asks the store.
    pub(super) async fn ask_others(&self, app: &App, group: GroupRef) -> GroupRef {
        let found = match (&group.open_conversation_id, &group.chat_id) {
            (None, Some(chat_id)) => {
                let open_id = self.recall(key(OPEN_ID_OF, app, &chat_id.0)).await;
                GroupRef { open_conversation_id: open_id.map(OpenConversationId), ..group.clone() }
            }
            (Some(open_id), None) => {
                let chat_id = self.recall(key(CHAT_ID_OF, app, &open_id.0)).await;
                GroupRef { chat_id: chat_id.map(ChatId), ..group.clone() }
            }
            _ => return group,
        };
        if found != group {
            // The kind may be the caller's word.
            let said = GroupRef { kind: None, ..found.clone() };
            self.keep(app, &said, self.known(app.alias(), &said).as_deref().unwrap_or(NOTHING));
        }
        found
    }

    async fn recall(&self, key: String) -> Option<String> {
        match self.0.facts.recall(&key).await {
            Ok(fact) => String::from_utf8(fact?.into()).ok(),
            Err(error) => {
                debug!(%error, "the other replicas cannot be asked about a group");
                None
            }
        }
    }

    /// In the background: nobody waits for it.
    fn remember(&self, key: String, fact: String, keep: Option<Duration>) {
        let facts = self.0.facts.clone();
        tokio::spawn(async move {
            if let Err(error) = facts.remember(&key, Bytes::from(fact), keep).await {
                debug!(%error, "the other replicas do not hear of a group");
            }
        });
    }

    fn keep(&self, app: &App, said: &GroupRef, known: &GroupRef) {
        let merged = Arc::new(said.clone().or(known));
        // Looking costs less than writing.
        if let Some(id) = &merged.chat_id
            && self.of_chat_id(app.alias(), &merged).as_ref() != Some(&merged)
        {
            self.0.by_chat_id.insert(place(app.alias(), &id.0), merged.clone());
        }
        if let Some(id) = &merged.open_conversation_id
            && self.of_open_id(app.alias(), &merged).as_ref() != Some(&merged)
        {
            self.0.by_open_id.insert(place(app.alias(), &id.0), merged.clone());
        }
    }

    /// The kind of a group may have changed: it is learned anew.
    pub(super) fn forget_kind(&self, app: &str, id: &OpenConversationId) {
        let by_id = GroupRef { open_conversation_id: Some(id.clone()), ..GroupRef::default() };
        let Some(known) = self.of_open_id(app, &by_id) else { return };
        let unsure = Arc::new(GroupRef { kind: None, ..GroupRef::clone(&known) });
        if let Some(chat_id) = &unsure.chat_id {
            self.0.by_chat_id.insert(place(app, &chat_id.0), unsure.clone());
        }
        self.0.by_open_id.insert(place(app, &id.0), unsure);
    }

    /// The fullest handle known. A handle that contradicts itself is refused; `field` is where it stands.
    pub(super) fn complete(&self, app: &App, given: &GroupRef, field: &str) -> Result<GroupRef, Error> {
        let (by_chat_id, by_open_id) =
            (self.of_chat_id(app.alias(), given), self.of_open_id(app.alias(), given));
        let by_chat_id = by_chat_id.as_deref().unwrap_or(NOTHING);
        let by_open_id = by_open_id.as_deref().unwrap_or(NOTHING);
        let mut faults = Vec::new();
        let known_open_id =
            by_chat_id.open_conversation_id.as_ref().or(by_open_id.open_conversation_id.as_ref());
        let known_chat_id = by_open_id.chat_id.as_ref().or(by_chat_id.chat_id.as_ref());
        if differ(given.open_conversation_id.as_ref(), known_open_id)
            || differ(given.chat_id.as_ref(), known_chat_id)
        {
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
            open_conversation_id: given.open_conversation_id.as_ref().or(known_open_id).cloned(),
            chat_id: given.chat_id.as_ref().or(known_chat_id).cloned(),
            kind: given.kind.or(known_kind),
        })
    }

    /// Whether DingTalk has said which newer id belongs to the chat id.
    pub(super) fn knows_both_ids(&self, app: &App, group: &GroupRef) -> bool {
        self.of_chat_id(app.alias(), group).is_some_and(|known| known.open_conversation_id.is_some())
    }

    /// Remembers that this member of a scenario group is a robot.
    pub(super) fn learn_robot(&self, app: &App, group: &OpenConversationId, robot: &Member) {
        self.0.robots.insert((app.alias().to_owned(), group.clone(), robot.clone()), ());
    }

    /// Whether DingTalk has called this member of a scenario group a robot.
    pub(super) fn is_robot(&self, app: &App, group: &OpenConversationId, member: &Member) -> bool {
        self.0.robots.contains_key(&(app.alias().to_owned(), group.clone(), member.clone()))
    }

    /// The group by all of its ids that are known here.
    pub(super) fn fullest(&self, app: &str, group: &GroupRef) -> GroupRef {
        let known = self.known(app, group);
        group.clone().or(known.as_deref().unwrap_or(NOTHING))
    }

    fn known(&self, app: &str, group: &GroupRef) -> Option<Arc<GroupRef>> {
        self.of_chat_id(app, group).or_else(|| self.of_open_id(app, group))
    }

    fn of_chat_id(&self, app: &str, group: &GroupRef) -> Option<Arc<GroupRef>> {
        let id = group.chat_id.as_ref()?;
        self.0.by_chat_id.get(&place(app, &id.0))
    }

    fn of_open_id(&self, app: &str, group: &GroupRef) -> Option<Arc<GroupRef>> {
        let id = group.open_conversation_id.as_ref()?;
        self.0.by_open_id.get(&place(app, &id.0))
    }
}

/// Where a fact is kept.
fn key(fact: &str, app: &App, id: &str) -> String {
    format!("{fact}/{}/{id}", app.alias())
}

/// What the directory has a group under. No alias has a slash.
fn place(app: &str, id: &str) -> String {
    [app, "/", id].concat()
}

fn differ<T: PartialEq>(given: Option<&T>, known: Option<&T>) -> bool {
    matches!((given, known), (Some(given), Some(known)) if given != known)
}

impl GroupRef {
    /// With that one's word for what it does not say itself.
    fn or(self, known: &Self) -> Self {
        Self {
            open_conversation_id: self.open_conversation_id.or_else(|| known.open_conversation_id.clone()),
            chat_id: self.chat_id.or_else(|| known.chat_id.clone()),
            kind: self.kind.or(known.kind),
        }
    }

    /// Whether that one adds nothing to it.
    fn says_all_of(&self, that: &Self) -> bool {
        fn adds<T: PartialEq>(that: &Option<T>, to: &Option<T>) -> bool {
            that.is_some() && that != to
        }
        !adds(&that.open_conversation_id, &self.open_conversation_id)
            && !adds(&that.chat_id, &self.chat_id)
            && !adds(&that.kind, &self.kind)
    }
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
    /// The group by all of its ids that are known here.
    pub fn fullest(&self, app: &str, group: &GroupRef) -> GroupRef {
        self.directory.fullest(app, group)
    }

    /// The same, after the other replicas were asked. Costs no call.
    pub async fn look_up(&self, app: &App, group: &GroupRef) -> GroupRef {
        self.directory.ask_others(app, self.fullest(app.alias(), group)).await
    }

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
        if handle.path().is_err() {
            handle = self.directory.ask_others(&request.app, handle).await;
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
