//! What replicas of the gateway share: one small trait for each need, `memory` for one replica and `redis` for many
//! side by side, one suite of contract tests for both.
//!
//! No trait here knows what it keeps: operations and apps are names, outcomes and notices are bytes.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use tokio_util::sync::DropGuard;

pub use self::calendar::month_end;
pub use self::config::{OnFailure, StoreConfig, StoreKind};
pub use self::leases::{Fence, Leases};
pub use self::log::{AppendError, Entry, Extent, Log, Page, Position, Retention};
use self::memory::{MemoryBudgets, MemoryFacts, MemoryLeases, MemoryLog, MemoryNotices, MemoryOutcomes};
use self::parts::Parts;
use self::spacing::Spacing;

mod calendar;
mod config;
mod degrade;
mod leases;
mod log;
pub mod memory;
mod parts;
mod redis;
mod spacing;

/// How long something that was sent and never heard of again stays in doubt.
const OUTCOMES_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The store cannot be reached, or it did not answer in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the shared store is unavailable: {0}")]
pub struct Unavailable(pub String);

/// A rate: at most this many calls in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls in one window; at least 1.
    pub calls: u32,
    /// The window.
    pub per: Duration,
}

/// What limits a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The calls of one app to one operation in a second.
    Operation,
    /// The calls of everybody to one operation, as DingTalk sees it.
    Platform,
    /// The calls of one app in a month.
    Month,
    /// The calls from one egress address, of all apps.
    Egress,
}

/// A wish to call one operation for one app.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Alias of the app.
    pub app: Arc<str>,
    /// Id of the operation.
    pub operation: &'static str,
    /// What the app may spend on the operation.
    pub rate: Rate,
    /// What the app may spend on everything in a month; none where it is not limited.
    pub month: Option<u64>,
    /// What all apps together may spend from one egress address.
    pub egress: Rate,
    /// How many calls wait for this operation here, the shares of their callers counted.
    pub waiting: u32,
    /// A place further ahead than this is not taken.
    pub horizon: Duration,
}

/// How much longer than its window a place is held in any case: small delays need not be told.
pub const SLACK: Duration = Duration::from_millis(15);

/// A place in the second of an operation: taken when it is reserved, free again one window after its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(pub u64);

/// The answer to an [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The call may go out in `wait` from now.
    Place {
        /// The place that is taken.
        slot: Slot,
        /// Zero: at once.
        wait: Duration,
        /// What wait there is comes from this.
        limit: Limit,
        /// How many wait for this operation at all replicas, this ask included.
        waiting: u32,
    },
    /// Nothing is free within the horizon and nothing was taken.
    Later {
        /// When to ask again.
        wait: Duration,
        /// Why.
        limit: Limit,
    },
}

/// What an app has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of the app in this month.
    pub month_calls: u64,
    /// How long the rest of the month is closed because DingTalk said so; zero if it is not.
    pub month_paused: Duration,
    /// Places of the operation that are taken now.
    pub taken: u32,
    /// How long the operation is paused for the app; zero if it is not.
    pub paused: Duration,
    /// How long the egress address is barred; zero if it is not.
    pub egress_paused: Duration,
    /// How far the calls of the operation are ahead of an even spacing.
    pub ahead: Duration,
    /// How far the calls of all apps are.
    pub egress_ahead: Duration,
}

impl Usage {
    /// Calls of the operation that could start at once, the month left aside.
    pub fn room(&self, rate: Rate, egress: Rate) -> u32 {
        let burst = Spacing::of_operation(rate).room(self.ahead);
        let free = if self.paused.is_zero() { rate.calls.saturating_sub(self.taken).min(burst) } else { 0 };
        free.min(self.egress_room(egress))
    }

    /// Calls of all apps together that could start at once.
    pub fn egress_room(&self, egress: Rate) -> u32 {
        let burst = Spacing::of_egress(egress).room(self.egress_ahead);
        if self.egress_paused.is_zero() { burst } else { 0 }
    }
}

/// What calls to DingTalk may spend.
///
/// A place is held from `wait` on for one window and a little slack, or for longer by [`Budgets::extend`]; so at most
/// `rate.calls` of the calls that DingTalk counts fall into any window, whatever the network does to their order.
/// Nobody who had to wait starts a burst: places that had to be waited for lie at least `per / calls` apart. From rest,
/// half of the places of a window, and the one in the middle, may be taken at once.
#[async_trait]
pub trait Budgets: Debug + Send + Sync {
    /// Takes the earliest place, in one step for all limits.
    async fn reserve(&self, ask: &Ask) -> Result<Reserved, Unavailable>;

    /// The call of this place may have been counted as late as `late` after the place began.
    async fn extend(&self, ask: &Ask, slot: Slot, late: Duration) -> Result<(), Unavailable>;

    /// Nothing was sent: the place is free, and the month has its call back.
    async fn give_back(&self, ask: &Ask, slot: Slot) -> Result<(), Unavailable>;

    /// DingTalk refused the call and does not count it: the month has it back.
    async fn uncount(&self, ask: &Ask) -> Result<(), Unavailable>;

    /// Nothing that is limited by `limit` goes out for this long. A longer pause stays.
    async fn pause(&self, ask: &Ask, limit: Limit, pause: Duration) -> Result<(), Unavailable>;

    /// The month as it was last seen here; none where nothing was taken yet. Asks nobody.
    fn month_calls(&self, app: &str) -> Option<u64>;

    /// What has been used; takes nothing.
    async fn usage(&self, app: &str, operation: &str) -> Result<Usage, Unavailable>;
}

/// The holder of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(pub u128);

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has done it: do it, renew the claim while at it, and tell how it ended.
    Mine(Owner),
    /// Somebody is at it.
    Busy,
    /// The key belongs to a request with another fingerprint.
    Reused,
    /// Somebody was at it, sent something that acts again when repeated, and was never heard of again.
    InDoubt,
    /// It was done, and this came of it.
    Done(Bytes),
}

/// What became of requests that are done once.
///
/// A claim lasts as long as its lease. One that ran out before [`Outcomes::sent`] is free again; one that ran out
/// after it is [`Claim::InDoubt`] for as long as outcomes are kept.
#[async_trait]
pub trait Outcomes: Debug + Send + Sync {
    /// Claims the key, or tells why not.
    async fn claim(&self, key: &str, fingerprint: &[u8; 32], lease: Duration) -> Result<Claim, Unavailable>;

    /// Holds the claim for another lease; false if it is not the owner's any more.
    async fn renew(&self, key: &str, owner: Owner, lease: Duration) -> Result<bool, Unavailable>;

    /// Marks that something is about to be sent that acts again when repeated; false if the claim is not the owner's
    /// any more, and then nothing may be sent.
    async fn sent(&self, key: &str, owner: Owner) -> Result<bool, Unavailable>;

    /// Keeps the outcome.
    async fn finish(
        &self,
        key: &str,
        owner: Owner,
        outcome: Bytes,
        keep: Duration,
    ) -> Result<(), Unavailable>;

    /// Frees the key: nothing happened that a repeat would do twice.
    async fn forget(&self, key: &str, owner: Owner) -> Result<(), Unavailable>;
}

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody published this.
    Said(Bytes),
    /// Something may have been missed.
    Gap,
}

/// Short messages to all other replicas, at most once.
#[async_trait]
pub trait Notices: Debug + Send + Sync {
    /// Tells the other replicas; the publisher does not hear itself.
    async fn publish(&self, notice: Bytes) -> Result<(), Unavailable>;

    /// Hears what others publish from now on. A subscriber that falls behind hears a gap.
    fn subscribe(&self) -> mpsc::Receiver<Notice>;
}

/// Facts that are dear to find out again: the ids of a group, tokens that must not be fetched twice.
#[async_trait]
pub trait Facts: Debug + Send + Sync {
    /// The fact, if somebody remembered it.
    async fn recall(&self, key: &str) -> Result<Option<Bytes>, Unavailable>;

    /// Remembers a fact, for ever if `keep` is none.
    async fn remember(&self, key: &str, fact: Bytes, keep: Option<Duration>) -> Result<(), Unavailable>;
}

/// How the store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It is there.
    Up,
    /// It is not; what works on without it does.
    Degraded,
}

/// Everything that is shared. Cheap to clone; a store in Redis is looked after as long as there is a clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// What calls to DingTalk may spend.
    pub budgets: Arc<dyn Budgets>,
    /// What became of requests that are done once.
    pub outcomes: Arc<dyn Outcomes>,
    /// Short messages to all other replicas.
    pub notices: Arc<dyn Notices>,
    /// Facts that are dear to find out again.
    pub facts: Arc<dyn Facts>,
    /// Logs of what happened.
    pub log: Arc<dyn Log>,
    /// Who of many may do something now.
    pub leases: Arc<dyn Leases>,
    /// How the store does.
    pub health: watch::Receiver<Health>,
    replicas: watch::Receiver<u32>,
    /// Ends the tasks that look after the connection.
    _open: Option<Arc<DropGuard>>,
}

/// Whether the store is there and answers.
pub async fn ping(config: &StoreConfig) -> Result<(), Unavailable> {
    match config.kind {
        StoreKind::Memory => Ok(()),
        StoreKind::Redis => redis::ping(config).await,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Store {
    /// The store of the configuration, to be called inside a runtime. It is not waited for: a Redis that is not there
    /// is [`Health::Degraded`] until it is.
    pub fn open(config: &StoreConfig) -> Result<Self, Unavailable> {
        match config.kind {
            StoreKind::Memory if config.replicas > 1 => {
                let (budgets, replicas) = (MemoryBudgets::default(), config.replicas);
                Ok(Self { budgets: Arc::new(Parts { budgets, replicas }), ..Self::memory() })
            }
            StoreKind::Memory => Ok(Self::memory()),
            StoreKind::Redis => redis::open(config),
        }
    }

    /// The store of one replica.
    pub fn memory() -> Self {
        // What these tell never changes, so nobody needs to be there to tell it.
        let (health, replicas) = (watch::channel(Health::Up).1, watch::channel(1).1);
        let leases = Arc::new(MemoryLeases::default());
        Self {
            budgets: Arc::new(MemoryBudgets::default()),
            outcomes: Arc::new(MemoryOutcomes::default()),
            notices: Arc::new(MemoryNotices::default()),
            facts: Arc::new(MemoryFacts::default()),
            log: Arc::new(MemoryLog::new(leases.clone())),
            leases,
            health,
            replicas,
            _open: None,
        }
    }

    /// How many replicas share the store, as far as is known; at least 1.
    pub fn replicas(&self) -> u32 {
        *self.replicas.borrow()
    }
}
