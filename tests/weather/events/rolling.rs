//! Three replicas are restarted one after the other, as Kubernetes rolls out a new version, under those who watch.

use super::{LIMITS, SECTIONS, group, ledger::Ledger, push_again, watchers::Watchers};
use crate::{report::Report, site::Site};

const REPLICAS: usize = 3;

#[derive(Debug, Clone, Copy)]
pub struct Scale {
    watchers: usize,
    per_second: u64,
    /// Between two restarts.
    events: u64,
}

pub const FULL: Scale = Scale { watchers: 300, per_second: 50, events: 300 };
pub const QUICK: Scale = Scale { watchers: 30, per_second: 50, events: 50 };

pub async fn prove(scale: Scale, report: &mut Report) {
    let mut site = Site::replicas("rolling", REPLICAS, LIMITS, SECTIONS).await;
    let chat_id = group(&site).await;
    site.dingtalk.push_by(&push_again()).await;
    let watchers = Watchers::begin(scale.watchers, &site.addresses()).await;
    let (mut good, mut made) = (0, 0);
    for replica in 0..REPLICAS {
        // More than can be made until this replica is back.
        site.dingtalk.flood(&chat_id, scale.events, scale.per_second).await;
        made += scale.events;
        let begun = site.dingtalk.pushes().await.made + scale.events / 3;
        site.dingtalk.until("events are made", |pushes| pushes.made >= begun).await;
        let streams = watchers.begun();
        good += usize::from(site.gateways[replica].stop().await);
        report.progress(&format!("replica {} has ended", replica + 1));
        site.gateways[replica].restart().await;
        site.dingtalk.until("events are made", |pushes| pushes.made >= made).await;
        watchers.until_begun(streams + 1).await;
    }
    report.require("replicas that ended well on SIGTERM", "3", good, good == REPLICAS);
    let ledger = Ledger::settled(&site).await;
    let told = watchers.end(ledger.len()).await;
    let resumed = told.iter().filter(|told| told.ends.contains_key("SHUTTING_DOWN")).count();
    report.require(
        "watchers who were told SHUTTING_DOWN, and went on",
        "all",
        format!("{resumed} of {}", told.len()),
        resumed == told.len(),
    );
    ledger.judge(&told, report);
    site.report_memory(report);
}
