//! What was pushed, what the log holds and what everybody was told, held against each other.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::SocketAddr,
    time::Duration,
};

use dinggate::pb::group as pb;
use tokio::time::sleep;
use tonic::Code;

use super::watchers::{Told, connect, number};
use crate::{dingtalk::Pushed, report::Report, site::Site};

/// What there is to be told.
pub struct Ledger {
    pushed: Vec<Pushed>,
    /// The ids of the log's events in its order.
    log: Vec<u128>,
}

impl Ledger {
    /// As it stands when all that was pushed is acknowledged or given up.
    pub async fn settled(site: &Site) -> Self {
        site.dingtalk
            .until("all is acknowledged or given up", |pushes| pushes.acked + pushes.lost >= pushes.made)
            .await;
        let log = list(site.addresses()[0]).await;
        Self { pushed: site.dingtalk.events().await, log }
    }

    /// Events that the log holds.
    pub fn len(&self) -> u64 {
        self.log.len() as u64
    }

    pub fn judge(&self, told: &[Told], report: &mut Report) {
        let acked =
            || self.pushed.iter().filter(|event| event.state == "acked").map(|event| number(&event.id));
        report.note(
            "events pushed, acknowledged, in the log",
            format!("{}, {}, {}", self.pushed.len(), acked().count(), self.log.len()),
        );
        let seen: Vec<HashSet<u128>> = told.iter().map(|told| told.ids.iter().copied().collect()).collect();
        let missed: usize = seen.iter().map(|seen| acked().filter(|id| !seen.contains(id)).count()).sum();
        none(report, "acknowledged events that a watcher was not told", missed);
        let repeated = told.iter().zip(&seen).map(|(told, seen)| told.ids.len() - seen.len()).sum();
        none(report, "events that a watcher was told twice", repeated);
        let unordered = told.iter().filter(|told| told.ids != self.log).count();
        none(report, "watchers who were not told exactly the log, in its order", unordered);
        let uncovered = told.iter().zip(&seen).map(|(told, seen)| self.uncovered(told, seen)).sum();
        none(report, "events that a watcher was not told, and of no gap that it was told", uncovered);
        let lost =
            self.pushed.iter().filter(|event| !seen.iter().all(|seen| seen.contains(&number(&event.id))));
        report.note("events of which nobody knows but by a gap", lost.count());
        note_ends(told, report);
    }

    /// After the log was lost, and with it the ids that it had met: whatever came again is told again.
    pub fn judge_lost(&self, told: &[Told], report: &mut Report) {
        report.note("events pushed, in the log", format!("{}, {}", self.pushed.len(), self.log.len()));
        let seen = told.iter().map(|told| (told, told.ids.iter().copied().collect()));
        let uncovered = seen.map(|(told, seen)| self.uncovered(told, &seen)).sum();
        none(report, "events that a watcher was not told, and of no gap that it was told", uncovered);
        let behind = told.iter().filter(|told| !told.ids.ends_with(&self.log)).count();
        none(report, "watchers who were not told all of the new log, in its order", behind);
        let first = self.pushed.iter().map(|event| event.born_ms).min().unwrap_or_default();
        let endless = told.iter().flat_map(|told| &told.gaps).filter(|(from, _)| from + 60_000 < first);
        none(report, "gaps that begin more than a minute before the first event", endless.count());
        let warned = told.iter().filter(|told| !told.gaps.is_empty()).count();
        report.require("watchers who were told of a gap", "all", warned, warned == told.len());
        note_ends(told, report);
    }

    /// Events that this watcher can neither know nor suspect.
    fn uncovered(&self, told: &Told, seen: &HashSet<u128>) -> usize {
        let unseen = self.pushed.iter().filter(|event| !seen.contains(&number(&event.id)));
        let covered =
            |event: &&Pushed| told.gaps.iter().any(|(from, to)| (*from..=*to).contains(&event.born_ms));
        unseen.filter(|event| !covered(event)).count()
    }
}

fn none(report: &mut Report, what: &str, count: usize) {
    report.require(what, "0", count, count == 0);
}

fn note_ends(told: &[Told], report: &mut Report) {
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for (reason, count) in told.iter().flat_map(|told| &told.ends) {
        *ends.entry(if reason.is_empty() { "connection lost" } else { reason }).or_default() += count;
    }
    let longest = told.iter().map(|told| covered(&told.gaps)).max().unwrap_or_default();
    report.note("time that lies in gaps", format!("{:.1} s", longest as f64 / 1000.0));
    let gaps: BTreeSet<usize> = told.iter().map(|told| told.gaps.len()).collect();
    report.note("watchers, and gaps that each was told", format!("{}, {gaps:?}", told.len()));
    report.note("ends of their streams", format!("{ends:?}"));
}

/// How long all gaps are together, in milliseconds, overlaps counted once.
fn covered(gaps: &[(u64, u64)]) -> u64 {
    let mut gaps = gaps.to_vec();
    gaps.sort_unstable();
    let (mut sum, mut end) = (0, 0);
    for (from, to) in gaps {
        sum += to.saturating_sub(from.max(end));
        end = end.max(to);
    }
    sum
}

/// All events of the log.
async fn list(home: SocketAddr) -> Vec<u128> {
    let (mut client, mut ids, mut page_token) = (connect(home), Vec::new(), String::new());
    loop {
        let request = pb::ListGroupEventsRequest { page_token: page_token.clone(), ..Default::default() };
        let page = match client.list_group_events(request).await {
            Ok(page) => page.into_inner(),
            // As everybody does who is told so.
            Err(status) if status.code() == Code::Unavailable => {
                sleep(Duration::from_secs(1)).await;
                continue;
            }
            Err(status) => panic!("the log cannot be read: {status}"),
        };
        ids.extend(page.events.iter().map(|event| number(&event.event_id)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}
