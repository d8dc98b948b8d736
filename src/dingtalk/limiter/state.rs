//! What a queue knows at a moment: who waits, which places are taken, and when whose turn can come.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::{
    line::{Line, Ticket},
    permit::{Floor, Permit, Place},
};
use crate::{
    dingtalk::error::Error,
    store::{Limit, Rate},
};

/// Places are taken ahead of time for this share of a window. More would be lost with a replica that dies, and would
/// be seconds that an urgent call at another replica waits for; less would let replicas share by luck and not by need.
const AHEAD: f64 = 0.4;

/// The state of a queue, behind its lock.
#[derive(Debug)]
pub(super) struct State {
    rate: Rate,
    pub(super) line: Line<Waiter>,
    /// Taken, and not handed out yet; the earliest first.
    pub(super) places: VecDeque<Place>,
    /// Nothing is to be had before this.
    pub(super) closed: Option<(Instant, Limit)>,
    /// What the last wait came from.
    pub(super) limit: Limit,
    /// Those who ask for themselves because nobody waits.
    pub(super) asking: usize,
    pub(super) is_pumped: bool,
    /// The weight of those who wait at all replicas, for each one here; at least 1.
    pub(super) competition: f64,
    pub(super) floor: Floor,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) answer: oneshot::Sender<Result<Permit, Error>>,
    pub(super) deadline: Instant,
}

/// What the store answered, on our clock.
pub(super) enum Answer {
    Place(Place, Limit),
    Later(Instant, Limit),
}

impl State {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            line: Line::new(),
            places: VecDeque::new(),
            closed: None,
            limit: Limit::Operation,
            asking: 0,
            is_pumped: false,
            competition: 1.0,
            floor: Floor::default(),
        }
    }

    pub(super) fn take_up(&mut self, answer: Answer) {
        match answer {
            Answer::Place(place, limit) => {
                (self.closed, self.limit) = (None, limit);
                let index = self.places.partition_point(|other| other.at <= place.at);
                self.places.insert(index, place);
            }
            Answer::Later(until, limit) => (self.closed, self.limit) = (Some((until, limit)), limit),
        }
    }

    pub(super) fn closed_until(&self, now: Instant) -> Option<(Instant, Limit)> {
        self.closed.filter(|(until, _)| *until > now)
    }

    /// Those who cannot wait that long need not.
    pub(super) fn refuse_late(&mut self, until: Instant, limit: Limit) {
        for waiter in self.line.take_if(|waiter| waiter.deadline < until) {
            // Nobody may be left to hear it.
            let _ = waiter.answer.send(Err(refused(limit, until)));
        }
    }

    /// When this one's turn comes at the earliest, by what is known now.
    pub(super) fn expected(&self, ticket: Ticket) -> Instant {
        let (now, ahead) = (Instant::now(), self.line.ahead(ticket));
        if let Some(place) = self.places.get(ahead) {
            return place.at;
        }
        let first = self.closed_until(now).map_or(now, |(until, _)| until);
        let at = match self.places.back() {
            Some(last) if last.at > now => last.at + self.spacing() * count(ahead + 1 - self.places.len()),
            // Nothing is known of the next places: a whole window of them may be there at once.
            _ => now + self.spacing() * count(ahead.saturating_sub(self.rate.calls as usize)),
        };
        at.max(first)
    }

    /// What lies between two places of ours while all are in use.
    fn spacing(&self) -> Duration {
        (self.rate.per / self.rate.calls.max(1)).mul_f64(self.competition)
    }

    /// How many places to take ahead: as many as our part of those who wait at all replicas.
    pub(super) fn ahead(&self) -> usize {
        let window = f64::from(self.rate.calls) * AHEAD / self.competition;
        // Both are small and positive.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let places = window.ceil().max(1.0) as usize;
        places
    }
}

/// The refusal of a call for which there is no place before `at`.
pub(super) fn refused(limit: Limit, at: Instant) -> Error {
    Error::RateLimited { limit, retry_after: at.saturating_duration_since(Instant::now()) }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
