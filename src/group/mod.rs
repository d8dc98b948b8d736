//! What callers mean: one file per job, in the gateway's own words, over several upstream operations.

mod admins;
mod assistant;
mod bulk;
mod cache;
mod cards;
mod changes;
mod create;
mod delete;
mod directory;
mod error;
mod join_link;
mod members;
mod model;
mod mute;
mod nickname;
mod probe;
mod read;
mod reads;
mod ready;
mod resolve;
mod settings;
mod templates;
mod twins;
mod update;

pub use assistant::{Button, Content, Layout, MessageState, NewMessage, People, Readers};
pub use bulk::{Verdict, Verdicts, is_complete};
pub use cache::{Answer, CacheConfig};
pub use cards::{NewCard, Origin, Params};
pub use create::{Created, NewGroup, Scenario};
pub use error::{Error, Fault};
pub use members::{Roster, SyncPlan, Synced, Wanted};
pub use model::{Group, GroupRef, Kind, Member, Outcome, PlannedCall, State};
pub use mute::Mute;
pub use probe::{Finding, PERMISSIONS};
pub use read::View;
pub use settings::{Choice, Setting, Settings};
pub use update::Changes;

use std::sync::Arc;

use crate::{
    dingtalk::{App, Client, Context, Endpoint},
    store::{Facts, Notices},
};
use cache::Cache;
use directory::Directory;

/// The jobs on groups. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Groups {
    client: Client,
    cache: Cache,
    directory: Directory,
    notices: Arc<dyn Notices>,
}

/// Who asks, for which app, and with which retry key.
#[derive(Debug, Clone)]
pub struct Request {
    /// Deadline and cost.
    pub context: Context,
    /// The app that acts.
    pub app: App,
    /// The caller's `request_id`, if there is one.
    pub request_id: Option<String>,
    /// Check and plan only; write nothing.
    pub validate_only: bool,
}

impl Groups {
    /// Nothing is known of any group yet. Listens to what other replicas write, as long as there is one of these.
    pub fn new(client: Client, cache: CacheConfig, notices: Arc<dyn Notices>, facts: Arc<dyn Facts>) -> Self {
        let (cache, directory) = (Cache::new(cache, client.metrics().clone()), Directory::new(facts));
        tokio::spawn(changes::listen(cache.clone(), directory.clone(), notices.subscribe()));
        Self { client, cache, directory, notices }
    }

    async fn call<E: Endpoint>(&self, request: &Request, endpoint: &E) -> Result<E::Reply, Error> {
        let outcome = self.client.call(&request.context, &request.app, endpoint).await;
        outcome.map_err(|error| Error::Upstream { spec: E::SPEC, error })
    }
}
