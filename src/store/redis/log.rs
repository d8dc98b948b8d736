//! Logs in Redis: a stream for each, what is known of it, and the ids that it has met. Places are those of the stream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Script, ScriptInvocation};
use tokio::sync::watch;

use super::{leases, link::Link, listen::listen, millis, script::Scripts};
use crate::store::{
    AppendError, Entry, Extent, Fence, Log, Page, Position, Retention, Unavailable, log::PAGE_MAX_BYTES,
};

/// Logs that all replicas share.
#[derive(Debug)]
pub(super) struct RedisLog {
    link: Arc<Link>,
    scripts: Scripts,
    changed: Mutex<HashMap<String, watch::Sender<u64>>>,
}

impl RedisLog {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, scripts: Scripts::default(), changed: Mutex::default() }
    }

    fn channel(&self) -> String {
        self.link.key(&["appended"])
    }

    /// Listens to who appends, as long as it is polled.
    pub(super) async fn listen(&self) {
        listen(&self.link, &self.channel(), |log| self.has_changed(log)).await;
    }

    /// This log, or any.
    fn has_changed(&self, log: Option<&[u8]>) {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let of_log = changed.iter().filter(|(name, _)| log.is_none_or(|log| name.as_bytes() == log));
        of_log.for_each(|(_, sender)| sender.send_modify(|count| *count += 1));
    }

    /// A script with what all scripts on logs begin with.
    fn script<'s>(&self, script: &'s Script, log: &str, run: &str) -> ScriptInvocation<'s> {
        let mut script = script.key(self.link.key(&["log", log]));
        script.key(self.link.key(&["log-head", log])).arg(run).arg(rand::random_range(1..=u64::MAX));
        script
    }
}

#[async_trait]
impl Log for RedisLog {
    async fn append(
        &self,
        log: &str,
        fence: Option<&Fence>,
        entries: &[Entry],
        keep: Retention,
    ) -> Result<Vec<Option<Position>>, AppendError> {
        let script = |run: &str| {
            let mut script = self.script(&self.scripts.append, log, run);
            script.key(self.link.key(&["log-ids", log]));
            script.key(leases::key(&self.link, fence.map_or("", |fence| &fence.lease)));
            script.arg(fence.map(|fence| fence.number.to_string()).unwrap_or_default());
            script.arg(millis(keep.time)).arg(keep.count).arg(millis(keep.ids()));
            script.arg(keep.ids_count());
            script.arg(self.channel()).arg(log);
            for entry in entries {
                script.arg(entry.id.as_deref().unwrap_or_default()).arg(&entry.body[..]);
            }
            script
        };
        let (appended, positions): (bool, Vec<String>) = self.link.run_of(script).await?;
        if !appended {
            return Err(AppendError::Deposed);
        }
        Ok(positions.iter().map(|position| parse(position)).collect())
    }

    async fn read(&self, log: &str, after: Position, limit: usize) -> Result<Page, Unavailable> {
        let script = |run: &str| {
            let mut script = self.script(&self.scripts.read, log, run);
            script.arg(format!("{}-{}", after.millis, after.number)).arg(limit).arg(PAGE_MAX_BYTES);
            script
        };
        let (epoch, began, trimmed, last, found): (u64, String, String, String, Vec<Bytes>) =
            self.link.run_of(script).await?;
        let place = |text: &str| parse(text).ok_or_else(|| Unavailable(format!("{text} is no place")));
        let mut entries = Vec::with_capacity(found.len() / 2);
        let mut found = found.into_iter();
        while let (Some(position), Some(body)) = (found.next(), found.next()) {
            entries.push((place(&String::from_utf8_lossy(&position))?, body));
        }
        let (began, trimmed, last) = (place(&began)?, place(&trimmed)?, place(&last)?);
        Ok(Page { entries, extent: Extent { epoch, began, trimmed, last } })
    }

    fn changes(&self, log: &str) -> watch::Receiver<u64> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.entry(log.to_owned()).or_insert_with(|| watch::channel(0).0).subscribe()
    }
}

fn parse(text: &str) -> Option<Position> {
    let (millis, number) = text.split_once('-')?;
    Some(Position { millis: millis.parse().ok()?, number: number.parse().ok()? })
}
