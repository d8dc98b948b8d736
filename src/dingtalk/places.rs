//! How many requests are under way at the same time.

use std::time::Duration;

use tokio::{
    select,
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::sleep,
};

/// So many begin at once.
const FEW: usize = 64;
/// A further one begins after this. Together that is what DingTalk takes from an address, 500 in a second, also while each
/// takes half a second.
const PAUSE: Duration = Duration::from_millis(2);

/// The places of requests. One for which no connection is idle opens one, which takes longer than most requests: after any
/// delay all that have waited would open their own, and be the next delay. So where `FEW` are under way the others wait
/// for them; and because those may be slow for reasons of their own, one of the others goes on in every pause.
#[derive(Debug)]
pub(super) struct Places {
    few: Semaphore,
    more: Semaphore,
    /// Of the one who waits for a pause to be over.
    turn: Mutex<()>,
}

impl Places {
    /// Never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        let few = most.min(FEW);
        Self { few: Semaphore::new(few), more: Semaphore::new(most - few), turn: Mutex::default() }
    }

    /// One of the places of the few that begin at once, until it is dropped. There is none where somebody waits.
    pub(super) fn at_once(&self) -> Option<SemaphorePermit<'_>> {
        self.few.try_acquire().ok()
    }

    /// A place, until it is dropped.
    pub(super) async fn take(&self) -> SemaphorePermit<'_> {
        select! {
            biased;
            place = self.few.acquire() => place.expect("nobody closes it"),
            place = self.one_more() => place,
        }
    }

    async fn one_more(&self) -> SemaphorePermit<'_> {
        let _turn = self.turn.lock().await;
        sleep(PAUSE).await;
        self.more.acquire().await.expect("nobody closes it")
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn few_begin_at_once_and_the_others_one_by_one_up_to_the_most() {
        let places = Places::new(FEW + 3);
        let few: Vec<_> = (0..FEW).map(|_| places.at_once().expect("one of the few")).collect();
        let begin = Instant::now();
        let mut more = Vec::new();
        for nth in 1..=3 {
            more.push(places.take().await);
            let waited = begin.elapsed();
            assert!(waited >= PAUSE * nth && waited < PAUSE * (nth + 1), "{nth}: {waited:?}");
        }
        assert!(timeout(Duration::from_secs(60), places.take()).await.is_err(), "no more than that");
        drop(few);
        assert!(places.at_once().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_takes_the_place_of_the_first_that_ends() {
        let places = Places::new(2 * FEW);
        let mut few: Vec<_> = (0..FEW).map(|_| places.at_once().expect("one of the few")).collect();
        let begin = Instant::now();
        let ends = async {
            sleep(PAUSE / 2).await;
            drop(few.pop());
            assert!(places.at_once().is_none(), "it is that of the one who waits");
        };
        let ((), _place) = tokio::join!(ends, places.take());
        assert!(begin.elapsed() < PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_the_line_holds_up_nobody() {
        let places = Places::new(FEW + 1);
        let _few: Vec<_> = (0..FEW).map(|_| places.at_once().expect("one of the few")).collect();
        assert!(timeout(PAUSE / 2, places.take()).await.is_err());
        assert!(timeout(2 * PAUSE, places.take()).await.is_ok());
    }
}
