//! What DingTalk said lately of groups. A crowd that asks the same costs one call; an answer is served again while it
//! is fresh enough for who asks, and until somebody writes to the group.
//!
//! An answer is as old as the beginning of its call: what it tells may have changed at any time since.

mod flights;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use bytesize::ByteSize;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use self::flights::{Flight, Flights, Urgency};
use super::{
    Request,
    error::Error,
    model::GroupRef,
    reads::{Read, Reply},
};
use crate::{
    dingtalk::{self, Applied, Provenance, Reason},
    metrics::Metrics,
    trace::Follow as _,
};

/// Reads kept of one group by one of its ids, so that no caller's robot codes fill a shelf.
const SHELF: usize = 16;
/// What the cache itself spends on a group, about.
const OVERHEAD: usize = 256;

/// `[cache]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// Whether anything is kept.
    pub enabled: bool,
    /// How old an answer may be for callers who do not say.
    #[serde(with = "humantime_serde")]
    pub default_staleness: Duration,
    /// The same, while DingTalk's events tell of changes.
    #[serde(with = "humantime_serde")]
    pub fed_staleness: Duration,
    /// How old it may be for anybody.
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// How long it is believed that there is no such group.
    #[serde(with = "humantime_serde")]
    pub negative: Duration,
    /// What all answers together may take, about.
    pub max_size: ByteSize,
}

impl CacheConfig {
    /// What keeps this from being used, as (path, fault).
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let bounded = [
            ("cache.default_staleness", self.default_staleness),
            ("cache.fed_staleness", self.fed_staleness),
            ("cache.negative", self.negative),
        ];
        let longer = bounded.into_iter().filter(|(_, age)| *age > self.max_age);
        longer.map(|(path, _)| (path, "is longer than cache.max_age".to_owned())).collect()
    }

    fn is_on(&self) -> bool {
        self.enabled && self.max_size.as_u64() > 0
    }
}

/// An answer, and where it came from.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// When DingTalk gave it.
    pub read_time: SystemTime,
    /// Whether it was in memory.
    pub from_cache: bool,
}

/// The answers of all apps. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: CacheConfig,
    metrics: Metrics,
    shelves: moka::sync::Cache<Name, Arc<Vec<Kept>>>,
    /// The apps whose changes are heard of, and until when that is certain.
    fed: RwLock<BTreeMap<String, Instant>>,
    /// What is on its way. Whoever changes a shelf holds it, so that no answer is kept after its group was written to.
    flights: Flights,
}

/// A group as an app names it, by either id.
type Name = (String, String);

#[derive(Debug, Clone)]
struct Kept {
    read: Read,
    told: Told,
}

/// How a read ended.
#[derive(Debug, Clone)]
struct Told {
    outcome: Result<Arc<Reply>, Error>,
    begun: Instant,
    at: SystemTime,
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// For this caller.
    accepted: Duration,
    /// For callers who do not say.
    usual: Duration,
    /// Where it is a refusal.
    negative: Duration,
}

impl Cache {
    pub(super) fn new(config: CacheConfig, metrics: Metrics) -> Self {
        let shelves = moka::sync::Cache::builder()
            .max_capacity(config.max_size.as_u64())
            .weigher(|_: &Name, shelf: &Arc<Vec<Kept>>| weight(shelf))
            // By the clock of the machine; whether an answer is fresh is decided by tokio's.
            .time_to_live(config.max_age.max(Duration::from_secs(1)))
            .build();
        Cache(Arc::new(Inner {
            config,
            metrics,
            shelves,
            fed: RwLock::default(),
            flights: Flights::default(),
        }))
    }

    /// The answer to a read, not older than the caller accepts: what is kept, or a call that is on its way, or a
    /// call of its own. `fetch` makes one.
    pub(super) async fn read<F>(
        &self,
        request: &Request,
        read: &Read,
        max_staleness: Option<Duration>,
        fetch: impl Fn() -> F,
    ) -> Result<Answer<Arc<Reply>>, Error>
    where
        F: Future<Output = Result<Reply, Error>> + Send + 'static,
    {
        let stats = &request.context.stats;
        if !self.0.config.is_on() {
            stats.came_from(Provenance::Miss);
            self.0.metrics.cache_request("miss");
            let value = Arc::new(fetch().await?);
            return Ok(Answer { value, read_time: SystemTime::now(), from_cache: false });
        }
        let bounds = self.bounds(request.app.alias(), read, max_staleness);
        let name = (request.app.alias().to_owned(), read.group().to_owned());
        loop {
            let boarded = match self.kept(&name, read, bounds) {
                Some(told) => Err(told),
                None => self.board(request, &name, read, bounds, &fetch),
            };
            let mut flight = match boarded {
                Ok(flight) => flight,
                Err(told) => {
                    let stale = told.begun.elapsed() > bounds.usual;
                    let provenance = if stale { Provenance::Stale } else { Provenance::Hit };
                    stats.came_from(provenance);
                    self.0.metrics.cache_request(provenance.name());
                    return told.answer(true);
                }
            };
            stats.came_from(Provenance::Miss);
            self.0.metrics.cache_request(if flight.leads { "miss" } else { "joined" });
            let deadline = request.context.deadline;
            let failed = |error| Err(Error::Upstream { spec: read.spec(), error });
            let told = match timeout_at(deadline, flight.arrival.wait_for(Option::is_some)).await {
                Ok(Ok(told)) => told.clone().expect("it was waited for"),
                Ok(Err(_)) => {
                    return failed(dingtalk::Error::Lost("the task of the read stopped".to_owned()));
                }
                Err(_) => return failed(dingtalk::Error::DeadlineExceeded { applied: Applied::Maybe }),
            };
            let shared = !flight.leads && Instant::now() < deadline;
            match &told.outcome {
                Err(error) if shared && is_the_leaders(error) => {}
                _ => return told.answer(false),
            }
        }
    }

    /// Whoever reads the group from now on asks DingTalk.
    pub(super) fn forget(&self, app: &str, group: &GroupRef) {
        let mut flights = self.0.flights.lock();
        for id in group.ids() {
            let name = (app.to_owned(), id.to_owned());
            flights.overtake(&name);
            self.0.shelves.invalidate(&name);
        }
    }

    /// Changes of the app's groups are heard of, for so long at least.
    pub(super) fn fed(&self, app: &str, within: Duration) {
        let mut fed = self.0.fed.write().unwrap_or_else(PoisonError::into_inner);
        fed.insert(app.to_owned(), Instant::now() + within);
    }

    /// The same for every group of an app; its changes are not heard of until somebody says so again.
    pub(super) fn forget_app(&self, app: &str) {
        self.0.fed.write().unwrap_or_else(PoisonError::into_inner).remove(app);
        let mut flights = self.0.flights.lock();
        // Those of other apps are read, and not kept: that is rare, and costs no answer.
        flights.overtake_all();
        for (name, _) in &self.0.shelves {
            if name.0 == app {
                self.0.shelves.invalidate(&*name);
            }
        }
    }

    /// The same for every group.
    pub(super) fn forget_all(&self) {
        let mut flights = self.0.flights.lock();
        flights.overtake_all();
        self.0.shelves.invalidate_all();
    }

    fn bounds(&self, app: &str, read: &Read, max_staleness: Option<Duration>) -> Bounds {
        let CacheConfig { default_staleness, fed_staleness, max_age, negative, .. } = self.0.config;
        let fed = self.0.fed.read().unwrap_or_else(PoisonError::into_inner);
        let fed = fed.get(app).is_some_and(|until| *until > Instant::now());
        let configured = if fed { fed_staleness } else { default_staleness };
        let usual = read.staleness().unwrap_or(configured).min(max_age);
        Bounds { accepted: max_staleness.unwrap_or(usual).min(max_age), usual, negative }
    }

    /// What is kept and fresh enough.
    fn kept(&self, name: &Name, read: &Read, bounds: Bounds) -> Option<Told> {
        let shelf = self.0.shelves.get(name).filter(|_| !bounds.accepted.is_zero())?;
        let kept = shelf.iter().find(|kept| kept.read == *read)?;
        let negative = kept.told.outcome.is_err();
        let bound = if negative { bounds.accepted.min(bounds.negative) } else { bounds.accepted };
        (kept.told.begun.elapsed() <= bound).then(|| kept.told.clone())
    }

    /// Joins a call that tells early enough, or begins one. Who wants nothing from before now never joins one that
    /// has begun: all of these share the one that begins when it has ended.
    fn board<F>(
        &self,
        request: &Request,
        name: &Name,
        read: &Read,
        bounds: Bounds,
        fetch: &impl Fn() -> F,
    ) -> Result<Flight, Told>
    where
        F: Future<Output = Result<Reply, Error>> + Send + 'static,
    {
        let urgency = Urgency::of(&request.context.claimant);
        let mut flights = self.0.flights.lock();
        // It may have landed a moment ago.
        if let Some(told) = self.kept(name, read, bounds) {
            return Err(told);
        }
        if let Some(flight) = flights.join(name, read, urgency, bounds.accepted) {
            return Ok(flight);
        }
        let (flight, seat) = flights.depart(self, name, read, urgency);
        // A runtime that is shutting down drops the task at once, and that wants the flights.
        drop(flights);
        // In a box, because a task is moved several times before it runs, and a read is large.
        let fetch = Box::pin(fetch());
        tokio::spawn(seat.fly(request.context.stats.clone(), fetch).followed());
        Ok(flight)
    }

    /// Puts an answer on its shelf. Only for who holds the flights.
    fn keep(&self, name: &Name, read: Read, told: &Told) {
        let worth_keeping = told.outcome.as_ref().err().is_none_or(is_stable);
        if !worth_keeping {
            return;
        }
        let max_age = self.0.config.max_age;
        let old = self.0.shelves.get(name).unwrap_or_default();
        let others = old.iter().filter(|kept| kept.read != read && kept.told.begun.elapsed() <= max_age);
        let mut shelf: Vec<_> = others.cloned().collect();
        shelf.drain(..shelf.len().saturating_sub(SHELF - 1));
        shelf.push(Kept { read, told: told.clone() });
        self.0.shelves.insert(name.clone(), Arc::new(shelf));
    }
}

impl Told {
    fn answer(self, from_cache: bool) -> Result<Answer<Arc<Reply>>, Error> {
        Ok(Answer { value: self.outcome?, read_time: self.at, from_cache })
    }
}

/// A refusal that the next call would hear as well.
fn is_stable(error: &Error) -> bool {
    matches!(
        error.reason(),
        Reason::GroupNotFound
            | Reason::GroupDisbanded
            | Reason::GroupNotAccessible
            | Reason::TemplateNotAccessible
            | Reason::ResourceNotFound
    )
}

/// A failure that comes of how long the first caller would wait. Another may have more time.
fn is_the_leaders(error: &Error) -> bool {
    let impatient = matches!(error, Error::Upstream { error: dingtalk::Error::RateLimited { .. }, .. });
    impatient || matches!(error.reason(), Reason::DeadlineExceeded | Reason::GroupNotReady)
}

fn weight(shelf: &[Kept]) -> u32 {
    let of =
        |kept: &Kept| size_of::<Kept>() + kept.told.outcome.as_ref().map_or(OVERHEAD, |reply| reply.size());
    let sum = OVERHEAD + shelf.iter().map(of).sum::<usize>();
    u32::try_from(sum).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
