//! Notices where there is nobody else.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::store::{Notice, Notices, Unavailable};

/// Nobody else hears, so nobody is told, and subscribers wait for ever.
#[derive(Debug, Default)]
pub struct MemoryNotices {
    /// A channel without a sender would tell its receiver that it is over.
    silent: Mutex<Vec<mpsc::Sender<Notice>>>,
}

#[async_trait]
impl Notices for MemoryNotices {
    async fn publish(&self, _notice: Bytes) -> Result<(), Unavailable> {
        Ok(())
    }

    fn subscribe(&self) -> mpsc::Receiver<Notice> {
        let (sender, receiver) = mpsc::channel(1);
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.retain(|sender| !sender.is_closed());
        silent.push(sender);
        receiver
    }
}
