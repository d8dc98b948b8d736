//! Leases where there is nobody else, but for other tasks.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::store::{Fence, Leases, Unavailable};

/// Leases of this process.
#[derive(Debug, Default)]
pub struct MemoryLeases(Mutex<HashMap<String, Held>>);

#[derive(Debug, Clone, Copy, Default)]
struct Held {
    number: u64,
    /// None: it was given up.
    until: Option<Instant>,
}

impl Held {
    fn is_held(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl MemoryLeases {
    /// Whether the lease still is that of this holder.
    pub(super) fn is_current(&self, fence: &Fence) -> bool {
        self.change(fence, |_| ())
    }

    /// Changes a lease if it still is this holder's.
    fn change(&self, fence: &Fence, change: impl FnOnce(&mut Held)) -> bool {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = leases.get_mut(&*fence.lease);
        let mine = held.filter(|held| held.number == fence.number && held.is_held());
        mine.map(change).is_some()
    }
}

#[async_trait]
impl Leases for MemoryLeases {
    async fn acquire(&self, lease: &str, ttl: Duration) -> Result<Option<Fence>, Unavailable> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = leases.entry(lease.to_owned()).or_default();
        if held.is_held() {
            return Ok(None);
        }
        *held = Held { number: held.number + 1, until: Some(Instant::now() + ttl) };
        Ok(Some(Fence { lease: lease.into(), number: held.number }))
    }

    async fn renew(&self, fence: &Fence, ttl: Duration) -> Result<bool, Unavailable> {
        Ok(self.change(fence, |held| held.until = Some(Instant::now() + ttl)))
    }

    async fn release(&self, fence: &Fence) -> Result<(), Unavailable> {
        self.change(fence, |held| held.until = None);
        Ok(())
    }
}
