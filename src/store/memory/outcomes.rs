//! Outcomes in memory.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use moka::{
    Expiry,
    ops::compute::{CompResult, Op},
    policy::EvictionPolicy,
    sync::Cache,
};
use tokio::time::Instant;

use crate::store::{Claim, OUTCOMES_KEPT, Outcomes, Owner, Unavailable};

const CAPACITY: u64 = 64 * 1024 * 1024;
/// What an entry costs beside its bytes, about.
const OVERHEAD: usize = 300;

/// Outcomes of this process. The oldest go when there are too many.
#[derive(Debug)]
pub struct MemoryOutcomes {
    entries: Cache<String, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    fingerprint: [u8; 32],
    owner: Owner,
    state: State,
    /// When the lease ends, or when the outcome is forgotten.
    until: Instant,
}

#[derive(Debug, Clone)]
enum State {
    Claimed,
    Sent,
    Done(Bytes),
}

impl Entry {
    /// What there is to tell at this time; none if the key is free.
    fn seen(&self, fingerprint: &[u8; 32], now: Instant) -> Option<Claim> {
        let claim = match &self.state {
            State::Sent if self.until <= now => Claim::InDoubt,
            _ if self.until <= now => return None,
            State::Claimed | State::Sent => Claim::Busy,
            State::Done(outcome) => Claim::Done(outcome.clone()),
        };
        Some(if self.fingerprint == *fingerprint { claim } else { Claim::Reused })
    }

    /// Whether the claim is still this owner's. After something was sent nobody else gets it, however late.
    fn belongs_to(&self, owner: Owner, now: Instant) -> bool {
        let held = match self.state {
            State::Claimed => now < self.until,
            State::Sent => true,
            State::Done(_) => false,
        };
        held && self.owner == owner
    }
}

/// Gives back the memory of what is over. What is over is decided by `until`.
#[derive(Debug)]
struct Forget;

impl Forget {
    fn after(entry: &Entry) -> Duration {
        match entry.state {
            State::Sent => OUTCOMES_KEPT,
            State::Claimed | State::Done(_) => entry.until.duration_since(Instant::now()),
        }
    }
}

impl Expiry<String, Entry> for Forget {
    #[expect(clippy::disallowed_types, reason = "the signature is moka's")]
    fn expire_after_create(&self, _: &String, entry: &Entry, _: std::time::Instant) -> Option<Duration> {
        Some(Self::after(entry))
    }

    #[expect(clippy::disallowed_types, reason = "the signature is moka's")]
    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Self::after(entry))
    }
}

impl Default for MemoryOutcomes {
    fn default() -> Self {
        let weigh = |key: &String, entry: &Entry| {
            let outcome = if let State::Done(outcome) = &entry.state { outcome.len() } else { 0 };
            u32::try_from(key.len() + outcome + OVERHEAD).unwrap_or(u32::MAX)
        };
        let entries = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(weigh)
            // Any other policy may refuse a newcomer, and a claim that is not kept is no claim.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Forget)
            .build();
        Self { entries }
    }
}

impl MemoryOutcomes {
    /// Changes what the owner holds, in one step; false if it is not the owner's any more.
    fn change(&self, key: &str, owner: Owner, change: impl FnOnce(Entry, Instant) -> Op<Entry>) -> bool {
        let now = Instant::now();
        let changed = self.entries.entry_by_ref(key).and_compute_with(|entry| {
            let entry = entry.map(moka::Entry::into_value).filter(|entry| entry.belongs_to(owner, now));
            entry.map_or(Op::Nop, |entry| change(entry, now))
        });
        matches!(changed, CompResult::ReplacedWith(_) | CompResult::Removed(_))
    }
}

#[async_trait]
impl Outcomes for MemoryOutcomes {
    async fn claim(&self, key: &str, fingerprint: &[u8; 32], lease: Duration) -> Result<Claim, Unavailable> {
        let now = Instant::now();
        let owner = Owner(rand::random());
        let mine = Entry { fingerprint: *fingerprint, owner, state: State::Claimed, until: now + lease };
        let mut claim = Claim::Mine(owner);
        self.entries.entry_by_ref(key).and_compute_with(|entry| {
            match entry.and_then(|entry| entry.into_value().seen(fingerprint, now)) {
                Some(seen) => {
                    claim = seen;
                    Op::Nop
                }
                None => Op::Put(mine),
            }
        });
        Ok(claim)
    }

    async fn renew(&self, key: &str, owner: Owner, lease: Duration) -> Result<bool, Unavailable> {
        Ok(self.change(key, owner, |entry, now| Op::Put(Entry { until: now + lease, ..entry })))
    }

    async fn sent(&self, key: &str, owner: Owner) -> Result<bool, Unavailable> {
        Ok(self.change(key, owner, |entry, _| Op::Put(Entry { state: State::Sent, ..entry })))
    }

    async fn finish(
        &self,
        key: &str,
        owner: Owner,
        outcome: Bytes,
        keep: Duration,
    ) -> Result<(), Unavailable> {
        self.change(key, owner, |entry, now| {
            Op::Put(Entry { state: State::Done(outcome), until: now + keep, ..entry })
        });
        Ok(())
    }

    async fn forget(&self, key: &str, owner: Owner) -> Result<(), Unavailable> {
        self.change(key, owner, |_, _| Op::Remove);
        Ok(())
    }
}
