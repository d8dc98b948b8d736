//! The state of the simulated DingTalk and its rules, in no wire format: both HTTP faces call the same functions.

mod cards;
mod changes;
mod clock;
mod group;
mod groups;
mod messages;
mod roles;
mod scenes;
mod settings;
mod templates;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

pub(crate) use self::cards::CardPlace;
pub use self::changes::GroupChange;
pub(crate) use self::changes::{Change, Person, What};
use self::clock::Clock;
pub use self::group::{Group, Message, Mute, OwnerKind, PinnedCard};
pub(crate) use self::group::{MemberChange, People};
pub(crate) use self::groups::{CreateGroup, INTERNAL, UpdateGroup};
pub(crate) use self::messages::{Audience, ReadersQuery, SendMessage};
pub(crate) use self::roles::GroupKey;
pub(crate) use self::scenes::{CreateScene, UpdateScene};
pub use self::settings::Settings;
pub(crate) use self::settings::{SceneSettingsPatch, SettingsPatch};
use self::tokens::Tokens;
use crate::seed::{ExternalContact, Organization, Rules, Seed, Template, User};

/// Everything the simulated DingTalk knows.
#[derive(Debug)]
pub(crate) struct World {
    corps: HashMap<String, Corp>,
    apps: BTreeMap<String, App>,
    tokens: Tokens,
    groups: HashMap<String, Group>,
    chatids: HashMap<String, String>,
    groups_created: u64,
    /// By app and `uuid`: the chatid of the scenario group and when it was created.
    uuids: HashMap<(String, String), (String, i64)>,
    /// Cards in one-to-one chats, by robot code and person.
    chat_cards: BTreeMap<String, Vec<PinnedCard>>,
    /// What apps have not been told yet.
    changes: Vec<Change>,
    clock: Clock,
    rules: Rules,
}

#[derive(Debug)]
struct Corp {
    users: HashMap<String, User>,
    external_contacts: HashMap<String, ExternalContact>,
    templates: Vec<Template>,
}

struct App {
    corp_id: String,
    secret: String,
    permissions: BTreeSet<String>,
    standard_groups: bool,
    /// What pushes call it.
    unified_app_id: String,
    /// The types of events that are pushed to it; all of them if there is no list.
    events: Option<BTreeSet<String>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("corp_id", &self.corp_id).finish_non_exhaustive()
    }
}

/// The app a request speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) app_key: String,
    pub(crate) corp_id: String,
}

/// A token as answered by a token endpoint.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) seconds: u64,
}

/// Why the world does not do what it was asked; each face has its own code for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    WrongSecret,
    CorpUnknown,
    GroupUnknown,
    GroupDisbanded,
    UserUnknown(String),
    ContactUnknown(String),
    OwnerInvisible,
    OwnerNotMember,
    UserNotInGroup,
    AlreadyMember(String),
    NobodyNamed,
    /// The owner, or an admin, cannot have that.
    OwnerProtected,
    TooManyAdmins,
    /// A value that cannot be, by its wire name.
    Invalid(&'static str),
    /// A value that has to be there, by its wire name.
    Missing(&'static str),
    ReceiverUnknown(String),
    TooManyCards,
    CardTaken,
    CardUnknown,
    MessageTemplateUnknown,
    MessageNotRendered,
    VariableTwice,
    MediaUnknown,
    MessageUnknown,
    TooManyAtOnce(usize),
    GroupFull,
    AddedAndRemoved(String),
    ContactAddedAndRemoved(String),
    StandardNotAllowed,
    ContactsNotAllowed,
    /// An openConversationId that is none.
    IdUndecodable,
    GroupForeign,
    GroupNotReady,
    NoTemplate,
    TemplateForeign,
    TemplateUnknown,
    TemplateNotInGrayList,
    TemplateAppNotInstalled,
    TemplateOfOtherOrganization,
    UuidRepeated,
    CoolAppUnknown,
    RobotUnknown,
    RobotDisabled,
    RobotNotInGroup,
    PageUnknown,
    TextForbidden,
}

impl World {
    pub(crate) fn new(seed: &Seed) -> World {
        let apps =
            seed.organizations.iter().flat_map(|corp| corp.apps.iter().map(|app| (&corp.corp_id, app)));
        let apps = apps.map(|(corp_id, app)| {
            let state = App {
                corp_id: corp_id.clone(),
                secret: app.app_secret.clone(),
                permissions: app.permissions.iter().cloned().collect(),
                standard_groups: app.standard_groups,
                unified_app_id: Uuid::new_v4().to_string(),
                events: app.events.clone(),
            };
            (app.app_key.clone(), state)
        });
        World {
            corps: seed.organizations.iter().map(|corp| (corp.corp_id.clone(), Corp::new(corp))).collect(),
            apps: apps.collect(),
            tokens: Tokens::new(seed.token_lifetime()),
            groups: HashMap::new(),
            chatids: HashMap::new(),
            groups_created: 0,
            uuids: HashMap::new(),
            chat_cards: BTreeMap::new(),
            changes: Vec::new(),
            clock: Clock::start(),
            rules: seed.rules.clone(),
        }
    }

    /// The token of an app; the app must belong to `corp_id` where one is given.
    pub(crate) fn issue_token(
        &mut self,
        app_key: &str,
        secret: &str,
        corp_id: Option<&str>,
    ) -> Result<Issued, Refusal> {
        if corp_id.is_some_and(|corp_id| !self.corps.contains_key(corp_id)) {
            return Err(Refusal::CorpUnknown);
        }
        let app = self.apps.get(app_key).filter(|app| app.secret == secret).ok_or(Refusal::WrongSecret)?;
        if corp_id.is_some_and(|corp_id| corp_id != app.corp_id) {
            return Err(Refusal::WrongSecret);
        }
        Ok(self.tokens.issue(app_key))
    }

    /// Who holds this token, if it is valid.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let app_key = self.tokens.app_of(token)?;
        let app = self.apps.get(app_key)?;
        Some(Caller { app_key: app_key.to_owned(), corp_id: app.corp_id.clone() })
    }

    /// Whether the organization granted `scope` to the caller's app.
    pub(crate) fn permits(&self, caller: &Caller, scope: &str) -> bool {
        self.apps.get(&caller.app_key).is_some_and(|app| app.permissions.contains(scope))
    }

    /// Grants or revokes a permission point; false when there is no such app.
    pub(crate) fn set_permission(&mut self, app_key: &str, scope: &str, granted: bool) -> bool {
        let Some(app) = self.apps.get_mut(app_key) else { return false };
        if granted {
            app.permissions.insert(scope.to_owned());
        } else {
            app.permissions.remove(scope);
        }
        true
    }

    /// The app of this key and secret.
    pub(crate) fn app_of(&self, app_key: &str, secret: &str) -> Result<Caller, Refusal> {
        let app = self.apps.get(app_key).filter(|app| app.secret == secret).ok_or(Refusal::WrongSecret)?;
        Ok(Caller { app_key: app_key.to_owned(), corp_id: app.corp_id.clone() })
    }

    /// The organization of an app, and what pushes call the app.
    pub(crate) fn identity(&self, app_key: &str) -> Option<(&str, &str)> {
        self.apps.get(app_key).map(|app| (app.corp_id.as_str(), app.unified_app_id.as_str()))
    }

    /// The apps of an organization that want events of this type.
    pub(crate) fn subscribers(&self, corp_id: &str, event_type: &str) -> Vec<String> {
        let wants = |app: &App| app.events.as_ref().is_none_or(|types| types.contains(event_type));
        let apps = self.apps.iter().filter(|(_, app)| app.corp_id == corp_id && wants(app));
        apps.map(|(app_key, _)| app_key.clone()).collect()
    }

    /// The types of events an app wants from now on; false when there is no such app.
    pub(crate) fn subscribe(&mut self, app_key: &str, types: BTreeSet<String>) -> bool {
        let Some(app) = self.apps.get_mut(app_key) else { return false };
        app.events = Some(types);
        true
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.revoke();
    }

    /// For tokens issued from now on.
    pub(crate) fn set_token_lifetime(&mut self, lifetime: Duration) {
        self.tokens.lifetime = lifetime;
    }

    /// For scenario groups created from now on.
    pub(crate) fn set_create_lag(&mut self, lag: Duration) {
        self.rules.create_lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
    }

    /// The time since 1970.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.clock.now_ms()).unwrap_or_default())
    }

    /// What `GET /_sim/state` shows: everything but secrets and tokens.
    pub(crate) fn snapshot(&self) -> WorldSnapshot {
        let apps = self.apps.iter().map(|(app_key, app)| AppSnapshot {
            app_key: app_key.clone(),
            corp_id: app.corp_id.clone(),
            permissions: app.permissions.iter().cloned().collect(),
            standard_groups: app.standard_groups,
            has_token: self.tokens.is_held_by(app_key),
        });
        let corps = self.corps.iter().map(|(corp_id, corp)| CorpSnapshot {
            corp_id: corp_id.clone(),
            users: corp.users.len(),
            external_contacts: corp.external_contacts.len(),
            templates: corp.templates.iter().map(|template| template.template_id.clone()).collect(),
        });
        WorldSnapshot {
            apps: apps.collect(),
            organizations: corps.collect(),
            token_lifetime_ms: u64::try_from(self.tokens.lifetime.as_millis()).unwrap_or(u64::MAX),
            groups: self.groups(),
            chat_cards: self.chat_cards.clone(),
        }
    }
}

impl Corp {
    fn new(seed: &Organization) -> Corp {
        let users = seed.users.iter().map(|user| (user.user_id.clone(), user.clone()));
        let contacts =
            seed.external_contacts.iter().map(|contact| (contact.union_id.clone(), contact.clone()));
        Corp {
            users: users.collect(),
            external_contacts: contacts.collect(),
            templates: seed.templates.clone(),
        }
    }
}

/// The world as shown to people and tests.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WorldSnapshot {
    apps: Vec<AppSnapshot>,
    organizations: Vec<CorpSnapshot>,
    token_lifetime_ms: u64,
    groups: Vec<Group>,
    chat_cards: BTreeMap<String, Vec<PinnedCard>>,
}

#[derive(Debug, Clone, Serialize)]
struct AppSnapshot {
    app_key: String,
    corp_id: String,
    permissions: Vec<String>,
    standard_groups: bool,
    has_token: bool,
}

#[derive(Debug, Clone, Serialize)]
struct CorpSnapshot {
    corp_id: String,
    users: usize,
    external_contacts: usize,
    templates: Vec<String>,
}
