//! A sliding window: stricter than one that starts anew at each full second, because it has no edge to crowd around.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The latest arrivals, no more than the limit.
#[derive(Debug, Default)]
pub(super) struct Window {
    arrivals: VecDeque<Instant>,
}

impl Window {
    /// When the next one may arrive, if that is not now.
    pub(super) fn full_until(&self, limit: u32, period: Duration, now: Instant) -> Option<Instant> {
        if limit == 0 {
            return Some(now + period);
        }
        let oldest = self.arrivals.len().checked_sub(limit as usize)?;
        let until = self.arrivals[oldest] + period;
        (until > now).then_some(until)
    }

    pub(super) fn push(&mut self, limit: u32, now: Instant) {
        while self.arrivals.len() >= limit.max(1) as usize {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn no_second_wherever_it_begins_takes_more_than_the_limit() {
        let (start, mut window) = (Instant::now(), Window::default());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 900, 950] {
            assert_eq!(window.full_until(3, SECOND, at(ms)), None);
            window.push(3, at(ms));
        }
        assert_eq!(window.full_until(3, SECOND, at(999)), Some(at(1000)));
        assert_eq!(window.full_until(3, SECOND, at(1000)), None);
        window.push(3, at(1000));
        assert_eq!(window.full_until(3, SECOND, at(1001)), Some(at(1900)), "a fixed window would begin anew");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_may_change_on_the_way() {
        let (now, mut window) = (Instant::now(), Window::default());
        assert_eq!(window.full_until(0, SECOND, now), Some(now + SECOND));
        for _ in 0..5 {
            window.push(5, now);
        }
        assert!(window.full_until(2, SECOND, now).is_some());
        assert!(window.full_until(6, SECOND, now).is_none());
    }
}
