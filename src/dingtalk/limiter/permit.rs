//! The right to send one request, and what becomes of its place.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::queue::Queue;
use crate::store::Slot;

/// A place that is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: Slot,
    /// Not before this.
    pub(super) at: Instant,
    /// The earliest moment at which the place can have begun: as long as asking took before `at`.
    pub(super) begin: Instant,
}

/// The right to send one request. Gives its place back when it is dropped unused.
#[derive(Debug)]
pub(in crate::dingtalk) struct Permit {
    queue: Arc<Queue>,
    place: Option<Place>,
}

impl Permit {
    pub(super) fn new(queue: Arc<Queue>, place: Place) -> Self {
        Self { queue, place: Some(place) }
    }

    /// Takes the place out of a permit that nobody heard of.
    pub(super) fn into_place(mut self) -> Option<Place> {
        self.place.take()
    }

    /// The request goes out now.
    pub(in crate::dingtalk) fn send(mut self) -> Flight {
        let place = self.place.take().expect("a permit has its place until it is used");
        Flight { queue: self.queue.clone(), place, sent: Instant::now() }
    }
}

/// A request on its way. When it ends, its place is held for as long as it takes until DingTalk must have counted it
/// a whole window ago.
#[derive(Debug)]
pub(in crate::dingtalk) struct Flight {
    queue: Arc<Queue>,
    place: Place,
    sent: Instant,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.queue.clone().ended(self.place, self.sent);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.queue.clone().give_back([place]);
        }
    }
}

/// The shortest time in which DingTalk has lately answered. An answer that took longer may have been on its way in
/// for the rest of the time.
#[derive(Debug, Default)]
pub(super) struct Floor {
    shortest: Option<Duration>,
    before: Option<Duration>,
    count: u32,
}

impl Floor {
    /// After so many answers the shortest of them replaces the one before.
    const WINDOW: u32 = 50;
    /// Of fewer answers nothing is concluded.
    const ENOUGH: u32 = 10;

    /// How late, at most, DingTalk can have counted a call after its place began.
    pub(super) fn late(&mut self, begin: Instant, sent: Instant, answered: Instant) -> Duration {
        let took = answered - sent;
        self.shortest = Some(self.shortest.map_or(took, |shortest| shortest.min(took)));
        let floor = self.value();
        self.count += 1;
        if self.count >= Self::WINDOW {
            *self = Self { shortest: None, before: self.shortest, count: 0 };
        }
        (answered - begin).saturating_sub(floor)
    }

    fn value(&self) -> Duration {
        if self.before.is_none() && self.count < Self::ENOUGH {
            return Duration::ZERO;
        }
        self.shortest.into_iter().chain(self.before).min().unwrap_or_default()
    }
}
