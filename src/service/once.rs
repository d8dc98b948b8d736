//! `request_id`: the same answer for the same request, for a day, from any replica. Who asks again while the first is at
//! work waits for it; the work goes on when its caller leaves.
//!
//! What is kept is what was answered, as bytes: the response, or a status that is final. A failure that is not is shared
//! by those of this replica who wait for it, and then forgotten, so that the next attempt is a new one.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tracing::warn;

use crate::{
    dingtalk::Claimed,
    store::{Claim, Outcomes, Owner, Unavailable},
    trace::Follow as _,
};

/// How long outcomes are kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long others wait for a replica that is not heard of any more.
const LEASE: Duration = Duration::from_secs(10);
/// How often the lease is renewed: two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(3);
/// How soon to look whether another replica is done; then after twice the time, and so on.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// No look is later than this.
const LAST_LOOK: Duration = Duration::from_millis(500);
/// How often, a second apart, to tell a store that is out of reach how it ended.
const TOLD_AT_MOST: u32 = 60;

/// What a request is known by.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    key: Arc<str>,
    fingerprint: [u8; 32],
}

impl Identity {
    /// `caller` is empty where nobody is known; `payload` is everything that must not differ under the same id.
    pub(super) fn new(caller: &str, app: &str, rpc: &str, request_id: &str, payload: &[u8]) -> Self {
        // Only the caller may contain a slash beside the one of the RPC, so no two of them share a key.
        let key = format!("{rpc}/{app}/{request_id}/{caller}").into();
        Self { key, fingerprint: Sha256::digest(payload).into() }
    }
}

/// How a piece of work ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// What is answered.
    pub(super) answer: Bytes,
    /// Whether the same request can only ever be answered so.
    pub(super) is_final: bool,
}

/// Why a request under a `request_id` has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Refusal {
    /// The id came with another request.
    #[error("this request_id was used for another request")]
    Reused,
    /// Somebody else is at it, and there is no time left to wait for them.
    #[error("the same request is still being worked on")]
    InProgress,
    /// It was begun, and nobody knows how it ended.
    #[error(
        "it is not known whether an earlier attempt was carried out; find out before you take a new request_id"
    )]
    InDoubt,
    /// Nobody can tell whether it was done before.
    #[error("nothing was done, because it cannot be told whether it was done before: {0}")]
    Unavailable(#[from] Unavailable),
}

type Answer = Result<Bytes, Refusal>;

/// The outcomes of all writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Once {
    outcomes: Arc<dyn Outcomes>,
    at_work: Arc<Mutex<HashMap<Arc<str>, Job>>>,
}

/// Work of this replica, and where it is answered.
#[derive(Debug)]
struct Job {
    fingerprint: [u8; 32],
    answer: watch::Sender<Option<Answer>>,
}

impl Once {
    /// Keeps outcomes there.
    pub fn new(outcomes: Arc<dyn Outcomes>) -> Self {
        Self { outcomes, at_work: Arc::default() }
    }

    /// Does the work, or answers as it was answered before. The work has to end by the deadline by itself.
    pub(super) async fn run<F>(
        &self,
        identity: Identity,
        deadline: Instant,
        work: impl FnOnce(Claimed) -> F + Send + 'static,
    ) -> Answer
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        let (mut told, place) = self.join(identity)?;
        let told = told.wait_for(Option::is_some);
        let told = match place {
            Some(place) => {
                tokio::spawn(place.work(deadline, work).followed());
                told.await
            }
            None => timeout_at(deadline, told).await.map_err(|_| Refusal::InProgress)?,
        };
        // The task tells everybody before it ends, unless it panics.
        told.ok().and_then(|answer| answer.clone()).unwrap_or(Err(Refusal::InDoubt))
    }

    /// Hears of the work that is under way here, or gets the place to do it.
    fn join(&self, identity: Identity) -> Result<(watch::Receiver<Option<Answer>>, Option<Place>), Refusal> {
        let mut at_work = self.at_work();
        match at_work.get(&identity.key) {
            Some(job) if job.fingerprint != identity.fingerprint => Err(Refusal::Reused),
            Some(job) => Ok((job.answer.subscribe(), None)),
            None => {
                let (answer, told) = watch::channel(None);
                let job = Job { fingerprint: identity.fingerprint, answer: answer.clone() };
                at_work.insert(identity.key.clone(), job);
                Ok((told, Some(Place { once: self.clone(), identity, answer })))
            }
        }
    }

    fn at_work(&self) -> MutexGuard<'_, HashMap<Arc<str>, Job>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of the one who does the work. It is left when the work is answered, and when it panics.
struct Place {
    once: Once,
    identity: Identity,
    answer: watch::Sender<Option<Answer>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Place {
    async fn work<F>(self, deadline: Instant, work: impl FnOnce(Claimed) -> F)
    where
        F: Future<Output = Ended>,
    {
        let owner = match self.claim(deadline).await {
            Some(Ok(owner)) => owner,
            Some(Err(answer)) => return self.tell(answer),
            None => return,
        };
        let (outcomes, key) = (self.once.outcomes.clone(), self.identity.key.clone());
        let ended = select! {
            ended = work(Claimed::new(outcomes.clone(), key.clone(), owner)) => ended,
            never = renew(&*outcomes, &key, owner) => match never {},
        };
        let recorded = timeout_at(deadline, self.record(owner, &ended)).await;
        // Told after it is recorded, so that whoever repeats it finds it; but callers do not wait for a lame store.
        self.tell(Ok(ended.answer.clone()));
        if !matches!(recorded, Ok(true)) {
            self.record_later(owner, &ended).await;
        }
    }

    /// The claim, or the answer that makes it needless; none when everybody has left who wanted to know.
    async fn claim(&self, deadline: Instant) -> Option<Result<Owner, Answer>> {
        let Identity { key, fingerprint } = &self.identity;
        let mut look = FIRST_LOOK;
        loop {
            let claim = timeout_at(deadline, self.once.outcomes.claim(key, fingerprint, LEASE)).await;
            let in_time = claim.unwrap_or_else(|_| Err(Unavailable("no answer in time".to_owned())));
            match in_time {
                Ok(Claim::Mine(owner)) => return Some(Ok(owner)),
                Ok(Claim::Done(answer)) => return Some(Err(Ok(answer))),
                Ok(Claim::Reused) => return Some(Err(Err(Refusal::Reused))),
                Ok(Claim::InDoubt) => return Some(Err(Err(Refusal::InDoubt))),
                Err(unavailable) => return Some(Err(Err(unavailable.into()))),
                Ok(Claim::Busy) if Instant::now() + look >= deadline => {
                    return Some(Err(Err(Refusal::InProgress)));
                }
                Ok(Claim::Busy) => sleep(look).await,
            }
            if self.is_abandoned() {
                return None;
            }
            look = (look * 2).min(LAST_LOOK);
        }
    }

    /// Tells the store how it ended; false if it cannot be told.
    async fn record(&self, owner: Owner, ended: &Ended) -> bool {
        let (outcomes, key) = (&self.once.outcomes, &self.identity.key);
        let recorded = if ended.is_final {
            outcomes.finish(key, owner, ended.answer.clone(), KEPT).await
        } else {
            outcomes.forget(key, owner).await
        };
        recorded.inspect_err(|error| warn!(%key, %error, "the outcome of a request was not recorded")).is_ok()
    }

    /// The store is told when it is back: until then others find work under way or in doubt, and do not send it again.
    async fn record_later(&self, owner: Owner, ended: &Ended) {
        for _ in 0..TOLD_AT_MOST {
            sleep(Duration::from_secs(1)).await;
            if self.record(owner, ended).await {
                return;
            }
        }
    }

    fn is_abandoned(&self) -> bool {
        // Under the lock, because somebody may be joining.
        let mut at_work = self.once.at_work();
        let abandoned = self.answer.is_closed();
        if abandoned {
            at_work.remove(&self.identity.key);
        }
        abandoned
    }

    /// Leaves first: who comes after the answer is not to be told an old one.
    fn tell(&self, answer: Answer) {
        self.leave();
        self.answer.send_replace(Some(answer));
    }

    /// Another may have the place already.
    fn leave(&self) {
        let mut at_work = self.once.at_work();
        if at_work.get(&self.identity.key).is_some_and(|job| job.answer.same_channel(&self.answer)) {
            at_work.remove(&self.identity.key);
        }
    }
}

/// Holds the claim as long as it is polled.
async fn renew(outcomes: &dyn Outcomes, key: &str, owner: Owner) -> Infallible {
    loop {
        sleep(RENEWAL).await;
        match outcomes.renew(key, owner, LEASE).await {
            Ok(true) => {}
            // The work goes on: what acts again when repeated asks before it is sent.
            Ok(false) => warn!(key, "the claim on a request_id was lost"),
            Err(error) => warn!(key, %error, "the claim on a request_id was not renewed"),
        }
    }
}

#[cfg(test)]
mod tests;
