//! The behaviour of [`Tokens`] over a source that the test controls, with time paused.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use tokio::time::{Instant, advance, sleep};

use super::*;
use crate::dingtalk::app::AppConfig;

/// Answers from a script, then with the last token again and again.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Result<Grant, Error>>>>,
    last: Arc<Mutex<Option<Grant>>>,
    fetches: Arc<AtomicU32>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Result<Grant, Error>>) -> Self {
        Script { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Script::default() }
    }

    fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::Relaxed)
    }

    fn then(&self, answer: Result<Grant, Error>) {
        self.answers.lock().unwrap().push_back(answer);
    }
}

impl TokenSource for Script {
    async fn fetch(&self, _app: &App) -> Result<Grant, Error> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        let answer = self.answers.lock().unwrap().pop_front();
        match answer {
            Some(Ok(grant)) => {
                *self.last.lock().unwrap() = Some(grant.clone());
                Ok(grant)
            }
            Some(error) => error,
            None => self.last.lock().unwrap().clone().ok_or_else(|| Error::Lost("no script".to_owned())),
        }
    }
}

fn grant(token: &str, lifetime: impl Into<Option<i64>>) -> Result<Grant, Error> {
    Ok(Grant { token: Token::new(token.to_owned()), lifetime: lifetime.into() })
}

fn failure() -> Result<Grant, Error> {
    Err(Error::Lost("reset".to_owned()))
}

fn app() -> App {
    let config = AppConfig { alias: "demo".to_owned(), app_key: "key".to_owned(), ..AppConfig::default() };
    App::new(&config, "secret".into())
}

fn tokens(script: &Script) -> Tokens<Script> {
    let config = TokenConfig {
        refresh_ahead: Duration::from_secs(600),
        backoff_min: Duration::from_millis(500),
        backoff_max: Duration::from_secs(30),
    };
    Tokens::new(script.clone(), config)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn get(tokens: &Tokens<Script>) -> Result<String, Error> {
    tokens.get(&app(), soon()).await.map(|token| token.expose().to_owned())
}

/// Lets spawned work run until it waits for time.
async fn settle() {
    sleep(Duration::from_millis(200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_crowd_on_a_cold_cache_costs_one_fetch() {
    let script = Script::of([grant("t1", 7200)]);
    let tokens = tokens(&script);
    let crowd: Vec<_> = (0..1000)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { get(&tokens).await })
        })
        .collect();
    for caller in crowd {
        assert_eq!(caller.await.unwrap().unwrap(), "t1");
    }
    assert_eq!(script.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_caller_may_leave_without_costing_another_fetch() {
    let script = Script::of([grant("t1", 7200)]);
    let tokens = tokens(&script);
    let hasty = tokens.get(&app(), Instant::now() + Duration::from_millis(10)).await;
    assert!(matches!(hasty, Err(Error::DeadlineExceeded { applied: Applied::No })), "{hasty:?}");
    assert_eq!(get(&tokens).await.unwrap(), "t1");
    assert_eq!(script.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_behind_its_users_before_it_expires() {
    let script = Script::of([grant("t1", 7200), grant("t2", 7200)]);
    let tokens = tokens(&script);
    assert_eq!(get(&tokens).await.unwrap(), "t1");
    advance(Duration::from_secs(7200 - 599)).await;
    assert_eq!(get(&tokens).await.unwrap(), "t1", "nobody waits for the renewal");
    settle().await;
    assert_eq!(get(&tokens).await.unwrap(), "t2");
    assert_eq!(script.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_token_serves_while_its_renewal_fails_at_one_fetch_a_pause() {
    let script = Script::of([grant("t1", 7200)]);
    let tokens = tokens(&script);
    get(&tokens).await.unwrap();
    (0..50).for_each(|_| script.then(failure()));
    advance(Duration::from_secs(7200 - 500)).await;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        assert_eq!(get(&tokens).await.unwrap(), "t1");
        sleep(Duration::from_millis(50)).await;
    }
    // Pauses of 0.5, 1, 2, 4, 8, 16 and 30 seconds, each shortened by at most a quarter.
    assert!((6..=10).contains(&(script.fetches() - 1)), "{} fetches", script.fetches() - 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_endpoint_costs_one_fetch_a_pause_and_not_one_a_caller() {
    let script = Script::of((0..50).map(|_| failure()));
    let tokens = tokens(&script);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        for _ in 0..20 {
            let error = get(&tokens).await.unwrap_err();
            assert!(error.retry_after().is_some(), "{error}");
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!((4..=7).contains(&script.fetches()), "{} fetches", script.fetches());
}

#[tokio::test(start_paused = true)]
async fn it_recovers_after_the_pause() {
    let script = Script::of([failure(), grant("t1", 7200)]);
    let tokens = tokens(&script);
    let Err(Error::NoToken { retry_after, .. }) = get(&tokens).await else { panic!("the first fetch fails") };
    assert!(get(&tokens).await.is_err(), "the pause is kept");
    advance(retry_after).await;
    assert_eq!(get(&tokens).await.unwrap(), "t1");
}

/// Everybody's token is refused, and everybody asks for another one.
async fn all_refused(tokens: &Tokens<Script>, refused: &Token, callers: usize) -> Vec<Result<String, Error>> {
    let crowd: Vec<_> = (0..callers)
        .map(|_| {
            let (tokens, refused) = (tokens.clone(), refused.clone());
            tokio::spawn(async move {
                tokens.discard(&app(), &refused).await;
                get(&tokens).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in crowd {
        answers.push(caller.await.unwrap());
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_rejections_costs_one_fetch() {
    let script = Script::of([grant("t1", 7200), grant("t2", 7200)]);
    let tokens = tokens(&script);
    let refused = tokens.get(&app(), soon()).await.unwrap();
    for answer in all_refused(&tokens, &refused, 1000).await {
        assert_eq!(answer.unwrap(), "t2");
    }
    assert_eq!(script.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_rejection_of_the_old_token_leaves_the_new_one() {
    let script = Script::of([grant("t1", 7200), grant("t2", 7200)]);
    let tokens = tokens(&script);
    let refused = tokens.get(&app(), soon()).await.unwrap();
    tokens.discard(&app(), &refused).await;
    get(&tokens).await.unwrap();
    tokens.discard(&app(), &refused).await;
    assert_eq!(get(&tokens).await.unwrap(), "t2");
    assert_eq!(script.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_by_mistake_and_granted_again_serves_everybody() {
    let script = Script::of([grant("t1", 7200), grant("t1", 7200)]);
    let tokens = tokens(&script);
    let refused = tokens.get(&app(), soon()).await.unwrap();
    for answer in all_refused(&tokens, &refused, 1000).await {
        assert_eq!(answer.unwrap(), "t1");
    }
    assert_eq!(script.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_stays_refused_costs_one_fetch_a_pause() {
    let script = Script::of((0..50).map(|_| grant("t1", 7200)));
    let tokens = tokens(&script);
    let begin = Instant::now();
    let mut told = 0;
    while begin.elapsed() < Duration::from_secs(10) {
        match tokens.get(&app(), soon()).await {
            Ok(token) => tokens.discard(&app(), &token).await,
            Err(Error::NoToken { cause, .. }) => {
                assert!(matches!(*cause, Error::TokenRejected), "{cause}");
                told += 1;
            }
            Err(other) => panic!("{other}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(told > 100, "{told} callers were told");
    assert!((5..=8).contains(&script.fetches()), "{} fetches", script.fetches());
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_never_used() {
    let script = Script::of([grant("t1", 120), grant("t2", 120)]);
    let tokens = tokens(&script);
    get(&tokens).await.unwrap();
    advance(Duration::from_secs(121)).await;
    assert_eq!(get(&tokens).await.unwrap(), "t2");
}

#[tokio::test(start_paused = true)]
async fn two_organisations_have_two_tokens_and_two_aliases_of_one_app_share_one() {
    let script = Script::of([grant("t1", 7200), grant("t2", 7200)]);
    let tokens = tokens(&script);
    let named = |alias: &str, corp: &str| {
        let config = AppConfig {
            alias: alias.into(),
            app_key: "key".into(),
            corp_id: corp.into(),
            ..Default::default()
        };
        App::new(&config, "secret".into())
    };
    let first = tokens.get(&named("a", "corp1"), soon()).await.unwrap();
    let second = tokens.get(&named("b", "corp2"), soon()).await.unwrap();
    let shared = tokens.get(&named("c", "corp1"), soon()).await.unwrap();
    assert!(first != second && first == shared);
    assert_eq!(script.fetches(), 2);
}

proptest! {
    #[test]
    fn no_stated_lifetime_makes_a_token_useless_or_immortal(lifetime: Option<i64>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let held = tokens(&Script::default()).hold(Grant { token: Token::new("t".to_owned()), lifetime });
        let left = held.expires_at - Instant::now();
        prop_assert!(left > Duration::from_secs(59) && left <= MAX_LIFETIME);
        prop_assert!(held.refresh_at < held.expires_at && held.refresh_at > Instant::now());
    }
}

#[test]
fn a_token_is_never_printed() {
    assert_eq!(format!("{:?}", Token::new("topsecret".to_owned())), "[redacted]");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_leaves_the_token_in_use_and_shows() {
    let script = Script::of([grant("t1", 1200), failure(), grant("t2", 7200)]);
    let tokens = tokens(&script);
    assert_eq!(tokens.standing(&app()).await, Standing { state: TokenState::None, expires_in: None });
    let hour = Duration::from_secs(3600);
    let asked = tokens.lend(&app(), hour, soon()).await;
    assert!(matches!(asked, Err(Error::NoToken { .. })), "{asked:?}");
    assert_eq!(tokens.standing(&app()).await.state, TokenState::RefreshFailing);
    assert_eq!(get(&tokens).await.unwrap(), "t1");
    assert_eq!(script.fetches(), 2);

    sleep(Duration::from_secs(1)).await;
    let lent = tokens.lend(&app(), hour, soon()).await.unwrap();
    assert_eq!((lent.reveal(), lent.expires_in), ("t2", Duration::from_secs(7200)));
    assert_eq!(tokens.standing(&app()).await.state, TokenState::Valid);
    assert_eq!(script.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_report_whose_fetch_fails_says_so_and_a_repeat_fetches_once_the_pause_is_over() {
    let script = Script::of([grant("t1", 7200), failure(), grant("t2", 7200)]);
    let tokens = tokens(&script);
    get(&tokens).await.unwrap();
    let name = Token::new("t1".to_owned()).fingerprint();
    for _ in 0..2 {
        let report = tokens.report(&app(), &name, soon()).await;
        assert!(matches!(report, Err(Error::NoToken { .. })), "{report:?}");
    }
    assert_eq!(tokens.standing(&app()).await.state, TokenState::Unavailable);
    assert_eq!(script.fetches(), 2);
    sleep(Duration::from_secs(1)).await;
    assert!(tokens.report(&app(), &name, soon()).await.unwrap());
    assert_eq!(script.fetches(), 3);
    assert!(!tokens.report(&app(), "somebody else's", soon()).await.unwrap());
    assert_eq!(script.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_look_tells_how_long_the_tokens_of_all_apps_last() {
    let named = |key: &str| {
        let config = AppConfig { alias: key.to_owned(), app_key: key.to_owned(), ..AppConfig::default() };
        App::new(&config, "secret".into())
    };
    let (works, fails, unused) = (named("works"), named("fails"), named("unused"));
    let tokens = tokens(&Script::of([grant("t1", 7200), failure()]));
    tokens.get(&works, soon()).await.unwrap();
    let granted = Instant::now();
    tokens.get(&fails, soon()).await.unwrap_err();
    let (left, lasting) = (Duration::from_secs(7200) - granted.elapsed(), tokens.lasting());
    let told = [&works, &fails, &unused].map(|app| lasting.of(app));
    assert_eq!(told, [Some(left), Some(Duration::ZERO), None]);
}
