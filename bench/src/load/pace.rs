//! When calls are due.

use std::{thread, time::Duration};

use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};

/// The times at which calls are meant to be sent, each when it has come: so many a second. From a thread of its own,
/// because tokio's clock ticks in milliseconds.
pub(super) fn pace(rate: f64) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    let interval = Duration::from_secs_f64(1.0 / rate);
    thread::spawn(move || {
        let mut due = Instant::now();
        loop {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
            due += interval;
        }
    });
    receiver
}
