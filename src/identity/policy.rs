//! What each caller may do: the configuration, turned into what is asked of it for every RPC.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use foldhash::HashMap;

use super::{
    config::{AuthConfig, CallerConfig, Cap, Mode},
    methods::{METHODS, Method},
};

/// Who a proof says calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// A name of the tokens file.
    Static(String),
    /// The subject of a token, of this issuer or of any.
    Subject(Option<String>, String),
    /// A name in a client certificate that is a URI.
    Uri(String),
    /// A name in a client certificate that is a DNS name, in lower case.
    Dns(String),
}

impl Identity {
    /// An identity of the configuration. What begins with an issuer and # is for no other issuer, which could otherwise
    /// give somebody a subject of that spelling.
    pub(super) fn parse<'a>(text: &str, issuers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (kind, value) = text.split_once(':').filter(|(_, value)| !value.is_empty())?;
        Some(match kind {
            "static" => Identity::Static(value.to_owned()),
            "jwt" => {
                let qualified =
                    |issuer: &'a str| Some((issuer, value.strip_prefix(issuer)?.strip_prefix('#')?));
                match issuers.into_iter().find_map(qualified) {
                    Some((issuer, subject)) => Identity::Subject(Some(issuer.to_owned()), subject.to_owned()),
                    None => Identity::Subject(None, value.to_owned()),
                }
            }
            "mtls" if value.contains(':') => Identity::Uri(value.to_owned()),
            "mtls" => Identity::Dns(value.to_ascii_lowercase()),
            _ => return None,
        })
    }

    /// The way in which it is proven.
    pub(super) fn mode(&self) -> Mode {
        match self {
            Identity::Static(_) => Mode::Static,
            Identity::Subject(..) => Mode::Jwt,
            Identity::Uri(_) | Identity::Dns(_) => Mode::Mtls,
        }
    }
}

/// Who calls, as far as that is certain. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Known {
    /// What this caller may do.
    pub grant: Arc<Grant>,
    /// By which of its identities it is known, as in the configuration.
    pub identity: Arc<str>,
}

/// What a caller may do.
#[derive(Debug)]
pub struct Grant {
    /// The caller's name.
    pub name: Arc<str>,
    /// Its turns for one turn of a caller with a share of 1.
    pub share: u32,
    /// Whether it goes after the others, whatever it says.
    pub batch_only: bool,
    /// None: all.
    apps: Option<BTreeSet<String>>,
    /// By the places of the methods.
    rpcs: Box<[bool]>,
    /// None: all.
    groups: Option<HashSet<String>>,
}

impl Grant {
    fn new(name: &str, caller: &CallerConfig) -> Self {
        let every = caller.apps.iter().any(|app| app == "*");
        let covered = |method: &Method| caller.rpcs.iter().any(|pattern| method.is_covered_by(pattern));
        Self {
            name: name.into(),
            share: caller.share,
            batch_only: caller.priority == Cap::Batch,
            apps: (!every).then(|| caller.apps.iter().cloned().collect()),
            rpcs: METHODS.iter().map(covered).collect(),
            groups: (!caller.groups.is_empty()).then(|| caller.groups.iter().cloned().collect()),
        }
    }

    /// Whether it may make this RPC at all.
    pub fn may_call(&self, method: &Method) -> bool {
        self.rpcs[method.place]
    }

    /// Whether it may use the app of this alias, be there one or not.
    pub fn may_use(&self, app: &str) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }

    /// Whether it may use some groups only.
    pub fn is_filtered(&self) -> bool {
        self.groups.is_some()
    }

    /// The ids of the groups that it may name; none: all.
    pub fn groups(&self) -> Option<impl Iterator<Item = &str>> {
        self.groups.as_ref().map(|groups| groups.iter().map(String::as_str))
    }

    /// Whether it may name a group by this id, be there one or not.
    pub fn may_reach(&self, group: &str) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.contains(group))
    }
}

/// All callers by their identities.
#[derive(Debug)]
pub(super) struct Policy(HashMap<Identity, Known>);

impl Policy {
    /// Takes a configuration without faults.
    pub(super) fn new(config: &AuthConfig) -> Self {
        let mut known = HashMap::default();
        for (key, caller) in &config.callers {
            let grant = Arc::new(Grant::new(caller.name(key), caller));
            for text in &caller.identities {
                if let Ok(identity) = config.identity(text) {
                    known.insert(identity, Known { grant: grant.clone(), identity: text.as_str().into() });
                }
            }
        }
        Self(known)
    }

    /// The caller with this identity.
    pub(super) fn find(&self, identity: &Identity) -> Option<&Known> {
        self.0.get(identity)
    }

    /// The caller with this subject of this issuer.
    pub(super) fn of_token(&self, issuer: &str, subject: &str) -> Option<&Known> {
        let of = |issuer| self.find(&Identity::Subject(issuer, subject.to_owned()));
        of(Some(issuer.to_owned())).or_else(|| of(None))
    }
}
