//! Leases in Redis: a key for each that somebody has, which expires by itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{link::Link, millis, script::Scripts};
use crate::store::{Fence, Leases, Unavailable};

/// Leases that all replicas share.
#[derive(Debug)]
pub(super) struct RedisLeases {
    link: Arc<Link>,
    scripts: Scripts,
}

impl RedisLeases {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, scripts: Scripts::default() }
    }
}

/// The key of a lease: it holds the number of its holder.
pub(super) fn key(link: &Link, lease: &str) -> String {
    link.key(&["lease", lease])
}

#[async_trait]
impl Leases for RedisLeases {
    async fn acquire(&self, lease: &str, ttl: Duration) -> Result<Option<Fence>, Unavailable> {
        let mut script = self.scripts.acquire.key(key(&self.link, lease));
        script.key(self.link.key(&["lease-number", lease])).arg(millis(ttl));
        let number: String = self.link.run(&script).await?;
        Ok(number.parse().ok().map(|number| Fence { lease: lease.into(), number }))
    }

    async fn renew(&self, fence: &Fence, ttl: Duration) -> Result<bool, Unavailable> {
        let mut script = self.scripts.hold.key(key(&self.link, &fence.lease));
        self.link.run(script.arg(fence.number).arg(millis(ttl))).await
    }

    async fn release(&self, fence: &Fence) -> Result<(), Unavailable> {
        let mut script = self.scripts.release.key(key(&self.link, &fence.lease));
        self.link.run(script.arg(fence.number)).await
    }
}
