//! What the gateway itself makes of events: ids of groups are learned, what is cached of a changed group is forgotten, and
//! what is cached is good for longer while changes are heard of.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_stream::StreamExt as _;

use super::{Ended, Feed, Item, Record, Refusal, now, stream};
use crate::{dingtalk::App, group::Groups, store::Facts};

/// A log that cannot be read is tried again after this long.
const AGAIN: Duration = Duration::from_millis(250);
/// How often it is looked whether the stream is healthy. That is believed until the look after the next one.
const LOOK: Duration = Duration::from_secs(5);
/// A stream is healthy if its owner has been sure so lately: DingTalk sends pings, but not many.
const HEALTHY: Duration = Duration::from_secs(120);

/// Listens to an app's events for as long as there are any. Every replica hears all of them, so none tells another.
pub async fn hear(app: App, feed: Feed, groups: Groups, facts: Arc<dyn Facts>) {
    loop {
        match feed.follow(app.alias()).await {
            Ok(watcher) => {
                // What came before was not heard.
                groups.missed(&app);
                if let Ended::Closed = listen(&app, watcher, &groups, &*facts).await {
                    return;
                }
            }
            Err(Refusal::Disabled | Refusal::Closed) => return,
            Err(Refusal::TooMany | Refusal::Unreadable(_)) => sleep(AGAIN).await,
        }
    }
}

async fn listen(app: &App, mut items: super::Watcher, groups: &Groups, facts: &dyn Facts) -> Ended {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut healthy_before = false;
    loop {
        tokio::select! {
            item = items.next() => match item {
                Some(Item::Record(logged)) => match &logged.record {
                    Record::Event(event) => groups.heard(app, &event.group),
                    Record::Gap(_) => groups.missed(app),
                },
                Some(Item::Checkpoint(_)) => {}
                Some(Item::Ended(why, _)) => return why,
                None => return Ended::Closed,
            },
            _ = look.tick() => {
                let sure = stream::sure(facts, app.alias()).await.unwrap_or(0);
                let healthy = u128::from(now().saturating_sub(sure)) < HEALTHY.as_millis();
                if !std::mem::replace(&mut healthy_before, healthy) && healthy {
                    // What was read before may have changed unheard.
                    groups.missed(app);
                }
                if healthy {
                    groups.hears(app, LOOK * 2);
                }
            }
        }
    }
}
