//! Facts in memory: the least used go when there are too many.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::time::Instant;

use crate::store::{Facts, Unavailable};

const CAPACITY: u64 = 32 * 1024 * 1024;
/// What an entry costs beside its bytes, about.
const OVERHEAD: usize = 200;

/// Facts of this process.
#[derive(Debug)]
pub struct MemoryFacts {
    facts: Cache<String, Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    fact: Bytes,
    until: Option<Instant>,
}

impl Default for MemoryFacts {
    fn default() -> Self {
        let weigh = |key: &String, kept: &Kept| {
            u32::try_from(key.len() + kept.fact.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let facts = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(weigh)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { facts }
    }
}

#[async_trait]
impl Facts for MemoryFacts {
    async fn recall(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        let now = Instant::now();
        let kept = self.facts.get(key).filter(|kept| kept.until.is_none_or(|until| now < until));
        Ok(kept.map(|kept| kept.fact))
    }

    async fn remember(&self, key: &str, fact: Bytes, keep: Option<Duration>) -> Result<(), Unavailable> {
        let until = keep.map(|keep| Instant::now() + keep);
        self.facts.insert(key.to_owned(), Kept { fact, until });
        Ok(())
    }
}
