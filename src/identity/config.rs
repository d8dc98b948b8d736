//! `[auth]` of the configuration, and what can be wrong with it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de};
use url::{Host, Url};

use super::{keys::KeySet, methods::pattern_fault, policy::Identity, tokens};

/// `[auth]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// How callers prove who they are.
    pub mode: Modes,
    /// Accept calls from other hosts although nobody is authenticated.
    pub insecure_allow_remote: bool,
    /// Hashed tokens in a file.
    #[serde(rename = "static")]
    pub static_tokens: StaticConfig,
    /// Issuers of JSON Web Tokens, by their place in the file.
    #[serde(default)]
    pub jwt: BTreeMap<String, IssuerConfig>,
    /// Callers, by name or by their place in the file.
    #[serde(default)]
    pub callers: BTreeMap<String, CallerConfig>,
}

/// `[auth.static]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticConfig {
    /// A line for each token; empty without the mode.
    pub tokens_file: PathBuf,
}

/// `[[auth.jwt]]` of the configuration: an issuer of tokens, and where its keys are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerConfig {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// What their `aud` has to name one of.
    pub audiences: Vec<String>,
    /// A file with its keys, or ...
    pub jwks_file: PathBuf,
    /// ... where they are fetched from.
    pub jwks_url: String,
    /// Who vouches for that host; empty: whom the system trusts.
    pub jwks_ca_file: PathBuf,
    /// A file with the bearer token that opens it; empty: none.
    pub jwks_token_file: PathBuf,
}

impl IssuerConfig {
    /// Where the keys are fetched from; none where they are in a file.
    pub(super) fn url(&self) -> Result<Option<Url>, String> {
        if self.jwks_url.is_empty() {
            return Ok(None);
        }
        let url = Url::parse(&self.jwks_url).map_err(|error| error.to_string())?;
        let is_local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() == "https" || (url.scheme() == "http" && is_local) {
            Ok(Some(url))
        } else {
            Err("must be https: whoever can change the keys can be anybody".to_owned())
        }
    }

    fn faults(&self, fault: &mut impl FnMut(&'static str, &str)) {
        if self.issuer.is_empty() {
            fault("issuer", "is missing: the iss of its tokens");
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            fault("audiences", "is missing: tokens for others must not be accepted");
        }
        match (is_empty(&self.jwks_file), self.jwks_url.is_empty()) {
            (true, true) => fault("jwks_file", "is missing: name it, or jwks_url, where the keys are"),
            (false, false) => fault("jwks_file", "has no place beside jwks_url"),
            (false, true) => {
                if let Err(text) = KeySet::of_file(&self.jwks_file) {
                    fault("jwks_file", &text);
                }
            }
            (true, false) => {
                if let Err(text) = self.url() {
                    fault("jwks_url", &text);
                }
            }
        }
        for (key, file) in [("jwks_ca_file", &self.jwks_ca_file), ("jwks_token_file", &self.jwks_token_file)]
        {
            if is_empty(file) {
                continue;
            }
            if self.jwks_url.is_empty() {
                fault(key, "is for jwks_url only");
            } else if let Err(error) = fs::metadata(file) {
                fault(key, &format!("{} cannot be read: {error}", file.display()));
            }
        }
    }
}

/// `[[auth.callers]]` of the configuration: who they are, and what they may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallerConfig {
    /// The name in logs, metrics and queues.
    pub name: String,
    /// How the caller is recognised, such as `static:orders`.
    pub identities: Vec<String>,
    /// Aliases of the apps it may use; `*` for all.
    pub apps: Vec<String>,
    /// Patterns of the RPCs it may call.
    pub rpcs: Vec<String>,
    /// Ids of the groups it may name; empty for all.
    pub groups: Vec<String>,
    /// The most urgent it may be.
    pub priority: Cap,
    /// Its turns for one turn of a caller with a share of 1.
    pub share: u32,
}

impl Default for CallerConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            identities: Vec::new(),
            apps: Vec::new(),
            rpcs: Vec::new(),
            groups: Vec::new(),
            priority: Cap::Interactive,
            share: 1,
        }
    }
}

/// The most urgent that a caller may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cap {
    /// As urgent as it says.
    Interactive,
    /// After the others, whatever it says.
    Batch,
}

/// A way to prove who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Mode {
    /// A client certificate.
    Mtls,
    /// A token of an issuer.
    Jwt,
    /// A token of the tokens file.
    Static,
}

/// The ways that are accepted; none of them with `mode = "none"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes(BTreeSet<Mode>);

impl Modes {
    /// Whether everybody is let in.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this way is accepted.
    pub fn has(&self, mode: Mode) -> bool {
        self.0.contains(&mode)
    }
}

impl<'de> Deserialize<'de> for Modes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModesVisitor)
    }
}

/// Accepts one name, or a list of them.
struct ModesVisitor;

impl<'de> de::Visitor<'de> for ModesVisitor {
    type Value = Modes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a mode, or a list of names")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Modes, E> {
        of_names(&[name.to_owned()])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Modes, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            names.push(name);
        }
        of_names(&names)
    }
}

fn of_names<E: de::Error>(names: &[String]) -> Result<Modes, E> {
    if names == ["none"] {
        return Ok(Modes(BTreeSet::new()));
    }
    if names.is_empty() || names.iter().any(|name| name == "none") {
        return Err(E::custom(
            "must be \"none\" alone, or name the ways in which callers prove who they are",
        ));
    }
    let mode = |name: &String| Mode::deserialize(de::value::StrDeserializer::<E>::new(name));
    Ok(Modes(names.iter().map(mode).collect::<Result<_, E>>()?))
}

/// The keys from the root to a value, and what is wrong with it.
pub type Fault = (Vec<String>, String);

impl AuthConfig {
    /// What keeps this from being used with these apps. Reads the tokens file.
    pub fn faults(&self, apps: &BTreeSet<&str>) -> Vec<Fault> {
        let mut faults = Faults(Vec::new());
        if self.mode.is_none() {
            if !self.callers.is_empty() {
                faults.add(["mode"], "is \"none\", so that [[auth.callers]] would mean nothing");
            }
            return faults.0;
        }
        if self.callers.is_empty() {
            faults.add(["callers"], "there is none: nobody could call without an [[auth.callers]]");
        }
        if self.mode.has(Mode::Static) {
            self.tokens_faults(&mut faults);
        }
        self.issuers_faults(&mut faults);
        let (mut names, mut identities) = (BTreeSet::new(), HashMap::new());
        // The second of two with the same name is known by its place, and has the fault.
        let mut callers: Vec<_> = self.callers.iter().collect();
        callers.sort_by_key(|(key, _)| key.starts_with('#'));
        for (key, caller) in callers {
            let mut fault = |field, text: &str| faults.add(["callers", key.as_str(), field], text);
            let name = caller.name(key);
            if !is_name(name) {
                fault("name", "must be 1 to 63 of a-z, 0-9, -, _ and .: it is the name in logs and metrics");
            } else if !names.insert(name) {
                fault("name", "is another caller's name already");
            }
            caller.faults(apps, &mut fault);
            for text in &caller.identities {
                match self.identity(text) {
                    Err(text) => fault("identities", &text),
                    Ok(identity) => {
                        if let Some(other) = identities.insert(identity, name) {
                            fault("identities", &format!("`{text}` is known as {other} already"));
                        }
                    }
                }
            }
        }
        faults.0
    }

    fn tokens_faults(&self, faults: &mut Faults) {
        let file = &self.static_tokens.tokens_file;
        let mut fault = |text: &str| faults.add(["static", "tokens_file"], text);
        if is_empty(file) {
            return fault("is missing: name the file with the lines that `dinggate token NAME` prints");
        }
        if let Err(text) = tokens::Tokens::read(file) {
            fault(&text);
        }
    }

    fn issuers_faults(&self, faults: &mut Faults) {
        let has = self.mode.has(Mode::Jwt);
        if has && self.jwt.is_empty() {
            faults.add(["jwt"], "there is none: no token could be verified without an [[auth.jwt]]");
        }
        if !has && !self.jwt.is_empty() {
            faults.add(["mode"], "does not have jwt, so that [[auth.jwt]] would mean nothing");
        }
        let mut names = BTreeSet::new();
        for (key, issuer) in &self.jwt {
            let mut fault = |field, text: &str| faults.add(["jwt", key.as_str(), field], text);
            if !names.insert(&issuer.issuer) {
                fault("issuer", "is that of another [[auth.jwt]] already");
            }
            issuer.faults(&mut fault);
        }
    }

    /// An identity of a caller, or what is wrong with it.
    pub(super) fn identity(&self, text: &str) -> Result<Identity, String> {
        let issuers = self.jwt.values().map(|issuer| issuer.issuer.as_str());
        let Some(identity) = Identity::parse(text, issuers) else {
            return Err(format!("`{text}` is no identity: write jwt:SUBJECT, mtls:NAME or static:NAME"));
        };
        let mode = identity.mode();
        if self.mode.has(mode) {
            return Ok(identity);
        }
        Err(format!("`{text}` cannot be proven: auth.mode does not have {}", <&str>::from(mode)))
    }
}

impl CallerConfig {
    /// The stated name, or else that of the variable it was set by.
    pub(super) fn name<'a>(&'a self, key: &'a str) -> &'a str {
        if self.name.is_empty() && !key.starts_with('#') { key } else { &self.name }
    }

    fn faults(&self, apps: &BTreeSet<&str>, fault: &mut impl FnMut(&'static str, &str)) {
        if self.identities.is_empty() {
            fault("identities", "is missing: nobody would be this caller");
        }
        if self.apps.is_empty() {
            fault("apps", "is missing: name the aliases of its apps, or \"*\" for all");
        }
        for app in self.apps.iter().filter(|app| *app != "*" && !apps.contains(app.as_str())) {
            fault("apps", &format!("`{app}` is not the alias of an app"));
        }
        if self.rpcs.is_empty() {
            fault("rpcs", "is missing: name the RPCs it may call");
        }
        for text in self.rpcs.iter().filter_map(|pattern| pattern_fault(pattern)) {
            fault("rpcs", &text);
        }
        if self.groups.iter().any(String::is_empty) {
            fault("groups", "must not hold an empty id");
        }
        if !self.groups.is_empty() && self.rpcs.iter().any(|rpc| rpc == "TokenService/GetAccessToken") {
            fault("groups", "would mean nothing: an access token reaches every group of the app");
        }
        if self.share == 0 {
            fault("share", "must be at least 1");
        }
    }
}

/// Faults below `auth`.
struct Faults(Vec<Fault>);

impl Faults {
    fn add<const N: usize>(&mut self, path: [&str; N], text: &str) {
        let path = ["auth"].into_iter().chain(path).map(ToOwned::to_owned).collect();
        self.0.push((path, text.to_owned()));
    }
}

/// As a label of metrics, and in a variable's name.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

/// A setting that is a path and has not been set.
pub(super) fn is_empty(file: &Path) -> bool {
    file.as_os_str().is_empty()
}
