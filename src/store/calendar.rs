//! The time of day, and months as DingTalk counts them: in China, which knows no summer time.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::micros;

const SECOND: u64 = 1_000_000;
const DAY: u64 = 24 * 3600 * SECOND;
const CHINA: u64 = 8 * 3600 * SECOND;

/// The time of day, as it passes for tokio.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    unix: u64,
}

impl Default for Clock {
    fn default() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), unix: micros(unix) }
    }
}

impl Clock {
    /// Microseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.unix + micros(self.started.elapsed())
    }
}

/// A month of China's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Month {
    /// Such as 202611.
    pub(super) number: u64,
    /// When the next one begins, in microseconds since 1970.
    pub(super) ends: u64,
}

impl Month {
    /// The month at this time, in microseconds since 1970.
    pub(super) fn at(now: u64) -> Self {
        let days = (now + CHINA) / DAY;
        // A year in which this cannot be over yet, and the day it begins.
        let (mut year, mut month) = (1970 + days / 366, 1);
        let leaps_before = |year| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
        let mut begins = 365 * (year - 1970) + leaps_before(year) - leaps_before(1970);
        loop {
            let next = begins + days_of(year, month);
            if days < next {
                return Self { number: year * 100 + month, ends: next * DAY - CHINA };
            }
            begins = next;
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
    }
}

/// When DingTalk begins to count the calls of a new month.
pub fn month_end(now: SystemTime) -> SystemTime {
    let unix = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_micros(Month::at(micros(unix)).ends)
}

fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_change_at_midnight_in_china() {
        // (seconds since 1970, the month then, seconds until it ends)
        for (now, number, left) in [
            (0, 197_001, 31 * 86_400 - 8 * 3600),
            (1_793_462_399, 202_610, 1),           // 2026-10-31T15:59:59Z
            (1_793_462_400, 202_611, 30 * 86_400), // 2026-10-31T16:00:00Z
            (1_709_222_399, 202_402, 1),           // 2024-02-29T15:59:59Z
            (1_798_732_799, 202_612, 1),           // 2026-12-31T15:59:59Z
            (1_798_732_800, 202_701, 31 * 86_400), // 2026-12-31T16:00:00Z
        ] {
            let month = Month::at(now * SECOND);
            assert_eq!((month.number, month.ends / SECOND - now), (number, left), "{now}");
        }
    }
}
