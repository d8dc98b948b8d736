//! `request_id`: the same answer for the same request, for a day. A second caller while the first is at work waits
//! for it; the work goes on when the first one leaves. In the memory of this process.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use moka::future::Cache;
use tokio::time::timeout_at;
use tracing::Instrument;

use super::{Request, error::Error};
use crate::dingtalk::{self, Applied, Spec};

const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);
const CAPACITY: u64 = 100_000;

/// The outcomes of one kind of job. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Once<T: Clone + Send + Sync + 'static> {
    outcomes: Cache<(String, &'static str, String), Stored<T>>,
}

/// An outcome and the request it belongs to.
#[derive(Debug, Clone)]
struct Stored<T> {
    fingerprint: u64,
    outcome: Result<T, Error>,
}

impl<T: Clone + Send + Sync + 'static> Once<T> {
    pub(super) fn new() -> Self {
        Self { outcomes: Cache::builder().max_capacity(CAPACITY).time_to_live(REMEMBERED_FOR).build() }
    }

    /// Does the work, or answers as it was answered before. The same id may be used for another `job`; `spec` is the
    /// write that the work is about.
    pub(super) async fn run(
        &self,
        request: &Request,
        job: &'static str,
        payload: &impl Hash,
        spec: &'static Spec,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(request_id) = &request.request_id else { return work.await };
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        let fingerprint = hasher.finish();
        let key = (request.app.alias().to_owned(), job, request_id.clone());
        let unfinished = |error| Error::Upstream { spec, error };

        let outcomes = self.outcomes.clone();
        let task = tokio::spawn(
            async move { outcomes.try_get_with(key, keep_if_final(fingerprint, work)).await }
                .in_current_span(),
        );
        let stored = match timeout_at(request.context.deadline, task).await {
            Ok(Ok(Ok(stored))) => stored,
            Ok(Ok(Err(passing))) => Stored::clone(&passing),
            Ok(Err(_)) => {
                return Err(unfinished(dingtalk::Error::Lost("the task of the job stopped".to_owned())));
            }
            Err(_) => return Err(unfinished(dingtalk::Error::DeadlineExceeded { applied: Applied::Maybe })),
        };
        if stored.fingerprint == fingerprint { stored.outcome } else { Err(Error::RequestIdReused) }
    }
}

/// The cache keeps what is `Ok`: successes and final failures. A passing failure is shared by those who wait for it
/// and then forgotten, so that the next attempt is a new one.
async fn keep_if_final<T>(
    fingerprint: u64,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Stored<T>, Stored<T>> {
    let stored = Stored { fingerprint, outcome: work.await };
    match &stored.outcome {
        Err(error) if !error.is_final() => Err(stored),
        _ => Ok(stored),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::{
        dingtalk::{App, Context, Endpoint, app::AppConfig},
        operation::group::CreateGroup,
    };

    fn request(request_id: Option<&str>) -> Request {
        let config = AppConfig { alias: "demo".into(), ..AppConfig::default() };
        Request {
            context: Context { deadline: Instant::now() + Duration::from_secs(5), stats: Arc::default() },
            app: App::new(&config, "secret".into()),
            request_id: request_id.map(ToOwned::to_owned),
            validate_only: false,
        }
    }

    /// Counts how often the work is done; each piece of work takes a second.
    #[derive(Clone, Default)]
    struct Worker(Arc<AtomicU32>);

    impl Worker {
        fn work(
            &self,
            outcome: Result<u32, Error>,
        ) -> impl Future<Output = Result<u32, Error>> + Send + 'static {
            let count = self.0.clone();
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
                outcome
            }
        }

        fn count(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    const SPEC: &Spec = CreateGroup::SPEC;

    #[tokio::test(start_paused = true)]
    async fn the_same_request_is_done_once_also_while_it_is_under_way() {
        let (once, worker) = (Once::new(), Worker::default());
        let crowd = (0..10).map(|_| {
            let (once, work) = (once.clone(), worker.work(Ok(7)));
            tokio::spawn(async move { once.run(&request(Some("id")), "job", &"payload", SPEC, work).await })
        });
        for caller in crowd.collect::<Vec<_>>() {
            assert_eq!(caller.await.unwrap().unwrap(), 7);
        }
        assert_eq!(
            once.run(&request(Some("id")), "job", &"payload", SPEC, worker.work(Ok(8))).await.unwrap(),
            7
        );
        assert_eq!(worker.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_request_id_every_request_is_done() {
        let (once, worker) = (Once::new(), Worker::default());
        for _ in 0..2 {
            once.run(&request(None), "job", &"payload", SPEC, worker.work(Ok(7))).await.unwrap();
        }
        assert_eq!(worker.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn another_request_under_the_same_id_is_refused() {
        let (once, worker) = (Once::new(), Worker::default());
        once.run(&request(Some("id")), "job", &"payload", SPEC, worker.work(Ok(7))).await.unwrap();
        let error =
            once.run(&request(Some("id")), "job", &"other", SPEC, worker.work(Ok(8))).await.unwrap_err();
        assert!(matches!(error, Error::RequestIdReused), "{error}");
        assert_eq!(worker.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_changed_nothing_may_be_tried_again() {
        let (once, worker) = (Once::new(), Worker::default());
        let refused = Err(Error::GroupDisbanded);
        once.run(&request(Some("id")), "job", &"payload", SPEC, worker.work(refused)).await.unwrap_err();
        assert_eq!(
            once.run(&request(Some("id")), "job", &"payload", SPEC, worker.work(Ok(8))).await.unwrap(),
            8
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_outcome_stays_unknown_and_is_not_tried_again() {
        let (once, worker) = (Once::<u32>::new(), Worker::default());
        let lost = || Error::Upstream { spec: SPEC, error: dingtalk::Error::Lost("reset".to_owned()) };
        for _ in 0..3 {
            let error = once
                .run(&request(Some("id")), "job", &"p", SPEC, worker.work(Err(lost())))
                .await
                .unwrap_err();
            assert_eq!(error.reason(), dingtalk::Reason::OutcomeUnknown);
        }
        assert_eq!(worker.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_work_goes_on_when_its_first_caller_leaves() {
        let (once, worker) = (Once::new(), Worker::default());
        let first = request(Some("id"));
        let hasty = once.run(&first, "job", &"payload", SPEC, worker.work(Ok(7)));
        assert!(tokio::time::timeout(Duration::from_millis(10), hasty).await.is_err());
        assert_eq!(
            once.run(&request(Some("id")), "job", &"payload", SPEC, worker.work(Ok(8))).await.unwrap(),
            7
        );
        assert_eq!(worker.count(), 1);
    }
}
