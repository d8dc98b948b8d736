//! Facts in Redis.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::{link::Link, millis};
use crate::store::{Facts, Unavailable};

/// Facts that all replicas share.
#[derive(Debug)]
pub(super) struct RedisFacts(pub(super) Arc<Link>);

#[async_trait]
impl Facts for RedisFacts {
    async fn recall(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        self.0.send(redis::cmd("GET").arg(self.0.key(&["fact", key]))).await
    }

    async fn remember(&self, key: &str, fact: Bytes, keep: Option<Duration>) -> Result<(), Unavailable> {
        let mut command = redis::cmd("SET");
        command.arg(self.0.key(&["fact", key])).arg(&fact[..]);
        if let Some(keep) = keep {
            command.arg("PX").arg(millis(keep));
        }
        self.0.send(&command).await
    }
}
