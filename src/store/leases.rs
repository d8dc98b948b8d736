//! Who of many may do something now.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::Unavailable;

/// A lease as its holder knows it. Whoever gets the lease later has a greater number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The name of the lease.
    pub lease: Arc<str>,
    /// Which holder of it.
    pub number: u64,
}

/// Leases by name. They run out by the clock of the store.
#[async_trait]
pub trait Leases: Debug + Send + Sync {
    /// Takes the lease, unless somebody has it.
    async fn acquire(&self, lease: &str, ttl: Duration) -> Result<Option<Fence>, Unavailable>;

    /// Holds it for another while; false if it is not the holder's any more.
    async fn renew(&self, fence: &Fence, ttl: Duration) -> Result<bool, Unavailable>;

    /// Gives it up, if it still is the holder's.
    async fn release(&self, fence: &Fence) -> Result<(), Unavailable>;
}
