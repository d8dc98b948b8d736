//! Reads from memory: one call for a crowd, and a write is seen everywhere at once or nearly so.

use std::{collections::BTreeMap, time::Duration};

use dinggate::pb::group as pb;
use prost_types::FieldMask;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Scale,
    callers::{Groups, PATIENCE, connect, create_groups, fresh, remembered, request},
    figures::{median, ms, quantile},
    report::Report,
    site::Site,
};

const READ: &str = "group.get_legacy";
const READERS: usize = 1000;
/// What keeps a replica in touch with Redis while nobody calls.
const UPKEEP: u64 = 20;

pub async fn prove(scale: Scale, report: &mut Report) {
    let site = Site::replicas("cache", 2, "per_second = 1000, per_month = 0", "").await;
    let addrs = site.addresses();
    let (mut here, mut there) = (connect(addrs[0]), connect(addrs[1]));
    let group = create_groups(&mut here, 1).await.remove(0);

    site.dingtalk.forget().await;
    let took = crowd(&here, &group).await;
    let cost = site.dingtalk.count(READ).await.received;
    report.require("upstream calls of 1,000 readers of one group", "1", cost, cost == 1);
    report.note("they took", ms(took));

    let redis = site.redis.as_ref().expect("replicas share one");
    let before = redis.commands().await;
    let took = crowd(&here, &group).await;
    let between = redis.commands().await;
    sleep(took).await;
    let after = redis.commands().await;
    let (hits, idle) = (sent(&before, &between), sent(&between, &after));
    let what = "commands to Redis during 1,000 reads from memory (and idle as long)";
    report.require(what, "none for a read", format!("{hits} ({idle})"), hits <= idle + UPKEEP);

    let mut seen = Vec::new();
    let mut stale_here = 0;
    for round in 0..scale.writes {
        let title = format!("Title {round}");
        there.get_group(request(remembered(&group), "reader", PATIENCE)).await.expect("it is there");
        here.get_group(request(remembered(&group), "reader", PATIENCE)).await.expect("it is there");
        rename(&mut here, &group, &title).await;
        let written = Instant::now();
        let other = seen_after(&mut there, &group, &title, written);
        let own = title_of(&mut here, remembered(&group));
        let (other, own) = tokio::join!(other, own);
        seen.push(other);
        stale_here += usize::from(own != title);
    }
    report.require("reads at the replica of the write that were old", "0", stale_here, stale_here == 0);
    let p99 = quantile(&seen, 0.99);
    let what = "a write is seen at the other replica after, 99th percentile";
    report.require_speed(what, "<= 50 ms", ms(p99), p99 <= Duration::from_millis(50));
    report.note("median, longest", format!("{}, {}", ms(median(&seen)), ms(quantile(&seen, 1.0))));

    let cost = site.dingtalk.count(READ).await.received;
    there.get_group(request(fresh(&group), "reader", PATIENCE)).await.expect("it is there");
    let cost = site.dingtalk.count(READ).await.received - cost;
    report.require("upstream calls of a read with max_staleness = 0", "1", cost, cost == 1);
    site.report_memory(report);
}

/// A thousand readers within a second.
async fn crowd(groups: &Groups, group: &pb::GroupRef) -> Duration {
    let begin = Instant::now();
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (mut groups, group) = (groups.clone(), group.clone());
        readers.spawn(async move {
            sleep(Duration::from_millis(u64::try_from(reader).expect("small") * 9 / 10)).await;
            let reply = groups.get_group(request(remembered(&group), "reader", PATIENCE)).await;
            reply.expect("it is there");
        });
    }
    readers.join_all().await;
    begin.elapsed()
}

async fn rename(groups: &mut Groups, group: &pb::GroupRef, title: &str) {
    let update = pb::UpdateGroupRequest {
        group: Some(pb::Group { r#ref: Some(group.clone()), title: title.to_owned(), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["title".to_owned()] }),
        ..Default::default()
    };
    groups.update_group(request(update, "writer", PATIENCE)).await.expect("written");
}

async fn title_of(groups: &mut Groups, read: pb::GetGroupRequest) -> String {
    let reply = groups.get_group(request(read, "reader", PATIENCE)).await.expect("it is there");
    reply.into_inner().group.expect("a group").title
}

/// How long after `written` the last read was asked for that still saw the old title.
async fn seen_after(groups: &mut Groups, group: &pb::GroupRef, title: &str, written: Instant) -> Duration {
    let mut last_old = Duration::ZERO;
    loop {
        let asked = written.elapsed();
        if title_of(groups, remembered(group)).await == title {
            return last_old;
        }
        last_old = asked;
        assert!(asked < PATIENCE, "the write is never seen at the other replica");
    }
}

/// Commands between two counts, but for the counting itself.
fn sent(before: &[(String, u64)], after: &[(String, u64)]) -> u64 {
    let before: BTreeMap<_, _> = before.iter().cloned().collect();
    let grown = |(name, count): &(String, u64)| count - before.get(name).copied().unwrap_or_default();
    after.iter().filter(|(name, _)| name != "info").map(grown).sum()
}
