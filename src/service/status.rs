//! Errors -> `google.rpc.Status` with details. The only code that names gRPC codes.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use prost_types::Timestamp;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

pub(super) mod events;
mod framework;

pub(super) use self::framework::of_framework;

use super::once::Refusal;
use crate::{
    dingtalk::{self, Applied, Reason, Repeat, Spec},
    group,
    identity::Refused,
    store,
};

/// `google.rpc.ErrorInfo.domain`.
pub(super) const DOMAIN: &str = "dinggate";

/// Types of resources: a group, and what `errors.json` calls the template of one.
const GROUP: &str = "dinggate.group.v1.Group";
const TEMPLATE: &str = "group template";

/// Trailers are small in many proxies: faults beyond this many bytes are counted, not listed.
const FAULTS_MAX_BYTES: usize = 3000;

/// What the gRPC code of a reason tells the caller to do. A fault of the gateway's own credentials is not the
/// caller's UNAUTHENTICATED, and only UNAVAILABLE invites an automatic repeat.
pub(super) fn code(reason: Reason) -> Code {
    use Reason::*;
    match reason {
        FieldInvalid | RequestIdReused | MemberNotFound | ContentRejected => Code::InvalidArgument,
        CallerUnauthenticated => Code::Unauthenticated,
        CallerNotAllowed => Code::PermissionDenied,
        GroupNotFound | ResourceNotFound => Code::NotFound,
        AppCredentialsRejected
        | AppPermissionMissing
        | OwnerOutOfScope
        | TemplateNotAccessible
        | GroupDisbanded
        | GroupNotReady
        | GroupNotAccessible
        | NotAMember
        | LimitReached
        | ResourceNotUsable
        | ActionNotAllowed
        | EgressIpNotAllowed
        | ChatIdUnknown
        | KindUnsupported
        | JoinLinkNotGranted
        | RemovalGuard
        | OwnerCannotBeRemoved
        | EventsDisabled => Code::FailedPrecondition,
        AppRateLimited
        | PlatformRateLimited
        | MonthlyQuotaExhausted
        | ServerOverloaded
        | WatcherTooSlow
        | MessageTooLarge => Code::ResourceExhausted,
        EgressIpBlocked | UpstreamBusy | UpstreamUnreachable | UpstreamGarbled | CircuitOpen
        | ShuttingDown | StoreUnavailable => Code::Unavailable,
        OutcomeUnknown => Code::Unknown,
        DuplicateRequest => Code::AlreadyExists,
        DuplicateInProgress => Code::Aborted,
        ResumeTokenExpired => Code::OutOfRange,
        NotImplemented => Code::Unimplemented,
        DeadlineExceeded => Code::DeadlineExceeded,
        Cancelled => Code::Cancelled,
        UpstreamRefusedRequest | UpstreamUnmapped | GatewayInternal => Code::Internal,
    }
}

/// What a failed RPC was about, as far as an error names it.
#[derive(Debug, Default)]
pub(super) struct Subject<'a> {
    /// The app's alias.
    pub(super) app: &'a str,
    /// An id of the group.
    pub(super) group: Option<&'a str>,
    /// The id of the owner that the request names.
    pub(super) owner: Option<&'a str>,
    /// The field whose people DingTalk would know or not.
    pub(super) people: &'static str,
    /// What else it can name: a kind of thing, such as `robot`, and its id, empty if it does not.
    pub(super) resources: Vec<(&'static str, &'a str)>,
}

impl Subject<'_> {
    /// The id of what it names of this kind; empty if it names none.
    fn resource(&self, kind: &str) -> &str {
        self.resources.iter().find(|(known, _)| *known == kind).map_or("", |(_, id)| *id)
    }
}

/// A status in the making.
struct Draft {
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
}

impl Draft {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Draft { reason, message: message.into(), metadata: HashMap::new(), details: ErrorDetails::new() }
    }

    /// An entry of `ErrorInfo.metadata`.
    fn note(&mut self, key: &str, value: impl Into<String>) {
        self.metadata.insert(key.to_owned(), value.into());
    }

    fn resource(&mut self, kind: &str, name: &str) {
        let message = self.message.clone();
        self.details.set_resource_info(kind, name, "", message);
    }

    fn quota(&mut self, app: &str) {
        let message = self.message.clone();
        self.details.add_quota_failure_violation(format!("app:{app}"), message);
    }

    /// Where whoever runs the gateway can mend it.
    fn help(&mut self) {
        let console = "https://open-dev.dingtalk.com/";
        self.details.add_help_link("the app in DingTalk's developer console", console);
    }

    fn finish(mut self) -> Status {
        self.details.set_error_info(self.reason.as_str(), DOMAIN, self.metadata);
        Status::with_error_details(code(self.reason), self.message, self.details)
    }
}

/// A status as it stands inside a message.
pub(super) fn in_body(status: &Status) -> tonic_types::pb::Status {
    // The details of a tonic status are the encoded message itself.
    prost::Message::decode(status.details()).unwrap_or_else(|_| tonic_types::pb::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}

/// The status that [`in_body`] made a message of.
pub(super) fn of_body(status: tonic_types::pb::Status) -> Status {
    let details = prost::Message::encode_to_vec(&status).into();
    Status::with_details(Code::from(status.code), status.message, details)
}

/// A status with nothing but its reason.
pub(super) fn plain(reason: Reason, message: impl Into<String>) -> Status {
    Draft::new(reason, message).finish()
}

/// Somebody who does not prove who it is. What is wrong with a proof is for the log: here it would help to forge one.
pub(super) fn unauthenticated(refused: &Refused) -> Status {
    let text = match refused {
        Refused::NoProof => {
            "the gateway cannot tell who calls: send `authorization: Bearer <token>`, or present a client certificate"
        }
        Refused::BadProof(_) | Refused::Nobody(_) => {
            "the identity is not accepted: renew the token or certificate, or ask whoever runs the gateway"
        }
    };
    plain(Reason::CallerUnauthenticated, text)
}

/// Something that this caller may not do; `app` is empty where it is about none.
pub(super) fn not_allowed(app: &str, caller: &str, message: &str) -> Status {
    let mut draft = Draft::new(Reason::CallerNotAllowed, message);
    if !app.is_empty() {
        draft.note("app", app);
    }
    draft.note("caller", caller);
    draft.finish()
}

/// More work than `server.max_concurrent_requests` admits.
pub(super) fn overloaded() -> Status {
    let text = "the gateway is serving as many requests as it is configured to";
    let mut draft = Draft::new(Reason::ServerOverloaded, text);
    draft.details.set_retry_info(Some(Duration::from_secs(1)));
    draft.finish()
}

/// The answer to a failed job.
pub(super) fn of(subject: &Subject<'_>, error: &group::Error) -> Status {
    let mut draft = Draft::new(error.reason(), error.to_string());
    draft.note("app", subject.app);
    match error {
        group::Error::Invalid(faults) => {
            draft.details.set_bad_request(violations(faults));
            draft.message = summary(faults);
        }
        group::Error::Upstream { spec, error } => {
            upstream(&mut draft, subject, spec, error);
        }
        group::Error::GroupNotReady(cause) => {
            if let group::Error::Upstream { spec, error } = &**cause {
                upstream(&mut draft, subject, spec, error);
            }
            draft.details.set_retry_info(Some(Duration::from_secs(2)));
        }
        group::Error::RemovalGuard { to_add, to_remove, max_removals } => {
            draft.note("to_add", to_add.to_string());
            draft.note("to_remove", to_remove.to_string());
            draft.note("max_removals", max_removals.to_string());
        }
        group::Error::KindUnsupported { kind } => draft.note("kind", kind.to_string()),
        group::Error::JoinLinkNotGranted => draft.help(),
        group::Error::ChatIdUnknown | group::Error::GroupDisbanded | group::Error::OwnerCannotBeRemoved => {}
    }
    if let Reason::GroupNotFound
    | Reason::GroupNotAccessible
    | Reason::GroupNotReady
    | Reason::GroupDisbanded
    | Reason::ChatIdUnknown
    | Reason::KindUnsupported = draft.reason
    {
        draft.resource(GROUP, subject.group.unwrap_or_default());
    }
    draft.finish()
}

/// The answer where a `request_id` has none of its own.
pub(super) fn refused(app: &str, request_id: &str, refusal: &Refusal) -> Status {
    let reason = match refusal {
        Refusal::Reused => Reason::RequestIdReused,
        Refusal::InProgress => Reason::DuplicateInProgress,
        Refusal::InDoubt => Reason::OutcomeUnknown,
        Refusal::Unavailable(_) => Reason::StoreUnavailable,
    };
    let mut draft = Draft::new(reason, refusal.to_string());
    draft.note("app", app);
    if let Refusal::Reused | Refusal::InProgress = refusal {
        draft.note("request_id", request_id);
    }
    if let Refusal::Reused = refusal {
        draft.details.add_bad_request_violation("request_id", &draft.message);
    }
    if let Refusal::InProgress | Refusal::Unavailable(_) = refusal {
        draft.details.set_retry_info(Some(Duration::from_secs(1)));
    }
    draft.finish()
}

fn upstream(draft: &mut Draft, subject: &Subject<'_>, spec: &Spec, error: &dingtalk::Error) {
    draft.note("operation", spec.id);
    draft.message = upstream_message(draft.reason, error);
    if let Some(api) = error.api() {
        let sub_code = api.sub_code.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        draft.note("upstream_code", format!("{}{sub_code}", api.code));
        if let Some(id) = &api.request_id {
            draft.note("upstream_request_id", id);
        }
        if !api.required_scopes.is_empty() {
            draft.note("permission", api.required_scopes.join(","));
        }
        if !api.message.is_empty() {
            draft.details.set_localized_message("zh-CN", &api.message);
        }
    }
    if let dingtalk::Error::Garbled { status, .. } = error {
        draft.note("http_status", status.to_string());
    }
    let message = draft.message.clone();
    match draft.reason {
        // Reading the group shows whether something was set on it, not whether something was made or sent.
        Reason::OutcomeUnknown if spec.repeat == Repeat::Set => draft.note("check", "GetGroup"),
        Reason::UpstreamBusy | Reason::UpstreamGarbled if error.applied() == Applied::Maybe => {
            draft.note("applied", "maybe");
        }
        Reason::FieldInvalid | Reason::ContentRejected => {
            draft.details.add_bad_request_violation("", message);
        }
        Reason::MemberNotFound => {
            draft.details.add_bad_request_violation(subject.people, message);
        }
        Reason::AppRateLimited => {
            let is_ours = matches!(error, dingtalk::Error::RateLimited { .. });
            draft.note("source", if is_ours { "gateway" } else { "dingtalk" });
            draft.quota(subject.app);
        }
        Reason::MonthlyQuotaExhausted => {
            draft.note("reset_time", Timestamp::from(store::month_end(SystemTime::now())).to_string());
            draft.quota(subject.app);
        }
        Reason::OwnerOutOfScope => {
            draft.resource("dinggate.group.v1.MemberRef", subject.owner.unwrap_or_default())
        }
        Reason::ResourceNotFound | Reason::ResourceNotUsable | Reason::DuplicateRequest => {
            let kind = error.api().and_then(|api| api.row?.resource.as_deref()).unwrap_or_default();
            draft.resource(kind, subject.resource(kind));
        }
        Reason::TemplateNotAccessible => match subject.group {
            Some(group) => draft.resource(GROUP, group),
            None => draft.resource(TEMPLATE, subject.resource(TEMPLATE)),
        },
        Reason::EgressIpBlocked => {
            let until = error.retry_after().map(|wait| SystemTime::now() + wait);
            draft.note(
                "blocked_until",
                until.map(|until| Timestamp::from(until).to_string()).unwrap_or_default(),
            );
        }
        Reason::AppCredentialsRejected | Reason::AppPermissionMissing | Reason::EgressIpNotAllowed => {
            draft.help();
        }
        _ => {}
    }
    let invites_retry =
        matches!(code(draft.reason), Code::Unavailable | Code::ResourceExhausted | Code::Aborted);
    let waiting_helps = invites_retry && draft.reason != Reason::MonthlyQuotaExhausted;
    if let Some(wait) = error.retry_after().filter(|_| waiting_helps) {
        draft.details.set_retry_info(Some(wait));
    }
}

/// What happened, in English; DingTalk's own text is shown as LocalizedMessage only.
fn upstream_message(reason: Reason, error: &dingtalk::Error) -> String {
    let what = match error.api() {
        Some(api) => match api.row {
            Some(row) => format!("DingTalk answered {}: {}", api.code, row.meaning),
            None => format!("DingTalk answered {}, which is not documented", api.code),
        },
        None => error.to_string(),
    };
    match reason {
        Reason::OutcomeUnknown => {
            format!(
                "it is not known whether DingTalk carried this out; find out before you repeat it ({what})"
            )
        }
        _ => what,
    }
}

/// The first fault, for readers who see nothing but the message.
fn summary(faults: &[group::Fault]) -> String {
    let first =
        faults.first().map(|fault| format!("{} {}", fault.field, fault.description)).unwrap_or_default();
    match faults.len() {
        0 | 1 => first,
        n => format!("{first} (and {} more, see the field violations)", n - 1),
    }
}

fn violations(faults: &[group::Fault]) -> Vec<FieldViolation> {
    let mut bytes = 0;
    let fits = |fault: &&group::Fault| {
        bytes += fault.field.len() + fault.description.len();
        bytes <= FAULTS_MAX_BYTES
    };
    let mut listed: Vec<_> = faults
        .iter()
        .take_while(fits)
        .map(|fault| FieldViolation::new(&fault.field, &fault.description))
        .collect();
    if listed.len() < faults.len() {
        listed.push(FieldViolation::new("", format!("and {} more faults", faults.len() - listed.len())));
    }
    listed
}

#[cfg(test)]
mod tests;
