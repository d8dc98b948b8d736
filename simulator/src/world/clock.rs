//! The world's time: Unix milliseconds that pass as tokio's do, so that a test may stop the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Clock {
    unix_ms: i64,
    at: Instant,
}

impl Clock {
    pub(super) fn start() -> Clock {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { unix_ms: i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX), at: Instant::now() }
    }

    pub(super) fn now_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.unix_ms.saturating_add(elapsed)
    }
}
