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

const DEMO: Subject<'_> =
    Subject { app: "demo", group: Some("cid1"), owner: None, people: "members", resources: Vec::new() };

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
        let status = of(&DEMO, &upstream_error(row, GetGroup::SPEC));
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
        let status = of(&DEMO, &upstream_error(row, CreateGroup::SPEC));
        assert_eq!(status.code(), Code::Unknown, "{}", row.code);
        let info = status.get_details_error_info().expect("every error has ErrorInfo");
        assert_eq!(info.reason, "OUTCOME_UNKNOWN");
        assert!(!info.metadata.contains_key("check"), "no RPC tells whether a second group was made");
        assert!(status.get_details_retry_info().is_none(), "nobody should repeat it by rote");
    }
}

#[test]
fn a_setting_whose_outcome_is_unknown_can_be_looked_up() {
    let error = dingtalk::Error::DeadlineExceeded { applied: Applied::Maybe };
    let status = of(&DEMO, &group::Error::Upstream { spec: UpdateGroup::SPEC, error });
    let info = status.get_details_error_info().expect("every error has ErrorInfo");
    assert_eq!((info.reason.as_str(), info.metadata["check"].as_str()), ("OUTCOME_UNKNOWN", "GetGroup"));
}

#[test]
fn throttles_say_when_to_come_back_and_the_month_does_not() {
    let status = |code, sub_code| {
        let row = catalogue::find(Generation::Legacy, 200, code, sub_code).expect("documented");
        of(&DEMO, &upstream_error(row, UpdateGroup::SPEC))
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
    let faults = (0..10_000).map(|i| group::Fault::new(format!("members[{i}]"), "is listed twice")).collect();
    let status = of(&DEMO, &group::Error::Invalid(faults));
    assert!(status.details().len() < 8 * 1024, "{} bytes", status.details().len());
    let violations = status.get_details_bad_request().expect("BadRequest").field_violations;
    assert!(violations.last().expect("some").description.contains("more faults"));
}

#[test]
fn a_request_id_without_an_answer_says_what_to_do() {
    let gone = Refusal::Unavailable(crate::store::Unavailable("gone".to_owned()));
    for (refusal, code, reason, waits) in [
        (Refusal::Reused, Code::InvalidArgument, "REQUEST_ID_REUSED", false),
        (Refusal::InProgress, Code::Aborted, "DUPLICATE_IN_PROGRESS", true),
        (Refusal::InDoubt, Code::Unknown, "OUTCOME_UNKNOWN", false),
        (gone, Code::Unavailable, "STORE_UNAVAILABLE", true),
    ] {
        let status = refused("demo", "id", &refusal);
        let info = status.get_details_error_info().expect("every error has ErrorInfo");
        assert_eq!(
            (status.code(), info.reason.as_str(), info.metadata["app"].as_str()),
            (code, reason, "demo")
        );
        assert_eq!(status.get_details_retry_info().is_some(), waits, "{reason}");
    }
}
