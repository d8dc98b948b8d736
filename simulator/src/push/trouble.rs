//! Trouble on demand, for tests of those who are pushed to.

use super::connections::{Order, Silence};
use super::{Pushes, State};
use crate::quotas::{Gate, Moment};

impl Pushes {
    /// No event is pushed until [`Pushes::release`].
    pub(crate) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Pushes what was held back, the last first if `reversed`.
    pub(crate) fn release(&mut self, reversed: bool, gate: &mut Gate, now: Moment) {
        let mut held = self.held.take().unwrap_or_default();
        if reversed {
            held.reverse();
        }
        for number in held {
            self.attempt(number, gate, now);
        }
        self.release_posts(reversed);
        self.changed();
    }

    /// Pushes an event once more, whatever became of it; false if there is none, or nobody to push it to.
    pub(crate) fn push_again(&mut self, id: &str, now: Moment) -> bool {
        let Some(index) = self.records.iter().rposition(|record| record.event.id == id) else { return false };
        let (event, number) = (self.records[index].event.clone(), self.forgotten + 1 + index as u64);
        let posted = self.post_again(number, &event);
        if !self.send(number, &event, now, false) {
            return posted;
        }
        if self.records[index].state == State::Waiting {
            self.set_state(number, State::Pushed);
        }
        self.count(&event.app_key).redelivered += 1;
        self.changed();
        true
    }

    /// Sends SYSTEM disconnect to the connections of an app; how many there were.
    pub(crate) fn disconnect(&mut self, app_key: &str, reason: &str, now: Moment) -> usize {
        let numbers: Vec<u64> = self.connections.of(app_key).map(|(number, _)| number).collect();
        numbers.iter().for_each(|number| self.send_away(*number, reason, now));
        numbers.len()
    }

    /// Cuts the connections of an app; how many there were.
    pub(crate) fn cut(&self, app_key: &str) -> usize {
        self.order(app_key, || Order::Cut)
    }

    /// Makes the connections of an app silent; how many there were.
    pub(crate) fn silence(&self, app_key: &str, silence: Silence) -> usize {
        self.order(app_key, || Order::Silence(silence))
    }

    /// Sends any text over the connections of an app; how many there were.
    pub(crate) fn send_text(&self, app_key: &str, text: &str) -> usize {
        self.order(app_key, || Order::Send(text.to_owned()))
    }

    /// No ticket handed out so far is good any more.
    pub(crate) fn expire_tickets(&mut self) {
        self.connections.expire_tickets();
    }

    /// The names of an app's open connections, oldest first.
    pub(crate) fn connection_names(&self, app_key: &str) -> Vec<String> {
        self.connections.of(app_key).map(|(_, connection)| connection.name.clone()).collect()
    }

    fn order(&self, app_key: &str, order: impl Fn() -> Order) -> usize {
        let connections = self.connections.of(app_key);
        connections.map(|(_, connection)| connection.order(order())).count()
    }
}
