//! Notices by Redis' publish and subscribe, on a connection of their own.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{link::Link, listen::listen};
use crate::store::{Notice, Notices, Unavailable};

/// How many notices a subscriber may be behind.
const CAPACITY: usize = 1024;
const REPLICA: usize = 16;

/// Notices to and from other replicas.
#[derive(Debug)]
pub(super) struct RedisNotices {
    link: Arc<Link>,
    replica: [u8; REPLICA],
    subscribers: Mutex<Vec<Subscriber>>,
}

#[derive(Debug)]
struct Subscriber {
    sender: mpsc::Sender<Notice>,
    /// It is full, and a gap is the last thing in it.
    behind: bool,
}

impl Subscriber {
    /// Keeps the last place for the gap, so that whoever is behind hears of it in any case.
    fn tell(&mut self, notice: &Notice) {
        self.behind &= self.sender.capacity() <= 1;
        if self.behind {
            return;
        }
        self.behind = self.sender.capacity() <= 1;
        let notice = if self.behind { Notice::Gap } else { notice.clone() };
        // Room was looked for, and whoever has gone hears nothing.
        drop(self.sender.try_send(notice));
    }
}

impl RedisNotices {
    pub(super) fn new(link: Arc<Link>, replica: u128) -> Self {
        Self { link, replica: replica.to_be_bytes(), subscribers: Mutex::default() }
    }

    fn channel(&self) -> String {
        self.link.key(&["notices"])
    }

    /// Listens as long as it is polled, and comes back whenever it is cut off.
    pub(super) async fn listen(&self) {
        listen(&self.link, &self.channel(), |said| match said {
            Some(payload) => self.said(payload),
            None => self.tell(&Notice::Gap),
        })
        .await;
    }

    fn said(&self, payload: &[u8]) {
        if let Some((replica, notice)) = payload.split_at_checked(REPLICA)
            && replica != self.replica
        {
            self.tell(&Notice::Said(Bytes::copy_from_slice(notice)));
        }
    }

    fn tell(&self, notice: &Notice) {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| !subscriber.sender.is_closed());
        subscribers.iter_mut().for_each(|subscriber| subscriber.tell(notice));
    }
}

#[async_trait]
impl Notices for RedisNotices {
    async fn publish(&self, notice: Bytes) -> Result<(), Unavailable> {
        let payload = [&self.replica[..], &notice].concat();
        self.link.send(redis::cmd("PUBLISH").arg(self.channel()).arg(payload)).await
    }

    fn subscribe(&self) -> mpsc::Receiver<Notice> {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.push(Subscriber { sender, behind: false });
        receiver
    }
}
