//! Pushes over Stream connections: tickets, frames out, acknowledgements in.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::connections::Order;
use super::frame::{self, Ack};
use super::rules::Sharing;
use super::{Event, Pushes, Record, State};
use crate::quotas::Moment;
use crate::state::unix_ms;

/// In the `messageId` of frames that are no events.
const SYSTEM: &str = "system";

impl Pushes {
    /// A ticket for a connection of an app.
    pub(crate) fn register(&mut self, app_key: &str, wants_events: bool) -> String {
        self.count(app_key).tickets += 1;
        self.changed();
        self.connections.issue(app_key, wants_events, Duration::from_millis(self.rules.ticket_ms))
    }

    /// Opens a connection: its number and its orders. `None` if the ticket is not good, or not any more.
    pub(crate) fn open(&mut self, ticket: &str, now: Moment) -> Option<(u64, UnboundedReceiver<Order>)> {
        let (number, orders) = self.connections.open(ticket)?;
        let app_key = self.connections.get(number)?.app_key.clone();
        self.count(&app_key).opened += 1;
        if self.rules.sharing == Sharing::NewestWins {
            let older: Vec<u64> = self.connections.of(&app_key).map(|(older, _)| older).collect();
            for older in older.into_iter().filter(|older| *older != number) {
                self.send_away(older, "connection is replaced by a newer one", now);
            }
        }
        Some((number, orders))
    }

    /// The events that wait for a connection of the app that has just opened this one.
    pub(crate) fn awaited(&self, number: u64) -> Vec<u64> {
        let Some(connection) = self.connections.get(number) else { return Vec::new() };
        let waits = |record: &Record| {
            record.is_open() && record.due.is_none() && record.event.app_key == connection.app_key
        };
        let all = (self.forgotten + 1..).zip(&self.records);
        all.filter(|(_, record)| waits(record)).map(|(event, _)| event).collect()
    }

    /// A connection has ended.
    pub(crate) fn closed(&mut self, number: u64) {
        if let Some(connection) = self.connections.remove(number) {
            self.count(&connection.app_key).closed += 1;
            self.changed();
        }
    }

    /// Sends an event; false if there is nobody to send it to.
    pub(super) fn send(&mut self, number: u64, event: &Event, now: Moment, over_quota: bool) -> bool {
        let message_id = self.message_id(number);
        let Some(connection) = self.connections.choose(&event.app_key, self.rules.sharing) else {
            return false;
        };
        let text = frame::event(event, &connection.name, &message_id, unix_ms(now), over_quota);
        connection.order(Order::Send(text));
        self.count(&event.app_key).pushed += 1;
        true
    }

    /// Tells a connection that it is closed soon.
    pub(super) fn send_away(&mut self, number: u64, reason: &str, now: Moment) {
        let text = frame::disconnect(reason, &self.system_message_id(), unix_ms(now));
        self.connections.leave(number, text, Duration::from_millis(self.rules.close_ms));
    }

    /// A SYSTEM ping.
    pub(crate) fn ping(&mut self, now: Moment) -> String {
        frame::ping(&self.system_message_id(), unix_ms(now))
    }

    /// A text that came over a connection.
    pub(crate) fn heard(&mut self, connection: u64, text: &str) {
        let Some(app_key) = self.connections.get(connection).map(|connection| connection.app_key.clone())
        else {
            return;
        };
        let ack = Ack::read(text);
        let number = ack.as_ref().and_then(|ack| self.number_in(&ack.message_id));
        let number = number
            .filter(|number| self.record(*number).is_some_and(|record| record.event.app_key == app_key));
        match (ack, number) {
            (Some(ack), Some(number)) => self.acknowledge(&app_key, number, ack.done),
            (Some(ack), None) if ack.opaque.as_ref() == Some(&ack.message_id) => {
                self.count(&app_key).pongs += 1;
            }
            // Of a disconnect: some of the official SDKs send one.
            (Some(ack), None) if ack.opaque.is_none() && ack.message_id.contains(SYSTEM) => {}
            _ => self.count(&app_key).stray += 1,
        }
        self.changed();
    }

    fn acknowledge(&mut self, app_key: &str, number: u64, done: bool) {
        if !done {
            // It comes again when it would have come without an answer.
            self.count(app_key).later += 1;
            return;
        }
        let again = self.record(number).is_some_and(|record| record.state == State::Acked);
        let counters = self.count(app_key);
        counters.acked += u64::from(!again);
        counters.acked_again += u64::from(again);
        self.unschedule(number);
        self.set_state(number, State::Acked);
    }

    /// With the number of the event, so that an acknowledgement finds it.
    fn message_id(&mut self, number: u64) -> String {
        if !self.rules.fresh_message_ids {
            return format!("{:08x}_{number}", self.run);
        }
        self.messages += 1;
        format!("{:08x}_{number}_{:x}", self.run, self.messages)
    }

    fn system_message_id(&mut self) -> String {
        self.messages += 1;
        format!("{:08x}_{SYSTEM}_{:x}", self.run, self.messages)
    }

    fn number_in(&self, message_id: &str) -> Option<u64> {
        let mut parts = message_id.split('_');
        let run = u32::from_str_radix(parts.next()?, 16).ok()?;
        parts.next()?.parse().ok().filter(|_| run == self.run)
    }
}
