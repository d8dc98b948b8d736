//! What is written to groups makes what is cached of them untrue: here, and at the other replicas.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::mpsc, time::sleep_until};
use tracing::debug;

use super::{Groups, Request, cache::Cache, directory::Directory, model::GroupRef};
use crate::{
    dingtalk::App,
    store::{Notice, Notices},
};

/// What replicas tell each other.
#[derive(Debug, Serialize, Deserialize)]
struct News {
    /// Alias of the app that wrote.
    app: String,
    /// The group.
    group: GroupRef,
    /// Whether it may be of another kind now.
    #[serde(default)]
    kind_changed: bool,
}

/// Hears what other replicas write, until the last of this one's handles on them is gone.
pub(super) async fn listen(cache: Cache, directory: Directory, mut notices: mpsc::Receiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        let Notice::Said(said) = notice else {
            cache.forget_all();
            continue;
        };
        match serde_json::from_slice::<News>(&said) {
            Ok(News { app, group, kind_changed }) => {
                if let Some(id) = group.open_conversation_id.as_ref().filter(|_| kind_changed) {
                    directory.forget_kind(&app, id);
                }
                cache.forget(&app, &directory.fullest(&app, &group));
            }
            // A replica of another version: whatever it says, something has changed.
            Err(error) => {
                debug!(%error, "a notice of another replica is not understood");
                cache.forget_all();
            }
        }
    }
}

impl Groups {
    /// Does work that changes a group. Whatever becomes of the work, what is cached of the group goes before it and
    /// after it.
    pub(super) async fn changing<T>(
        &self,
        request: &Request,
        group: &GroupRef,
        work: impl Future<Output = T>,
    ) -> T {
        self.forget(&request.app, group);
        let (groups, mut request, group) = (self.clone(), request.clone(), group.clone());
        // What follows an abandoned write does not work for its RPC any more.
        request.context.witness = None;
        let mut change = Change { groups, request, group, runtime: Handle::current(), ended: false };
        let outcome = work.await;
        change.ended = true;
        outcome
    }

    /// The group is not what it was, for all replicas.
    pub(super) fn touched(&self, app: &App, group: &GroupRef) {
        let group = self.forget(app, group);
        self.tell(&News { app: app.alias().to_owned(), group, kind_changed: false });
    }

    /// DingTalk told that the group has changed, and by which ids it is known. All replicas are told by themselves.
    pub fn heard(&self, app: &App, group: &GroupRef) {
        if group.ids().next().is_some() {
            self.directory.learn(app, group);
            self.forget(app, group);
        }
    }

    /// DingTalk tells of what changes in the app's groups, for so long at least.
    pub fn hears(&self, app: &App, within: Duration) {
        self.cache.fed(app.alias(), within);
    }

    /// Changes of any group of the app may have gone unheard.
    pub fn missed(&self, app: &App) {
        self.cache.forget_app(app.alias());
    }

    /// It may even be of another kind: that is learned anew.
    pub(super) fn kind_changed(&self, app: &App, group: GroupRef) {
        if let Some(id) = &group.open_conversation_id {
            self.directory.forget_kind(app.alias(), id);
        }
        self.tell(&News { app: app.alias().to_owned(), group, kind_changed: true });
    }

    /// Nothing of the group is believed any more here, by whichever of its ids it was read.
    fn forget(&self, app: &App, group: &GroupRef) -> GroupRef {
        let group = self.directory.fullest(app.alias(), group);
        self.cache.forget(app.alias(), &group);
        group
    }

    /// In the background: a write is not slower for it. Who cannot be told hears of a gap when the store is back.
    fn tell(&self, news: &News) {
        let said = serde_json::to_vec(news).expect("names are always text");
        tokio::spawn(publish(self.notices.clone(), said.into()));
    }
}

async fn publish(notices: Arc<dyn Notices>, said: Bytes) {
    if let Err(error) = notices.publish(said).await {
        debug!(%error, "the other replicas were not told of a write");
    }
}

/// A write that is under way.
struct Change {
    groups: Groups,
    request: Request,
    group: GroupRef,
    runtime: Handle,
    ended: bool,
}

impl Drop for Change {
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        self.groups.touched(&self.request.app, &self.group);
        if !self.ended {
            // Its caller left. What was sent is followed to its end elsewhere, at the latest until the deadline.
            let (groups, request, group) = (self.groups.clone(), self.request.clone(), self.group.clone());
            tokio::spawn(async move {
                sleep_until(request.context.deadline).await;
                groups.touched(&request.app, &group);
            });
        }
    }
}
