//! What the gateway itself makes of events: ids of groups are learned, and what is cached of a changed group is forgotten.

use std::time::Duration;

use tokio::time::sleep;
use tokio_stream::StreamExt as _;

use super::{Ended, Feed, Item, Record, Refusal};
use crate::{dingtalk::App, group::Groups};

/// A log that cannot be read is tried again after this long.
const AGAIN: Duration = Duration::from_millis(250);

/// Listens to an app's events for as long as there are any. Every replica hears all of them, so none tells another.
pub async fn hear(app: App, feed: Feed, groups: Groups) {
    loop {
        match feed.follow(app.alias()).await {
            Ok(watcher) => {
                // What came before was not heard.
                groups.missed(&app);
                if let Ended::Closed = listen(&app, watcher, &groups).await {
                    return;
                }
            }
            Err(Refusal::Disabled | Refusal::Closed) => return,
            Err(Refusal::TooMany | Refusal::Unreadable(_)) => sleep(AGAIN).await,
        }
    }
}

async fn listen(app: &App, mut items: super::Watcher, groups: &Groups) -> Ended {
    while let Some(item) = items.next().await {
        match item {
            Item::Record(logged) => match &logged.record {
                Record::Event(event) => groups.heard(app, &event.group),
                Record::Gap(_) => groups.missed(app),
            },
            Item::Checkpoint(_) => {}
            Item::Ended(why, _) => return why,
        }
    }
    Ended::Closed
}
