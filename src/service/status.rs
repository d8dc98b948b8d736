//! Errors -> `google.rpc.Status` with details. The only code that names gRPC codes.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, QuotaViolation, StatusExt};

use crate::{
    dingtalk::{self, Applied, Reason},
    group,
};

/// `google.rpc.ErrorInfo.domain`.
pub(super) const DOMAIN: &str = "dinggate";

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
        | OwnerCannotBeRemoved => Code::FailedPrecondition,
        AppRateLimited | PlatformRateLimited | MonthlyQuotaExhausted | ServerOverloaded | MessageTooLarge => {
            Code::ResourceExhausted
        }
        EgressIpBlocked | UpstreamBusy | UpstreamUnreachable | UpstreamGarbled | CircuitOpen
        | ShuttingDown => Code::Unavailable,
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

/// A status with nothing but its reason.
pub(super) fn plain(reason: Reason, message: impl Into<String>) -> Status {
    finish(reason, message.into(), HashMap::new(), ErrorDetails::new())
}

/// An RPC that this version does not serve yet.
pub(super) fn not_implemented(method: &str) -> Status {
    plain(
        Reason::NotImplemented,
        format!("{method} is in the contract, but this version does not serve it yet"),
    )
}

/// The answer to a failed job for an app, and on a group where there is one.
pub(super) fn of(app: &str, group: Option<&str>, error: &group::Error) -> Status {
    let reason = error.reason();
    let mut metadata = HashMap::from([("app".to_owned(), app.to_owned())]);
    let mut details = ErrorDetails::new();
    let mut message = error.to_string();
    match error {
        group::Error::Invalid(faults) => {
            details.set_bad_request(violations(faults));
            message = summary(faults);
        }
        group::Error::Upstream { spec, error } => {
            metadata.insert("operation".to_owned(), spec.id.to_owned());
            upstream(app, reason, error, &mut metadata, &mut details);
            message = upstream_message(reason, error);
        }
        group::Error::ChatIdUnknown
        | group::Error::GroupDisbanded
        | group::Error::KindNotImplemented { .. }
        | group::Error::RequestIdReused => {}
    }
    if matches!(reason, Reason::GroupNotFound | Reason::GroupDisbanded | Reason::ChatIdUnknown) {
        details.set_resource_info("dinggate.group.v1.Group", group.unwrap_or_default(), "", &message);
    }
    finish(reason, message, metadata, details)
}

fn finish(
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    mut details: ErrorDetails,
) -> Status {
    details.set_error_info(reason.as_str(), DOMAIN, metadata);
    Status::with_error_details(code(reason), message, details)
}

fn upstream(
    app: &str,
    reason: Reason,
    error: &dingtalk::Error,
    metadata: &mut HashMap<String, String>,
    details: &mut ErrorDetails,
) {
    let mut state = |key: &str, value: String| metadata.insert(key.to_owned(), value);
    if let Some(api) = error.api() {
        let sub_code = api.sub_code.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        state("upstream_code", format!("{}{sub_code}", api.code));
        if let Some(id) = &api.request_id {
            state("upstream_request_id", id.clone());
        }
        if !api.required_scopes.is_empty() {
            state("permission", api.required_scopes.join(","));
        }
        if !api.message.is_empty() {
            details.set_localized_message("zh-CN", &api.message);
        }
    }
    match reason {
        Reason::OutcomeUnknown => {
            state("check", "GetGroup".to_owned());
        }
        Reason::UpstreamBusy | Reason::UpstreamGarbled if error.applied() == Applied::Maybe => {
            state("applied", "maybe".to_owned());
        }
        Reason::FieldInvalid | Reason::MemberNotFound | Reason::ContentRejected => {
            details.set_bad_request(vec![FieldViolation::new("", upstream_message(reason, error))]);
        }
        Reason::AppRateLimited | Reason::MonthlyQuotaExhausted => {
            details.set_quota_failure(vec![QuotaViolation::new(
                format!("app:{app}"),
                upstream_message(reason, error),
            )]);
        }
        Reason::OwnerOutOfScope | Reason::TemplateNotAccessible => {
            details.set_resource_info("dingtalk app scope", app, "", upstream_message(reason, error));
        }
        Reason::AppCredentialsRejected | Reason::AppPermissionMissing | Reason::EgressIpNotAllowed => {
            details
                .add_help_link("the app in DingTalk's developer console", "https://open-dev.dingtalk.com/");
        }
        _ => {}
    }
    let waiting_helps = matches!(code(reason), Code::Unavailable | Code::ResourceExhausted)
        && reason != Reason::MonthlyQuotaExhausted;
    if let Some(wait) = error.retry_after().filter(|_| waiting_helps) {
        details.set_retry_info(Some(wait));
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

/// What the gRPC framework says, as an error of its own, of requests that it cannot read.
const MALFORMED: [&str; 5] =
    ["failed to decode", "EOF decoding", "Error decompressing", "protocol error", "Missing request message"];

/// Gives an error of the gRPC framework itself (an unknown method, a message that is too large) the code and reason
/// that the contract has for it.
pub(super) fn of_framework(status: &Status) -> Status {
    let message = status.message().to_owned();
    let reason = match status.code() {
        Code::Unimplemented => Reason::NotImplemented,
        // Too large as it is, or when decompressed.
        Code::OutOfRange | Code::ResourceExhausted => Reason::MessageTooLarge,
        Code::DeadlineExceeded => Reason::DeadlineExceeded,
        Code::Cancelled => Reason::Cancelled,
        Code::Internal if MALFORMED.iter().any(|text| message.contains(text)) => Reason::FieldInvalid,
        Code::Unavailable => Reason::ShuttingDown,
        _ => Reason::GatewayInternal,
    };
    plain(reason, message)
}

/// More work than [`server.max_concurrent_requests`](crate::server::ServerConfig) admits.
pub(super) fn overloaded() -> Status {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(Duration::from_secs(1)));
    let message = "the gateway is serving as many requests as it is configured to".to_owned();
    finish(Reason::ServerOverloaded, message, HashMap::new(), details)
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;
    use crate::{
        dingtalk::{ApiError, Endpoint, Generation, catalogue},
        operation::group::{CreateGroup, GetGroup, UpdateGroup},
        pb::group::ErrorReason,
    };

    #[test]
    fn every_reason_is_in_the_contract() {
        for reason in Reason::iter() {
            let name = format!("ERROR_REASON_{}", reason.as_str());
            assert!(ErrorReason::from_str_name(&name).is_some(), "{name} is not in error_reason.proto");
        }
    }

    /// The error that a row of the catalogue becomes.
    fn upstream_error(row: &'static catalogue::Row, spec: &'static dingtalk::Spec) -> group::Error {
        let error = dingtalk::Error::Api(Box::new(ApiError {
            status: row.http_status.unwrap_or(200),
            code: row.code.clone(),
            sub_code: row.sub_code.clone(),
            message: "文字".to_owned(),
            request_id: Some("r-1".to_owned()),
            required_scopes: Vec::new(),
            retry_after: None,
            row: Some(row),
        }));
        group::Error::Upstream { spec, error }
    }

    #[test]
    fn every_documented_code_becomes_a_status_with_reason_code_and_request_id() {
        for row in catalogue::rows() {
            let status = of("demo", None, &upstream_error(row, GetGroup::SPEC));
            assert_eq!(status.code(), code(row.reason), "{}", row.code);
            let info = status.get_details_error_info().expect("every error has ErrorInfo");
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (row.reason.as_str(), DOMAIN));
            assert_eq!(info.metadata["upstream_request_id"], "r-1");
            assert!(info.metadata["upstream_code"].starts_with(&row.code));
            assert!(!status.message().contains("文字"), "upstream text is not the message");
            assert!(!matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied), "{}", row.code);
        }
    }

    #[test]
    fn a_create_that_may_have_been_applied_is_unknown_whatever_the_code() {
        for row in catalogue::rows().iter().filter(|row| row.applied == Applied::Maybe) {
            let status = of("demo", None, &upstream_error(row, CreateGroup::SPEC));
            assert_eq!(status.code(), Code::Unknown, "{}", row.code);
            let info = status.get_details_error_info().expect("every error has ErrorInfo");
            assert_eq!(
                (info.reason.as_str(), info.metadata["check"].as_str()),
                ("OUTCOME_UNKNOWN", "GetGroup")
            );
            assert!(status.get_details_retry_info().is_none(), "nobody should repeat it by rote");
        }
    }

    #[test]
    fn throttles_say_when_to_come_back_and_the_month_does_not() {
        let status = |code, sub_code| {
            let row = catalogue::find(Generation::Legacy, 200, code, sub_code).expect("documented");
            of("demo", None, &upstream_error(row, UpdateGroup::SPEC))
        };
        let throttled = status("88", Some("90018"));
        assert_eq!(throttled.code(), Code::ResourceExhausted);
        assert!(throttled.get_details_retry_info().is_some());
        assert!(throttled.get_details_quota_failure().is_some());
        let month = status("90020", None);
        assert_eq!(month.code(), Code::ResourceExhausted);
        assert!(month.get_details_retry_info().is_none());
        assert!(month.get_details_quota_failure().is_some());
    }

    #[test]
    fn thousands_of_faults_fit_into_a_trailer() {
        let faults =
            (0..10_000).map(|i| group::Fault::new(format!("members[{i}]"), "is listed twice")).collect();
        let status = of("demo", None, &group::Error::Invalid(faults));
        assert!(status.details().len() < 8 * 1024, "{} bytes", status.details().len());
        let violations = status.get_details_bad_request().expect("BadRequest").field_violations;
        assert!(violations.last().expect("some").description.contains("more faults"));
    }
}
