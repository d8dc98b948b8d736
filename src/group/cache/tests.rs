//! The cache in front of a DingTalk that counts its calls and takes a second for each. Time is paused.

mod bounds;

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::{advance, sleep, timeout};

use super::*;
use crate::{
    dingtalk::{
        ApiError, App, Context, Generation, Priority,
        app::AppConfig,
        catalogue,
        error::Error::{Api, Lost},
    },
    metrics::Metrics,
    operation::id::{ChatId, OpenConversationId},
};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> CacheConfig {
    CacheConfig {
        enabled: true,
        default_staleness: 60 * SECOND,
        fed_staleness: 300 * SECOND,
        max_age: 600 * SECOND,
        negative: 2 * SECOND,
        max_size: ByteSize::mib(64),
    }
}

fn request(patience: Duration) -> Request {
    let config = AppConfig { alias: "demo".into(), ..AppConfig::default() };
    Request {
        context: Context::until(Instant::now() + patience),
        app: App::new(&config, "secret".into()),
        request_id: None,
        validate_only: false,
    }
}

fn group() -> Read {
    Read::Ordinary(ChatId("chat1".to_owned()))
}

fn handle() -> GroupRef {
    let open_conversation_id = Some(OpenConversationId("cid1".to_owned()));
    GroupRef { chat_id: Some(ChatId("chat1".to_owned())), open_conversation_id, kind: None }
}

/// Answers every call after a second with its number as the title; or fails.
#[derive(Debug, Clone)]
struct Upstream {
    cache: Cache,
    calls: Arc<AtomicU32>,
    failure: Arc<Mutex<Option<dingtalk::Error>>>,
}

impl Upstream {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: CacheConfig) -> Self {
        Self { cache: Cache::new(config, Metrics::off()), calls: Arc::default(), failure: Arc::default() }
    }

    fn fails(&self, error: impl Into<Option<dingtalk::Error>>) {
        *self.failure.lock().unwrap() = error.into();
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    async fn call(self) -> Result<Reply, Error> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(SECOND).await;
        if let Some(error) = self.failure.lock().unwrap().clone() {
            return Err(Error::Upstream { spec: group().spec(), error });
        }
        let mut reply = Reply::default();
        reply.group.title = Some(number.to_string());
        Ok(reply)
    }

    /// The number of the call that answered, and whether it was in memory.
    async fn ask(
        &self,
        request: &Request,
        read: &Read,
        staleness: Option<Duration>,
    ) -> Result<(u32, bool), Error> {
        let answer = self.cache.read(request, read, staleness, || self.clone().call()).await?;
        let title = answer.value.group.title.as_ref().expect("a title");
        Ok((title.parse().expect("a number"), answer.from_cache))
    }

    async fn read(&self, staleness: Option<Duration>) -> (u32, bool) {
        self.ask(&request(10 * SECOND), &group(), staleness).await.expect("an answer")
    }

    async fn fail(&self) -> Reason {
        self.ask(&request(10 * SECOND), &group(), None).await.expect_err("a failure").reason()
    }

    /// A caller in a task of its own, who is waiting when this returns.
    async fn spawn(&self, patience: Duration, staleness: Option<Duration>) -> Caller {
        let (upstream, request) = (self.clone(), request(patience));
        let caller = tokio::spawn(async move { upstream.ask(&request, &group(), staleness).await });
        settle().await;
        caller
    }
}

type Caller = tokio::task::JoinHandle<Result<(u32, bool), Error>>;

/// Lets every task go as far as it can without time passing.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn not_found() -> dingtalk::Error {
    Api(Box::new(ApiError {
        status: 200,
        code: "34001".to_owned(),
        sub_code: None,
        message: String::new(),
        request_id: None,
        required_scopes: Vec::new(),
        retry_after: None,
        row: catalogue::find(Generation::Legacy, 200, "34001", None),
    }))
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_good_for_longer_while_changes_are_heard_of() {
    let upstream = Upstream::new();
    assert_eq!(upstream.read(None).await, (1, false));
    upstream.cache.fed("other", 1000 * SECOND);
    upstream.cache.fed("demo", 200 * SECOND);
    sleep(100 * SECOND).await;
    assert_eq!(upstream.read(None).await, (1, true));
    assert_eq!(upstream.read(Some(60 * SECOND)).await, (2, false), "who says how old it may be is heard");
    sleep(100 * SECOND).await;
    assert_eq!(upstream.read(None).await, (3, false), "nobody has vouched for it in time");

    upstream.cache.fed("demo", 200 * SECOND);
    upstream.cache.forget_app("demo");
    assert_eq!(upstream.read(None).await, (4, false));
    sleep(100 * SECOND).await;
    assert_eq!(upstream.read(None).await, (5, false), "after a gap it has to be vouched for again");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_costs_one_call_and_shares_its_answer() {
    let upstream = Upstream::new();
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(upstream.spawn(10 * SECOND, None).await);
    }
    for caller in crowd {
        assert_eq!(caller.await.unwrap().unwrap(), (1, false));
    }
    assert_eq!(upstream.read(None).await, (1, true));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_urgent_waits_for_the_read_of_batch_work() {
    let upstream = Upstream::new();
    let mut batch = request(10 * SECOND);
    batch.context.claimant.priority = Priority::Batch;
    let spawn = |request: Request, staleness: Option<Duration>| {
        let upstream = upstream.clone();
        tokio::spawn(async move { upstream.ask(&request, &group(), staleness).await })
    };
    let first = spawn(batch.clone(), None);
    settle().await;
    let urgent = spawn(request(10 * SECOND), None);
    settle().await;
    // Batch work joins whom it can.
    let second = spawn(batch, None);
    settle().await;
    assert_eq!(upstream.calls(), 2);
    for (caller, call) in [(first, 1), (urgent, 2)] {
        assert_eq!(caller.await.unwrap().unwrap(), (call, false));
    }
    second.await.unwrap().unwrap();
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_fails_fast_does_not_wait_for_the_read_of_somebody_patient() {
    let upstream = Upstream::new();
    let spawn = |request: Request| {
        let upstream = upstream.clone();
        tokio::spawn(async move { upstream.ask(&request, &group(), None).await })
    };
    let patient = spawn(request(10 * SECOND));
    settle().await;
    let mut hasty = request(10 * SECOND);
    hasty.context.claimant.fail_fast = true;
    let hasty = spawn(hasty);
    settle().await;
    assert_eq!(upstream.calls(), 2, "its own call says whether there is a place");
    for caller in [patient, hasty] {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_shares_its_failure_and_the_next_one_asks_again() {
    let upstream = Upstream::new();
    upstream.fails(Lost("reset".to_owned()));
    let (one, other) = (upstream.spawn(10 * SECOND, None).await, upstream.spawn(10 * SECOND, None).await);
    for caller in [one, other] {
        assert_eq!(caller.await.unwrap().unwrap_err().reason(), Reason::UpstreamBusy);
    }
    assert_eq!(upstream.calls(), 1);
    upstream.fails(None);
    assert_eq!(upstream.read(None).await, (2, false));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_as_old_as_its_call_and_serves_who_accepts_that() {
    let upstream = Upstream::new();
    assert_eq!(upstream.read(None).await, (1, false));
    advance(59 * SECOND).await;
    assert_eq!(upstream.read(None).await, (1, true), "60 s since the call began");
    assert_eq!(upstream.read(Some(59 * SECOND)).await, (2, false));
    advance(60 * SECOND).await;
    assert_eq!(upstream.read(Some(300 * SECOND)).await, (2, true), "who accepts more gets more");
    assert_eq!(upstream.read(None).await, (3, false));
    advance(600 * SECOND).await;
    assert_eq!(upstream.read(Some(9000 * SECOND)).await, (4, false), "nobody gets more than the maximum");
}

#[tokio::test(start_paused = true)]
async fn a_robot_is_known_for_longer() {
    let upstream = Upstream::new();
    let robot = Read::Robot(OpenConversationId("cid1".to_owned()), "robot".to_owned());
    let request = request(9000 * SECOND);
    for (wait, expected) in [(0, (1, false)), (590, (1, true)), (10, (2, false))] {
        advance(wait * SECOND).await;
        assert_eq!(upstream.ask(&request, &robot, None).await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_served_is_told() {
    let upstream = Upstream::new();
    for (wait, staleness, expected) in [
        (0, None, Provenance::Miss),
        (58, None, Provenance::Hit),
        (58, Some(300 * SECOND), Provenance::Stale),
        (0, None, Provenance::Miss),
        (0, Some(Duration::ZERO), Provenance::Miss),
    ] {
        advance(wait * SECOND).await;
        let request = request(10 * SECOND);
        upstream.ask(&request, &group(), staleness).await.unwrap();
        assert_eq!(request.context.stats.provenance(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_as_it_is_now_gets_a_call_that_began_after_the_question() {
    let upstream = Upstream::new();
    let first = upstream.spawn(10 * SECOND, Some(Duration::ZERO)).await;
    let mut late = Vec::new();
    for _ in 0..100 {
        late.push(upstream.spawn(10 * SECOND, Some(Duration::ZERO)).await);
    }
    let patient = upstream.spawn(10 * SECOND, None).await;
    assert_eq!(first.await.unwrap().unwrap(), (1, false));
    assert_eq!(patient.await.unwrap().unwrap(), (1, false), "who accepts a minute joins what has begun");
    for caller in late {
        assert_eq!(caller.await.unwrap().unwrap(), (2, false));
    }
    assert_eq!(upstream.calls(), 2);
    assert_eq!(upstream.read(None).await, (2, true), "and the answer is kept");
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_for_those_who_stay() {
    let upstream = Upstream::new();
    let first = upstream.spawn(10 * SECOND, None).await;
    let other = upstream.spawn(10 * SECOND, None).await;
    first.abort();
    assert_eq!(other.await.unwrap().unwrap(), (1, false));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_and_nothing_was_paid_for_is_given_up() {
    let upstream = Upstream::new();
    let caller = upstream.spawn(10 * SECOND, None).await;
    caller.abort();
    settle().await;
    assert!(upstream.cache.0.flights.lock().is_empty());
    sleep(2 * SECOND).await;
    assert_eq!(upstream.read(None).await, (2, false), "nothing was kept");
}

#[tokio::test(start_paused = true)]
async fn everybody_keeps_a_deadline_of_their_own() {
    let upstream = Upstream::new();
    let patient = upstream.spawn(10 * SECOND, None).await;
    let hasty = upstream.spawn(SECOND / 2, None).await;
    let hasty = timeout(SECOND * 6 / 10, hasty).await.expect("in its own time").unwrap();
    assert_eq!(hasty.unwrap_err().reason(), Reason::DeadlineExceeded);
    assert_eq!(patient.await.unwrap().unwrap(), (1, false));
}

#[tokio::test(start_paused = true)]
async fn who_has_more_time_than_the_first_asks_again() {
    let upstream = Upstream::new();
    upstream.fails(dingtalk::Error::DeadlineExceeded { applied: Applied::Maybe });
    let first = upstream.spawn(10 * SECOND, None).await;
    let other = upstream.spawn(20 * SECOND, None).await;
    assert_eq!(first.await.unwrap().unwrap_err().reason(), Reason::DeadlineExceeded);
    upstream.fails(None);
    assert_eq!(other.await.unwrap().unwrap(), (2, false));
}

#[tokio::test(start_paused = true)]
async fn that_there_is_no_such_group_is_believed_for_a_moment() {
    let upstream = Upstream::new();
    upstream.fails(not_found());
    assert_eq!(upstream.fail().await, Reason::GroupNotFound);
    upstream.fails(None);
    advance(SECOND).await;
    assert_eq!(upstream.fail().await, Reason::GroupNotFound);
    assert_eq!(upstream.calls(), 1);
    advance(SECOND).await;
    assert_eq!(upstream.read(None).await, (2, false));
}

#[tokio::test(start_paused = true)]
async fn a_write_ends_what_is_kept_under_either_id() {
    let upstream = Upstream::new();
    let request = request(100 * SECOND);
    let brief = Read::Brief(OpenConversationId("cid1".to_owned()));
    let other = Read::Brief(OpenConversationId("cid2".to_owned()));
    for (number, read) in (1..).zip([group(), brief.clone(), other.clone()]) {
        assert_eq!(upstream.ask(&request, &read, None).await.unwrap(), (number, false));
    }
    upstream.cache.forget("another-app", &handle());
    assert_eq!(upstream.read(None).await, (1, true));
    upstream.cache.forget("demo", &handle());
    assert_eq!(upstream.read(None).await, (4, false));
    assert_eq!(upstream.ask(&request, &brief, None).await.unwrap(), (5, false));
    assert_eq!(upstream.ask(&request, &other, None).await.unwrap(), (3, true), "other groups stay");
    upstream.cache.forget_all();
    assert_eq!(upstream.ask(&request, &other, None).await.unwrap(), (6, false));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_a_write_overtakes_is_neither_kept_nor_joined() {
    for all in [false, true] {
        let upstream = Upstream::new();
        let before = upstream.spawn(10 * SECOND, None).await;
        if all {
            upstream.cache.forget_all();
        } else {
            upstream.cache.forget("demo", &handle());
        }
        let after = upstream.spawn(10 * SECOND, None).await;
        assert_eq!(before.await.unwrap().unwrap(), (1, false), "it began before the write ended");
        assert_eq!(after.await.unwrap().unwrap(), (2, false));
        assert_eq!(upstream.read(None).await, (2, true));
        assert!(upstream.cache.0.flights.lock().is_empty());
    }
}
