//! What became of the calls.

use std::cell::RefCell;

use tokio::time::Instant;

use crate::histogram::Latencies;

/// Latencies between `begin` and `end`; the rest always.
#[derive(Debug, Default)]
pub(super) struct Tally(RefCell<Counted>);

#[derive(Debug, Default)]
pub(super) struct Counted {
    counting: bool,
    pub(super) latencies: Latencies,
    pub(super) answered: u64,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

impl Tally {
    pub(super) fn answered(&self, meant: Instant, outcome: Result<(), String>) {
        let mut counted = self.0.borrow_mut();
        match outcome {
            Ok(()) => {
                counted.answered += 1;
                if counted.counting {
                    counted.latencies.record(meant.elapsed());
                }
            }
            Err(error) => {
                counted.errors += 1;
                counted.first_error.get_or_insert(error);
            }
        }
    }

    pub(super) fn begin(&self) {
        self.0.borrow_mut().counting = true;
    }

    pub(super) fn end(&self) -> Counted {
        self.0.take()
    }
}
