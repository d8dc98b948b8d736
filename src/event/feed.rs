//! What sources write to and readers read from.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    config::{EventsConfig, Mode},
    model::Event,
    now,
    pages::{Body, Logged, Pages, ReadError},
    record::{Gap, Record},
    tail::Tail,
    token::Cursor,
    watch::{Filter, Watcher},
};
use crate::{
    metrics::{Metrics, Present, Rejection},
    store::{AppendError, Entry, Fence, Log, Retention, Store},
};

/// The events of all apps. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: Arc<dyn Log>,
    keep: Retention,
    tails: BTreeMap<Arc<str>, Arc<Tail>>,
    places: Arc<Semaphore>,
    closed: CancellationToken,
    metrics: Metrics,
    _following: DropGuard,
}

/// Why there is nothing to watch or list.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// Events are not switched on for the app.
    #[error("events are not switched on for this app")]
    Disabled,
    /// There are as many watchers as there may be.
    #[error("this replica has as many watchers as it is configured to")]
    TooMany,
    /// The gateway stops.
    #[error("the gateway is stopping")]
    Closed,
    /// The log cannot be read from there.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
}

/// A stretch of the log.
#[derive(Debug)]
pub struct Listed {
    /// What the filter lets through.
    pub records: Vec<Arc<Logged>>,
    /// Where the next stretch begins.
    pub next: Cursor,
    /// Whether there was more at that moment.
    pub more: bool,
}

impl Feed {
    /// The events of these apps, if any are wanted. To be called inside a runtime: follows the logs for as long as
    /// there is a clone.
    pub fn new<'a>(
        store: &Store,
        config: &EventsConfig,
        apps: impl IntoIterator<Item = &'a str>,
        metrics: Metrics,
    ) -> Self {
        let following = CancellationToken::new();
        let on = config.mode != Mode::Off;
        let mut tails = BTreeMap::new();
        for app in apps.into_iter().filter(|_| on) {
            let (app, tail): (Arc<str>, _) = (app.into(), Arc::new(Tail::new(metrics.clone())));
            let (pages, follower) = (Pages { log: store.log.clone(), app: app.clone() }, tail.clone());
            tokio::spawn(
                following.clone().run_until_cancelled_owned(async move { follower.follow(pages).await }),
            );
            tails.insert(app, tail);
        }
        Self(Arc::new(Inner {
            log: store.log.clone(),
            keep: config.keep(),
            tails,
            places: Arc::new(Semaphore::new(config.max_watchers.min(Semaphore::MAX_PERMITS))),
            closed: CancellationToken::new(),
            metrics,
            _following: following.drop_guard(),
        }))
    }

    /// Writes events into the log of an app, in this order, those left out that it has already; true for each that is
    /// new. A push may be acknowledged when this is done, and not before.
    pub async fn accept(
        &self,
        app: &str,
        fence: Option<&Fence>,
        events: Vec<Event>,
    ) -> Result<Vec<bool>, AppendError> {
        let kinds: Vec<&str> = events.iter().map(|event| event.change.kind().into()).collect();
        let new = self.append(app, fence, events.into_iter().map(Record::Event).collect()).await?;
        let of_new = kinds.into_iter().zip(&new).filter(|(_, new)| **new);
        of_new.for_each(|(kind, _)| self.0.metrics.event(app.into(), kind));
        Ok(new)
    }

    /// Writes into the log that something may have been missed.
    pub async fn gap(&self, app: &str, fence: Option<&Fence>, gap: Gap) -> Result<(), AppendError> {
        self.append(app, fence, vec![Record::Gap(gap)]).await?;
        self.0.metrics.event_gap(app.into(), gap.cause.into());
        Ok(())
    }

    async fn append(
        &self,
        app: &str,
        fence: Option<&Fence>,
        records: Vec<Record>,
    ) -> Result<Vec<bool>, AppendError> {
        let received = now();
        let entry = |record: Record| {
            let id = match &record {
                Record::Event(event) => Some(event.id.clone()),
                Record::Gap(_) => None,
            };
            let body = serde_json::to_vec(&Body { received, record }).expect("a record is JSON");
            Entry { id, body: body.into() }
        };
        let entries: Vec<_> = records.into_iter().map(entry).collect();
        let appended = self.0.log.append(app, fence, &entries, self.0.keep).await?;
        Ok(appended.iter().map(Option::is_some).collect())
    }

    /// Watches an app: what comes behind the place, or a checkpoint and what comes from now on; and a checkpoint after each
    /// interval in which nothing else came.
    pub async fn watch(
        &self,
        app: &str,
        filter: Filter,
        from: Option<Cursor>,
        interval: Duration,
    ) -> Result<Watcher, Refusal> {
        self.app(app)?;
        let Ok(place) = self.0.places.clone().try_acquire_owned() else {
            self.0.metrics.rejected(Rejection::Overload);
            return Err(Refusal::TooMany);
        };
        let place = (place, self.0.metrics.watcher());
        self.enter(app, filter, from, interval, Some(place)).await
    }

    /// Watches everything from now on, for the gateway itself.
    pub(super) async fn follow(&self, app: &str) -> Result<Watcher, Refusal> {
        const IDLE: Duration = Duration::from_secs(3600);
        self.enter(app, Filter::default(), None, IDLE, None).await
    }

    async fn enter(
        &self,
        app: &str,
        filter: Filter,
        from: Option<Cursor>,
        interval: Duration,
        place: Option<(OwnedSemaphorePermit, Present)>,
    ) -> Result<Watcher, Refusal> {
        let (pages, tail) = self.app(app)?;
        if self.0.closed.is_cancelled() {
            return Err(Refusal::Closed);
        }
        let begin = match from {
            Some(cursor) => cursor,
            None => pages.end().await?,
        };
        let batch = pages.after(Some(begin), FIRST).await?;
        let closed = self.0.closed.clone().cancelled_owned();
        let greets = from.is_none();
        Ok(Watcher::new((pages, tail), filter, (begin, batch), (greets, interval), closed, place))
    }

    /// Reads an app's log from a place, or from the beginning of what is kept: up to so many records, those left out
    /// that are not wanted.
    pub async fn list(
        &self,
        app: &str,
        filter: &Filter,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Listed, Refusal> {
        let (pages, _) = self.app(app)?;
        let batch = pages.after(from, limit).await?;
        let records = batch.items.into_iter().filter(|logged| filter.passes(&logged.record)).collect();
        Ok(Listed { records, next: batch.next, more: batch.more })
    }

    /// Where sources count what is not kept.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn app(&self, app: &str) -> Result<(Pages, Arc<Tail>), Refusal> {
        let (app, tail) = self.0.tails.get_key_value(app).ok_or(Refusal::Disabled)?;
        Ok((Pages { log: self.0.log.clone(), app: app.clone() }, tail.clone()))
    }

    /// Ends all watchers, and lets nobody watch any more.
    pub fn close(&self) {
        self.0.closed.cancel();
    }
}

/// Records that a watcher begins with.
const FIRST: usize = 64;
