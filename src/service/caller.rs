//! Who calls, and how patiently.

use std::{collections::BTreeMap, sync::Arc};

use http::HeaderMap;

use crate::dingtalk::{Claimant, Priority};

/// More of a caller's name is not read. Header values that are text are ASCII.
const NAME_MAX: usize = 64;

/// What is known of callers. Nobody is authenticated yet, so they say themselves who they are; those who do not are
/// one caller together.
#[derive(Debug, Clone, Default)]
pub struct Callers(Arc<BTreeMap<String, u32>>);

impl Callers {
    /// Callers by name, with their shares; everybody else has a share of 1.
    pub fn new(shares: BTreeMap<String, u32>) -> Self {
        Self(Arc::new(shares))
    }

    /// What the metadata of a request says.
    pub(super) fn claimant(&self, headers: &HeaderMap) -> Claimant {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name = header("x-dinggate-caller");
        let name = &name[..name.len().min(NAME_MAX)];
        Claimant {
            caller: Arc::from(name),
            share: self.0.get(name).copied().unwrap_or(1),
            priority: match header("x-dinggate-priority") {
                "batch" => Priority::Batch,
                _ => Priority::Interactive,
            },
            fail_fast: header("x-dinggate-wait") == "fail-fast",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimant(headers: &[(&'static str, &str)]) -> Claimant {
        let callers = Callers::new(BTreeMap::from([("orders".to_owned(), 3)]));
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        callers.claimant(&headers.collect())
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

    #[test]
    fn odd_metadata_are_taken_for_none() {
        assert_eq!(claimant(&[("x-dinggate-caller", &"x".repeat(1000))]).caller.len(), NAME_MAX);
        assert_eq!(&*claimant(&[("x-dinggate-caller", "é")]).caller, "");
        assert_eq!(claimant(&[("x-dinggate-priority", "urgent!")]).priority, Priority::Interactive);
    }
}
