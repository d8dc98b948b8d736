//! A rate as the spacing of calls, for the generic cell rate algorithm.

use std::time::Duration;

use super::{Rate, micros};

/// The spacing of calls, and how many of them may be run up at rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spacing {
    /// From one call to the next, in microseconds.
    pub(super) each: u64,
    burst: u64,
}

impl Spacing {
    /// Half of an operation's places may be taken at once, and the one in the middle.
    pub(super) fn of_operation(rate: Rate) -> Self {
        Self { each: micros(rate.per) / u64::from(rate.calls.max(1)), burst: u64::from(rate.calls / 2) }
    }

    /// A fifth of the window as burst and the rest as rate, so that both together stay below the limit.
    pub(super) fn of_egress(rate: Rate) -> Self {
        let burst = (rate.calls / 5).max(1);
        let rest = rate.calls.saturating_sub(burst).max(1);
        Self { each: micros(rate.per) / u64::from(rest), burst: u64::from(burst - 1) }
    }

    /// Calls that may go at once where those before are so far ahead of their turns.
    pub(super) fn room(&self, ahead: Duration) -> u32 {
        let left = self.allowance().checked_sub(micros(ahead));
        left.map_or(0, |left| u32::try_from(left / self.each.max(1) + 1).unwrap_or(u32::MAX))
    }

    /// How far ahead of its turn a call may go, in microseconds.
    pub(super) fn allowance(&self) -> u64 {
        self.burst * self.each
    }
}
