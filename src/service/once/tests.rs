use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::*;
use crate::store::Store;

const DONE: &[u8] = b"done";

/// One replica; `others` share its store.
fn replica() -> Once {
    Once::new(Store::memory().outcomes)
}

fn others(replica: &Once) -> Once {
    Once::new(replica.outcomes.clone())
}

fn identity(payload: &str) -> Identity {
    Identity::new("", "demo", "package.Service/Rpc", "id", payload.as_bytes())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn done() -> Ended {
    Ended { answer: Bytes::from_static(DONE), is_final: true }
}

fn refused() -> Ended {
    Ended { answer: Bytes::from_static(b"refused"), is_final: false }
}

/// Counts how often the work is done; each piece of work takes a second.
#[derive(Clone, Default)]
struct Worker(Arc<AtomicU32>);

impl Worker {
    async fn work(self, ended: Ended) -> Ended {
        self.0.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_secs(1)).await;
        ended
    }

    async fn run(&self, once: &Once, payload: &str, ended: Ended) -> Answer {
        let worker = self.clone();
        once.run(identity(payload), soon(), |_| worker.work(ended)).await
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_request_is_done_once_also_while_it_is_under_way() {
    let (once, worker) = (replica(), Worker::default());
    let crowd = (0..10).map(|i| {
        let once = if i % 2 == 0 { once.clone() } else { others(&once) };
        let worker = worker.clone();
        tokio::spawn(async move { worker.run(&once, "payload", done()).await })
    });
    for caller in crowd.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap().unwrap(), DONE);
    }
    assert_eq!(worker.run(&once, "payload", refused()).await.unwrap(), DONE);
    assert_eq!(worker.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_apps_rpcs_and_ids_do_not_share_an_answer() {
    let (once, worker) = (replica(), Worker::default());
    let known_by = [
        ["", "demo", "package.Service/Rpc", "id"],
        ["somebody", "demo", "package.Service/Rpc", "id"],
        ["", "other", "package.Service/Rpc", "id"],
        ["", "demo", "package.Service/Another", "id"],
        ["", "demo", "package.Service/Rpc", "another"],
    ];
    for [caller, app, rpc, request_id] in known_by {
        let identity = Identity::new(caller, app, rpc, request_id, b"payload");
        let worker = worker.clone();
        once.run(identity, soon(), |_| worker.work(done())).await.unwrap();
    }
    assert_eq!(worker.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_same_id_is_refused() {
    let (once, worker) = (replica(), Worker::default());
    let (first, second) =
        tokio::join!(worker.run(&once, "payload", done()), worker.run(&once, "other", done()));
    assert_eq!(first.unwrap(), DONE);
    assert!(matches!(second, Err(Refusal::Reused)), "{second:?}");
    for replica in [once.clone(), others(&once)] {
        let answer = worker.run(&replica, "other", done()).await;
        assert!(matches!(answer, Err(Refusal::Reused)), "{answer:?}");
    }
    assert_eq!(worker.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_shared_and_then_forgotten() {
    let (once, worker) = (replica(), Worker::default());
    let (first, second) =
        tokio::join!(worker.run(&once, "payload", refused()), worker.run(&once, "payload", done()));
    assert_eq!((&first.unwrap()[..], &second.unwrap()[..]), (&b"refused"[..], &b"refused"[..]));
    assert_eq!(worker.count(), 1);
    assert_eq!(worker.run(&others(&once), "payload", done()).await.unwrap(), DONE);
}

#[tokio::test(start_paused = true)]
async fn a_final_failure_is_not_tried_again() {
    let (once, worker) = (replica(), Worker::default());
    let unknown = Ended { answer: Bytes::from_static(b"unknown"), is_final: true };
    for _ in 0..3 {
        assert_eq!(worker.run(&once, "payload", unknown.clone()).await.unwrap(), b"unknown"[..]);
    }
    assert_eq!(worker.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_a_day() {
    let (once, worker) = (replica(), Worker::default());
    worker.run(&once, "payload", done()).await.unwrap();
    tokio::time::advance(KEPT - Duration::from_secs(1)).await;
    worker.run(&once, "payload", done()).await.unwrap();
    assert_eq!(worker.count(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    worker.run(&once, "payload", done()).await.unwrap();
    assert_eq!(worker.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_work_goes_on_when_its_first_caller_leaves() {
    let (once, worker) = (replica(), Worker::default());
    let hasty = worker.run(&once, "payload", done());
    assert!(tokio::time::timeout(Duration::from_millis(10), hasty).await.is_err());
    assert_eq!(worker.run(&once, "payload", refused()).await.unwrap(), DONE);
    assert_eq!(worker.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_waits_until_the_own_deadline() {
    let (once, worker) = (replica(), Worker::default());
    let first = tokio::spawn({
        let (once, worker) = (once.clone(), worker.clone());
        async move { worker.run(&once, "payload", done()).await }
    });
    tokio::task::yield_now().await;
    for replica in [once.clone(), others(&once)] {
        let (begin, deadline) = (Instant::now(), Instant::now() + Duration::from_millis(300));
        let unwanted = Worker::default();
        let answer = replica.run(identity("payload"), deadline, |_| unwanted.work(done())).await;
        assert!(matches!(answer, Err(Refusal::InProgress)), "{answer:?}");
        assert!(begin.elapsed() <= Duration::from_millis(300));
    }
    assert_eq!(first.await.unwrap().unwrap(), DONE);
}

/// What a replica leaves behind that dies at work.
async fn died_at_work(replica: &Once, after_sending: bool) {
    let Identity { key, fingerprint } = identity("payload");
    let Claim::Mine(owner) = replica.outcomes.claim(&key, &fingerprint, LEASE).await.unwrap() else {
        panic!("nobody else is there");
    };
    if after_sending {
        assert!(replica.outcomes.sent(&key, owner).await.unwrap());
    }
}

async fn run_for_long(once: &Once, worker: &Worker) -> Answer {
    let (deadline, worker) = (Instant::now() + LEASE * 3, worker.clone());
    once.run(identity("payload"), deadline, |_| worker.work(done())).await
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_replica_had_not_sent_is_done_when_its_lease_is_over() {
    let (once, worker) = (replica(), Worker::default());
    died_at_work(&once, false).await;
    let begin = Instant::now();
    assert_eq!(run_for_long(&once, &worker).await.unwrap(), DONE);
    assert!(begin.elapsed() >= LEASE);
    assert_eq!(worker.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_replica_had_sent_is_in_doubt_and_not_sent_again() {
    let (once, worker) = (replica(), Worker::default());
    died_at_work(&once, true).await;
    for _ in 0..2 {
        let answer = run_for_long(&once, &worker).await;
        assert!(matches!(answer, Err(Refusal::InDoubt)), "{answer:?}");
    }
    assert_eq!(worker.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_work_keeps_its_lease() {
    let (once, worker) = (replica(), Worker::default());
    let long = LEASE * 2;
    let first = tokio::spawn({
        let once = once.clone();
        async move {
            let work = move |_| async move {
                sleep(long).await;
                done()
            };
            once.run(identity("payload"), Instant::now() + long * 2, work).await
        }
    });
    tokio::task::yield_now().await;
    assert_eq!(run_for_long(&others(&once), &worker).await.unwrap(), DONE);
    assert_eq!(first.await.unwrap().unwrap(), DONE);
    assert_eq!(worker.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn work_that_breaks_down_is_in_doubt_and_leaves_its_place() {
    let once = replica();
    let broken = once.run(identity("payload"), soon(), |_| async { panic!("a bug") }).await;
    assert!(matches!(broken, Err(Refusal::InDoubt)), "{broken:?}");
    assert!(once.at_work().is_empty());
}

/// A store that is out of reach for the first calls of a kind.
#[derive(Debug)]
struct Lame {
    store: Arc<dyn Outcomes>,
    claims: AtomicU32,
    ends: AtomicU32,
}

impl Lame {
    fn check(calls: &AtomicU32) -> Result<(), Unavailable> {
        let lame = calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        lame.map_or(Ok(()), |_| Err(Unavailable("gone".to_owned())))
    }

    fn once(claims: u32, ends: u32) -> Once {
        let (claims, ends) = (claims.into(), ends.into());
        Once::new(Arc::new(Lame { store: Store::memory().outcomes, claims, ends }))
    }
}

#[async_trait]
impl Outcomes for Lame {
    async fn claim(&self, key: &str, fingerprint: &[u8; 32], lease: Duration) -> Result<Claim, Unavailable> {
        Self::check(&self.claims)?;
        self.store.claim(key, fingerprint, lease).await
    }

    async fn renew(&self, key: &str, owner: Owner, lease: Duration) -> Result<bool, Unavailable> {
        self.store.renew(key, owner, lease).await
    }

    async fn sent(&self, key: &str, owner: Owner) -> Result<bool, Unavailable> {
        self.store.sent(key, owner).await
    }

    async fn finish(&self, key: &str, owner: Owner, end: Bytes, keep: Duration) -> Result<(), Unavailable> {
        Self::check(&self.ends)?;
        self.store.finish(key, owner, end, keep).await
    }

    async fn forget(&self, key: &str, owner: Owner) -> Result<(), Unavailable> {
        Self::check(&self.ends)?;
        self.store.forget(key, owner).await
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_while_the_store_is_out_of_reach() {
    let (once, worker) = (Lame::once(1, 0), Worker::default());
    let answer = worker.run(&once, "payload", done()).await;
    assert!(matches!(answer, Err(Refusal::Unavailable(_))), "{answer:?}");
    assert_eq!(worker.count(), 0);
    assert_eq!(worker.run(&once, "payload", done()).await.unwrap(), DONE);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_out_of_reach_is_told_later_and_callers_do_not_wait_for_it() {
    let (once, worker) = (Lame::once(0, 8), Worker::default());
    let begin = Instant::now();
    assert_eq!(worker.run(&once, "payload", done()).await.unwrap(), DONE);
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(run_for_long(&others(&once), &worker).await.unwrap(), DONE);
    assert_eq!(worker.count(), 1);
}
