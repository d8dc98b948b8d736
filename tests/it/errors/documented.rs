//! What `error_reason.proto` says of each reason, and whether a status keeps it.

use std::{collections::BTreeMap, sync::LazyLock};

use tonic::Status;
use tonic_types::StatusExt;

use crate::support::reason;

const PROTO: &str = include_str!("../../../proto/dinggate/group/v1/error_reason.proto");

const GROUP: &str = "dinggate.group.v1.Group";

/// The gRPC code and the text about details.
type Documented = (&'static str, &'static str);

static REASONS: LazyLock<BTreeMap<&str, Documented>> = LazyLock::new(|| {
    let (mut reasons, mut said) = (BTreeMap::new(), ("", ""));
    for line in PROTO.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("// Code: ") {
            let end = text.find(|letter: char| !letter.is_ascii_uppercase() && letter != '_').unwrap();
            said = (&text[..end], text.split_once("Details: ").map_or("", |(_, details)| details));
        } else if let Some(value) = line.strip_prefix("ERROR_REASON_") {
            reasons.insert(value.split_once(' ').unwrap().0, said);
        }
    }
    reasons
});

/// Where the code and the details of a status are not those that the contract documents for its reason.
pub fn breaches(status: &Status) -> Vec<String> {
    let (mut breaches, reason) = (Vec::new(), reason(status));
    let Some((code, details)) = REASONS.get(reason.as_str()) else {
        return vec![format!("{reason:?} is no reason of the contract")];
    };
    let told = format!("{:?}", status.code());
    if !told.eq_ignore_ascii_case(&code.replace('_', "")) {
        breaches.push(format!("{reason} is {told}, not {code}"));
    }
    let promised = details.replace("no RetryInfo", "");
    for (detail, is_there) in details_of(status) {
        if is_there != promised.contains(detail) {
            breaches.push(format!("{reason} {} {detail}", if is_there { "has" } else { "lacks" }));
        }
    }
    let resource = status.get_details_resource_info();
    if resource.is_some_and(|resource| resource.resource_type == GROUP && resource.resource_name.is_empty()) {
        breaches.push(format!("{reason} does not say which group"));
    }
    breaches
}

/// Which of them say something.
fn details_of(status: &Status) -> [(&'static str, bool); 5] {
    let faults = status.get_details_bad_request().map(|details| details.field_violations);
    let quotas = status.get_details_quota_failure().map(|details| details.violations);
    let wait = status.get_details_retry_info().and_then(|details| details.retry_delay);
    let resource = status.get_details_resource_info().map(|details| details.resource_type);
    let links = status.get_details_help().map(|details| details.links);
    [
        ("BadRequest", faults.is_some_and(|faults| !faults.is_empty())),
        ("QuotaFailure", quotas.is_some_and(|quotas| !quotas.is_empty())),
        ("RetryInfo", wait.is_some()),
        ("ResourceInfo", resource.is_some_and(|kind| !kind.is_empty())),
        ("Help", links.is_some_and(|links| !links.is_empty())),
    ]
}
