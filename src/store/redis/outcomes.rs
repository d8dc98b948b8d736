//! Outcomes in Redis: a hash for each key.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::{link::Link, millis, script::Scripts};
use crate::store::{Claim, OUTCOMES_KEPT, Outcomes, Owner, Unavailable, micros};

/// Outcomes that all replicas share.
#[derive(Debug)]
pub(super) struct RedisOutcomes {
    link: Arc<Link>,
    scripts: Scripts,
}

impl RedisOutcomes {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, scripts: Scripts::default() }
    }

    fn key(&self, key: &str) -> String {
        self.link.key(&["outcome", key])
    }
}

#[async_trait]
impl Outcomes for RedisOutcomes {
    async fn claim(&self, key: &str, fingerprint: &[u8; 32], lease: Duration) -> Result<Claim, Unavailable> {
        let owner = Owner(rand::random());
        let mut script = self.scripts.claim.key(self.key(key));
        script.arg(&fingerprint[..]).arg(owner.text()).arg(micros(lease));
        let (claim, outcome): (String, Bytes) = self.link.run(&script).await?;
        Ok(match claim.as_str() {
            "mine" => Claim::Mine(owner),
            "reused" => Claim::Reused,
            "done" => Claim::Done(outcome),
            "doubt" => Claim::InDoubt,
            _ => Claim::Busy,
        })
    }

    async fn renew(&self, key: &str, owner: Owner, lease: Duration) -> Result<bool, Unavailable> {
        self.link.run(self.scripts.renew.key(self.key(key)).arg(owner.text()).arg(micros(lease))).await
    }

    async fn sent(&self, key: &str, owner: Owner) -> Result<bool, Unavailable> {
        let mut script = self.scripts.sent.key(self.key(key));
        self.link.run(script.arg(owner.text()).arg(millis(OUTCOMES_KEPT))).await
    }

    async fn finish(
        &self,
        key: &str,
        owner: Owner,
        outcome: Bytes,
        keep: Duration,
    ) -> Result<(), Unavailable> {
        let mut script = self.scripts.finish.key(self.key(key));
        self.link.run(script.arg(owner.text()).arg(&outcome[..]).arg(millis(keep))).await
    }

    async fn forget(&self, key: &str, owner: Owner) -> Result<(), Unavailable> {
        self.link.run(self.scripts.forget.key(self.key(key)).arg(owner.text())).await
    }
}

impl Owner {
    fn text(self) -> String {
        format!("{:032x}", self.0)
    }
}
