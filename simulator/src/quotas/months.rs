//! What organizations have used up of a calendar month of Asia/Shanghai.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::shanghai;

/// By organization: the latest month, and the count in it. Times are since 1970.
#[derive(Debug, Default)]
pub(super) struct Months(BTreeMap<String, (shanghai::Month, u64)>);

impl Months {
    pub(super) fn count(&mut self, corp_id: &str, now: Duration) {
        let month = shanghai::month(now);
        let (latest, count) = self.0.entry(corp_id.to_owned()).or_insert((month, 0));
        *count = if *latest == month { *count + 1 } else { 1 };
        *latest = month;
    }

    pub(super) fn used(&self, corp_id: &str, now: Duration) -> u64 {
        let this_month = |(month, _): &&(shanghai::Month, u64)| *month == shanghai::month(now);
        self.0.get(corp_id).filter(this_month).map_or(0, |(_, count)| *count)
    }

    pub(super) fn all(&self, now: Duration) -> BTreeMap<String, u64> {
        self.0.keys().map(|corp_id| (corp_id.clone(), self.used(corp_id, now))).collect()
    }
}
