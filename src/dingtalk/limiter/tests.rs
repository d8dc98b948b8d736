//! The limiter over the budgets of one process, in paused time.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use ::http::Method;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::{sleep, sleep_until};

use super::*;
use crate::{
    dingtalk::{
        app::{AppConfig, AppLimits},
        catalogue,
        endpoint::{Auth, Generation, Params, Repeat},
    },
    store::Store,
};

static SPEC: Spec = Spec {
    id: "group.get",
    generation: Generation::New,
    method: Method::GET,
    path: "/",
    params: Params::Path,
    auth: Auth::Token,
    repeat: Repeat::Read,
    max_members: None,
    permission: None,
};

fn app(limits: AppLimits) -> App {
    let config = AppConfig { alias: "demo".to_owned(), limits, ..AppConfig::default() };
    App::new(&config, "secret".into())
}

fn limiter(queue_max: usize) -> Limiter {
    let config = LimitsConfig {
        egress_calls: 10_000,
        egress_window: Duration::from_secs(20),
        queue_max,
        shares: BTreeMap::new(),
    };
    Limiter::new(Store::memory().budgets, config)
}

fn context(caller: &str, patience: Duration) -> Context {
    let claimant = Claimant { caller: Arc::from(caller), ..Claimant::default() };
    Context { claimant, ..Context::until(Instant::now() + patience) }
}

/// Takes a place and uses it for a call that takes no time.
async fn call(limiter: &Limiter, context: &Context, app: &App) -> Result<Instant, Error> {
    let permit = limiter.acquire(context, app, &SPEC).await?;
    drop(permit.send());
    Ok(Instant::now())
}

fn most_in_a_second(times: &[Instant]) -> usize {
    let mut times = times.to_vec();
    times.sort();
    let in_window = |first: &Instant| {
        times.iter().filter(|time| *time >= first && **time < *first + Duration::from_secs(1)).count()
    };
    times.iter().map(in_window).max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_served_at_the_rate_and_no_window_has_more() {
    let (limiter, app) = (limiter(1000), app(AppLimits::default()));
    let begin = Instant::now();
    let crowd: Vec<_> = (0..400)
        .map(|i| {
            let (limiter, app) = (limiter.clone(), app.clone());
            let context = context(&(i % 7).to_string(), Duration::from_secs(60));
            tokio::spawn(async move { call(&limiter, &context, &app).await.unwrap() })
        })
        .collect();
    let mut times = Vec::new();
    for caller in crowd {
        times.push(caller.await.unwrap());
    }
    assert!(most_in_a_second(&times) <= 20);
    let took = times.iter().max().unwrap().duration_since(begin);
    assert!(took < Duration::from_secs_f64(20.0 / 0.97), "{took:?} for 20 s worth of calls");
}

#[tokio::test(start_paused = true)]
async fn who_fails_fast_is_refused_at_once_and_told_when_to_come_back() {
    let (limiter, app) = (limiter(1000), app(AppLimits::default()));
    for _ in 0..11 {
        call(&limiter, &context("a", Duration::from_secs(5)), &app).await.unwrap();
    }
    let mut hasty = context("a", Duration::from_secs(5));
    hasty.claimant.fail_fast = true;
    let begin = Instant::now();
    let error = call(&limiter, &hasty, &app).await.unwrap_err();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(error.reason(), Reason::AppRateLimited);
    let wait = error.retry_after().unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
    sleep(wait).await;
    hasty.deadline = Instant::now() + Duration::from_secs(1);
    call(&limiter, &hasty, &app).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses() {
    let (limiter, app) = (limiter(5), app(AppLimits { per_second: 1, ..AppLimits::default() }));
    call(&limiter, &context("a", Duration::from_secs(5)), &app).await.unwrap();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let (limiter, app) = (limiter.clone(), app.clone());
            let context = context("a", Duration::from_secs(60));
            tokio::spawn(async move { call(&limiter, &context, &app).await })
        })
        .collect();
    sleep(Duration::from_millis(1)).await;
    let error = call(&limiter, &context("b", Duration::from_secs(60)), &app).await.unwrap_err();
    assert_eq!(error.reason(), Reason::AppRateLimited);
    for caller in waiting {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn batch_work_leaves_the_last_tenth_of_the_queue() {
    let (limiter, app) = (limiter(10), app(AppLimits { per_second: 1, ..AppLimits::default() }));
    let batch = || {
        let mut context = context("night job", Duration::from_secs(60));
        context.claimant.priority = Priority::Batch;
        context
    };
    call(&limiter, &batch(), &app).await.unwrap();
    let spawn = |context: Context| {
        let (limiter, app) = (limiter.clone(), app.clone());
        tokio::spawn(async move { call(&limiter, &context, &app).await })
    };
    let waiting: Vec<_> = (0..9).map(|_| spawn(batch())).collect();
    sleep(Duration::from_millis(1)).await;
    let error = call(&limiter, &batch(), &app).await.unwrap_err();
    assert_eq!(error.reason(), Reason::AppRateLimited);
    call(&limiter, &context("people", Duration::from_secs(60)), &app).await.unwrap();
    for caller in waiting {
        caller.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_its_turn_to_the_next() {
    let (limiter, app) = (limiter(1000), app(AppLimits { per_second: 1, ..AppLimits::default() }));
    call(&limiter, &context("a", Duration::from_secs(5)), &app).await.unwrap();
    let impatient = context("a", Duration::from_secs(60));
    let leaving = tokio::time::timeout(Duration::from_millis(100), call(&limiter, &impatient, &app));
    assert!(leaving.await.is_err(), "it left");
    let begin = Instant::now();
    call(&limiter, &context("b", Duration::from_secs(60)), &app).await.unwrap();
    assert!(begin.elapsed() <= Duration::from_millis(1000), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_late_holds_its_place_longer() {
    let (limiter, app) = (limiter(1000), app(AppLimits { per_second: 2, ..AppLimits::default() }));
    let mut counted = Vec::new();
    for round in 0..20 {
        let permit = limiter.acquire(&context("a", Duration::from_secs(60)), &app, &SPEC).await.unwrap();
        let flight = permit.send();
        // What DingTalk counts comes early or late within the time that the call takes.
        let late = Duration::from_millis(if round % 3 == 0 { 400 } else { 1 });
        sleep(late).await;
        counted.push(Instant::now());
        drop(flight);
        tokio::task::yield_now().await;
    }
    assert!(most_in_a_second(&counted) <= 2);
}

#[tokio::test(start_paused = true)]
async fn while_an_address_is_barred_nothing_goes_out_and_nobody_waits_in_vain() {
    let (limiter, app) = (limiter(1000), app(AppLimits::default()));
    let barred = Error::EgressBlocked { retry_after: Duration::from_secs(300) };
    limiter.failed(&app, &SPEC, &barred).await;
    let begin = Instant::now();
    let error = call(&limiter, &context("a", Duration::from_secs(10)), &app).await.unwrap_err();
    assert_eq!((error.reason(), begin.elapsed()), (Reason::EgressIpBlocked, Duration::ZERO));
    call(&limiter, &context("a", Duration::from_secs(400)), &app).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(300), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_month_that_is_used_up_refuses_and_unsent_calls_do_not_count() {
    let (limiter, app) = (limiter(1000), app(AppLimits { per_month: 3, ..AppLimits::default() }));
    drop(limiter.acquire(&context("a", Duration::from_secs(1)), &app, &SPEC).await.unwrap());
    tokio::task::yield_now().await;
    for _ in 0..3 {
        call(&limiter, &context("a", Duration::from_secs(1)), &app).await.unwrap();
    }
    let error = call(&limiter, &context("a", Duration::from_secs(1)), &app).await.unwrap_err();
    assert_eq!(error.reason(), Reason::MonthlyQuotaExhausted);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_call_waits_for_one_place_however_much_batch_work_waits() {
    let (limiter, app) = (limiter(2000), app(AppLimits::default()));
    let served = Arc::new(AtomicU32::new(0));
    let batch: Vec<_> = (0..1000)
        .map(|_| {
            let (limiter, app, served) = (limiter.clone(), app.clone(), served.clone());
            let mut context = context("night job", Duration::from_secs(100));
            context.claimant.priority = Priority::Batch;
            tokio::spawn(async move {
                call(&limiter, &context, &app).await.unwrap();
                served.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    sleep(Duration::from_secs(3)).await;
    let mut waits = Vec::new();
    for _ in 0..50 {
        sleep(Duration::from_millis(137)).await;
        let begin = Instant::now();
        call(&limiter, &context("people", Duration::from_secs(5)), &app).await.unwrap();
        waits.push(begin.elapsed());
    }
    waits.sort();
    assert!(waits[25] <= Duration::from_millis(52), "median {:?}", waits[25]);
    // And all places are still used.
    let before = served.load(Ordering::Relaxed);
    sleep(Duration::from_secs(5)).await;
    assert!(served.load(Ordering::Relaxed) - before >= 97);
    for job in batch {
        job.abort();
    }
}

/// What became of a call of the model.
#[derive(Debug, Clone)]
struct Fate {
    caller: usize,
    arrived: Instant,
    deadline: Instant,
    answered: Instant,
    served: bool,
}

/// Deadlines of all lengths, bursts and pauses: nobody is answered late, nobody is refused whom a place would have
/// reached in time, and no place stays empty while somebody waits.
#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_with_random_deadlines() {
    let (limiter, app) = (limiter(100_000), app(AppLimits { per_month: 0, ..AppLimits::default() }));
    let mut random = SmallRng::seed_from_u64(4220);
    let fates = Arc::new(Mutex::new(Vec::new()));
    let begin = Instant::now();
    let mut calls = Vec::new();
    let mut arrival = begin;
    for _ in 0..10_000 {
        // On average 20 a second, in bursts.
        arrival +=
            Duration::from_millis(if random.random_bool(0.1) { random.random_range(0..1000) } else { 0 });
        let (caller, patience) = (random.random_range(0..5usize), random.random_range(1..8_000u64));
        let (limiter, app, fates) = (limiter.clone(), app.clone(), fates.clone());
        calls.push(tokio::spawn(async move {
            sleep_until(arrival).await;
            let context = context(&caller.to_string(), Duration::from_millis(patience));
            let (arrived, deadline) = (Instant::now(), context.deadline);
            let served = call(&limiter, &context, &app).await.is_ok();
            let fate = Fate { caller, arrived, deadline, answered: Instant::now(), served };
            fates.lock().unwrap().push(fate);
        }));
    }
    for call in calls {
        call.await.unwrap();
    }
    let fates = Arc::try_unwrap(fates).unwrap().into_inner().unwrap();
    let served: Vec<_> = fates.iter().filter(|fate| fate.served).collect();
    let refused: Vec<_> = fates.iter().filter(|fate| !fate.served).collect();
    assert!(
        served.len() > 1000 && refused.len() > 1000,
        "{} served, {} refused",
        served.len(),
        refused.len()
    );
    let times: Vec<_> = served.iter().map(|fate| fate.answered).collect();
    assert!(most_in_a_second(&times) <= 20);
    for fate in &fates {
        let late = fate.answered.saturating_duration_since(fate.deadline);
        assert!(late <= Duration::from_millis(50), "{fate:?} was answered {late:?} late");
    }
    for fate in refused {
        let overtook = served.iter().find(|other| {
            other.caller == fate.caller && other.arrived > fate.arrived && other.answered <= fate.deadline
        });
        assert!(overtook.is_none(), "{fate:?} was refused, {overtook:?} came later and was served in time");
        let wait = (fate.deadline - fate.arrived).as_secs_f64();
        let used = served
            .iter()
            .filter(|other| other.answered > fate.arrived && other.answered <= fate.deadline)
            .count();
        // From rest half a window of places may have gone just before.
        assert!(used as f64 >= (wait - 1.1) * 19.0, "{fate:?} was refused and only {used} places were used");
    }
}

#[test]
fn the_end_of_a_penalty_is_read_from_its_text() {
    let now = humantime::parse_rfc3339("2018-02-13T16:28:05Z").unwrap();
    let text = |end: &str| {
        format!("从 2018-02-14 00:28:05 到 2018-02-14 00:28:05 请求总次数超过 20 次, 限制将在 {end} 结束.")
    };
    let seconds = |end: &str| penalty(&text(end), now).map(|left| left.as_secs());
    assert_eq!(seconds("2018-02-14 00:28:08"), Some(3));
    assert_eq!(seconds("2018-02-14 00:28:05"), Some(1), "over at once is too good to be true");
    assert_eq!(seconds("2018-02-15 00:28:05"), Some(60), "so is a day for a second");
    assert_eq!(penalty("超出了该接口承受的最大qps 12345678901234567890", now), None);
}

#[test]
fn dingtalk_says_what_to_pause() {
    let forbidden = "Forbidden.AccessDenied.";
    for (code, pause) in [
        ("QpsLimitForAppkeyAndApi", Some((Limit::Operation, Duration::from_secs(1)))),
        ("QpmLimitForAppkeyAndApi", Some((Limit::Operation, Duration::from_secs(15)))),
        ("QpsLimitForApi", Some((Limit::Platform, Duration::from_secs(2)))),
        ("ApiCountLimitForOrg", Some((Limit::Month, Duration::from_secs(3600)))),
        ("AccessTokenPermissionDenied", None),
    ] {
        let code = format!("{forbidden}{code}");
        let row = catalogue::find(Generation::New, 403, &code, None);
        let error = Error::Api(Box::new(ApiError {
            status: 403,
            code: code.clone(),
            sub_code: None,
            message: String::new(),
            request_id: None,
            required_scopes: Vec::new(),
            retry_after: None,
            row,
        }));
        assert_eq!(pause_of(&error), pause, "{code}");
    }
}
