//! Who calls, how patiently, and what they may do.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;
use tonic::Status;
use tracing::debug;

use super::{rpc::Common, status};
use crate::{
    dingtalk::{Claimant, Priority},
    identity::{Authenticator, Known, Method},
    pb::group::GroupRef,
};

const CALLER: HeaderName = HeaderName::from_static("x-dinggate-caller");
const PRIORITY: HeaderName = HeaderName::from_static("x-dinggate-priority");
const WAIT: HeaderName = HeaderName::from_static("x-dinggate-wait");

/// More of a caller's name is not read. Header values that are text are ASCII.
const NAME_MAX: usize = 64;

/// Where it is known who calls. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Callers {
    /// Nobody is authenticated: callers say themselves who they are, and those who do not are one caller together. By
    /// name, the shares of those who have one; everybody else has a share of 1.
    Stated(Arc<BTreeMap<String, u32>>),
    /// Callers prove who they are.
    Authenticated(Authenticator),
}

/// Who makes an RPC.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// What decides about its place in a line.
    pub(super) claimant: Claimant,
    /// None where nobody is authenticated.
    pub(super) known: Option<Known>,
}

impl Callers {
    /// Believes what callers say.
    pub fn stated(shares: BTreeMap<String, u32>) -> Self {
        Callers::Stated(Arc::new(shares))
    }

    /// Believes proofs.
    pub fn authenticated(authenticator: Authenticator) -> Self {
        Callers::Authenticated(authenticator)
    }

    /// Who sends a request, or the refusal of somebody who cannot prove it.
    pub(super) async fn identify(
        &self,
        headers: &HeaderMap,
        leaf: Option<&CertificateDer<'_>>,
    ) -> Result<Caller, Status> {
        match self {
            Callers::Stated(shares) => Ok(Caller { claimant: stated(shares, headers), known: None }),
            Callers::Authenticated(authenticator) => match authenticator.authenticate(headers, leaf).await {
                Ok(known) => Ok(Caller { claimant: proven(&known, headers), known: Some(known) }),
                Err(refused) => {
                    debug!(%refused, "a caller is not known");
                    Err(status::unauthenticated(&refused))
                }
            },
        }
    }
}

impl Caller {
    /// Goes on if this caller may make the RPC; what is not of the contract (reflection) is for everybody who is known.
    pub(super) fn may_call(&self, method: Option<&Method>) -> Result<(), Status> {
        let (Some(known), Some(method)) = (&self.known, method) else { return Ok(()) };
        if known.grant.may_call(method) {
            return Ok(());
        }
        Err(self
            .refusal("", &format!("this caller may not call {}: ask whoever runs the gateway", method.name)))
    }
}

/// What a request may name. Refusals say nothing about whether there is such an app or group.
impl Caller {
    pub(super) fn may_use(&self, app: &str) -> bool {
        self.known.as_ref().is_none_or(|known| known.grant.may_use(app))
    }

    /// Goes on if the caller may use the app of this alias. Without one, it is found among those that it may use.
    pub(super) fn may_name(&self, app: &str) -> Result<(), Status> {
        let refusal = || self.refusal(app, "this caller may not use this app: ask whoever runs the gateway");
        if app.is_empty() || self.may_use(app) { Ok(()) } else { Err(refusal()) }
    }

    /// Goes on if every id of the group is allowed: otherwise an allowed one could lead to the group of another.
    pub(super) fn may_reach(&self, app: &str, group: &GroupRef) -> Result<(), Status> {
        let Some(known) = self.filtered() else { return Ok(()) };
        let mut ids =
            [&group.open_conversation_id, &group.chat_id].into_iter().filter(|id| !id.is_empty()).peekable();
        if ids.peek().is_some() && ids.all(|id| known.grant.may_reach(id)) {
            return Ok(());
        }
        let text = "this caller may not use this group, or not by both of the ids that are stated: name the one it \
                    was allowed, or ask whoever runs the gateway";
        Err(self.refusal(app, text))
    }

    /// Goes on if the caller may use every group that the request holds. One who may use some groups only has to name
    /// them: what names none could be about any, or about a group that is not there yet.
    pub(super) fn may_reach_all<M: Common>(&self, request: &M) -> Result<(), Status> {
        if self.filtered().is_none() || !M::ON_GROUPS {
            return Ok(());
        }
        let groups = request.groups();
        if groups.is_empty() {
            let text = "this caller may use some groups only, and this is about none of them: create groups and look \
                        at all of them as a caller without a list of groups";
            return Err(self.refusal(request.app(), text));
        }
        groups.into_iter().try_for_each(|group| self.may_reach(request.app(), group))
    }

    /// The ids of the groups that it may name; none: all.
    pub(super) fn groups(&self) -> Option<impl Iterator<Item = &str>> {
        self.known.as_ref()?.grant.groups()
    }

    fn filtered(&self) -> Option<&Known> {
        self.known.as_ref().filter(|known| known.grant.is_filtered())
    }

    fn refusal(&self, app: &str, text: &str) -> Status {
        status::not_allowed(app, &self.claimant.caller, text)
    }
}

fn stated(shares: &BTreeMap<String, u32>, headers: &HeaderMap) -> Claimant {
    let name = header(headers, &CALLER);
    let name = &name[..name.len().min(NAME_MAX)];
    Claimant {
        caller: Arc::from(name),
        share: shares.get(name).copied().unwrap_or(1),
        priority: priority(headers),
        fail_fast: fail_fast(headers),
    }
}

fn proven(known: &Known, headers: &HeaderMap) -> Claimant {
    let grant = &known.grant;
    Claimant {
        caller: grant.name.clone(),
        share: grant.share,
        priority: if grant.batch_only { Priority::Batch } else { priority(headers) },
        fail_fast: fail_fast(headers),
    }
}

fn priority(headers: &HeaderMap) -> Priority {
    match header(headers, &PRIORITY) {
        "batch" => Priority::Batch,
        _ => Priority::Interactive,
    }
}

fn fail_fast(headers: &HeaderMap) -> bool {
    header(headers, &WAIT) == "fail-fast"
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(headers: &[(&'static str, &str)]) -> Claimant {
        let shares = BTreeMap::from([("orders".to_owned(), 3)]);
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        stated(&shares, &headers.collect())
    }

    #[test]
    fn metadata_say_who_calls_and_how_patiently() {
        let nobody = claimant(&[]);
        assert_eq!((&*nobody.caller, nobody.share, nobody.fail_fast), ("", 1, false));
        assert_eq!(nobody.priority, Priority::Interactive);
        let orders = claimant(&[
            ("x-dinggate-caller", "orders"),
            ("x-dinggate-priority", "batch"),
            ("x-dinggate-wait", "fail-fast"),
        ]);
        assert_eq!((&*orders.caller, orders.share, orders.fail_fast), ("orders", 3, true));
        assert_eq!(orders.priority, Priority::Batch);
    }

    /// The name, the share and the most urgent priority of a known caller are those of the policy.
    #[tokio::test]
    async fn what_a_known_caller_says_of_itself_does_not_count() {
        let tokens = std::env::temp_dir().join(format!("dinggate-tokens-{}", std::process::id()));
        let (token, line) = crate::identity::new_token("slow").unwrap();
        std::fs::write(&tokens, line).unwrap();
        let config = format!(
            "mode = 'static'\ninsecure_allow_remote = false\n[static]\ntokens_file = '{}'\n[callers.slow]\n\
             identities = ['static:slow']\npriority = 'batch'\nshare = 2\n",
            tokens.display()
        );
        let config: crate::identity::AuthConfig = toml::from_str(&config).unwrap();
        let authenticator = Authenticator::open(&config).await.unwrap().unwrap();
        std::fs::remove_file(tokens).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", format!("bearer {token}")),
            ("x-dinggate-caller", "fast".to_owned()),
            ("x-dinggate-priority", "interactive".to_owned()),
            ("x-dinggate-wait", "fail-fast".to_owned()),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let claimant = Callers::authenticated(authenticator).identify(&headers, None).await.unwrap().claimant;
        assert_eq!((&*claimant.caller, claimant.share, claimant.fail_fast), ("slow", 2, true));
        assert_eq!(claimant.priority, Priority::Batch);
    }

    #[test]
    fn odd_metadata_are_taken_for_none() {
        assert_eq!(claimant(&[("x-dinggate-caller", &"x".repeat(1000))]).caller.len(), NAME_MAX);
        assert_eq!(&*claimant(&[("x-dinggate-caller", "é")]).caller, "");
        assert_eq!(claimant(&[("x-dinggate-priority", "urgent!")]).priority, Priority::Interactive);
    }
}
