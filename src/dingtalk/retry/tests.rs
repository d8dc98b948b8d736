use proptest::prelude::*;

use super::*;
use crate::dingtalk::{catalogue, endpoint::Generation, error::ApiError};

const FAR: Duration = Duration::from_secs(3600);

fn config() -> RetryConfig {
    let (base, max) = (Duration::from_millis(100), Duration::from_secs(2));
    RetryConfig { base, max, max_attempts: 4, budget: 0.1 }
}

fn api(status: u16, code: &str) -> Error {
    Error::Api(Box::new(ApiError {
        status,
        code: code.to_owned(),
        sub_code: None,
        message: String::new(),
        request_id: None,
        required_scopes: Vec::new(),
        retry_after: None,
        row: catalogue::find(Generation::New, status, code, None),
    }))
}

fn throttled() -> Error {
    api(403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi")
}

fn asking_for(seconds: u64) -> Error {
    let Error::Api(mut error) = api(503, "-") else { unreachable!("it is one") };
    error.retry_after = Some(Duration::from_secs(seconds));
    Error::Api(error)
}

fn lost() -> Error {
    Error::Lost("reset".to_owned())
}

fn unreachable() -> Error {
    Error::Unreachable("refused".to_owned())
}

fn garbled(status: u16) -> Error {
    Error::Garbled { what: "a page".to_owned(), status }
}

/// A call that has failed in these ways.
fn after(repeat: Repeat, errors: &[Error]) -> (History, Error) {
    let mut history = History::default();
    let mut standing = None;
    for error in errors {
        standing = Some(history.failed(repeat, error));
    }
    (history, standing.expect("at least one"))
}

fn decided(repeat: Repeat, errors: &[Error], left: Duration) -> Retry {
    let (history, _) = after(repeat, errors);
    decide(&config(), repeat, &history, &errors[errors.len() - 1], left, 1.0)
}

fn is_repeated(repeat: Repeat, error: &Error) -> bool {
    matches!(decided(repeat, std::slice::from_ref(error), FAR), Retry::After(_))
}

#[test]
fn what_is_repeated_depends_on_the_error_and_on_what_a_repeat_would_do() {
    let maybe = Applied::Maybe;
    // The error; whether a harmless repeat is made; whether one that acts again is.
    for (error, harmless, once) in [
        (unreachable(), true, true),
        (throttled(), true, true),
        (api(500, "systemError.busy"), true, true),
        (lost(), true, false),
        (garbled(200), true, false),
        (garbled(502), true, false),
        (garbled(302), false, false),
        (api(500, "system.error"), true, false),
        (api(503, "-"), true, false),
        (api(500, "made.up"), true, false),
        (api(400, "made.up"), false, false),
        (api(400, "parameter.invalid"), false, false),
        (api(400, "idempotencyProcessing"), true, false),
        (api(400, "group.notReady"), false, false),
        (api(403, "Forbidden.AccessDenied.ApiCountLimitForOrg"), false, false),
        (Error::EgressBlocked { retry_after: Duration::from_millis(1) }, false, false),
        (Error::DeadlineExceeded { applied: maybe }, false, false),
        (Error::Request("no".to_owned()), false, false),
        (Error::TokenRejected, false, false),
    ] {
        for repeat in [Repeat::Read, Repeat::Set, Repeat::Keyed] {
            assert_eq!(is_repeated(repeat, &error), harmless, "{repeat:?} {error}");
        }
        assert_eq!(is_repeated(Repeat::Once, &error), once, "{error}");
    }
}

#[test]
fn what_acts_again_is_repeated_only_if_it_was_certainly_not_applied() {
    for row in catalogue::rows() {
        let error = Error::Api(Box::new(ApiError {
            status: row.http_status.unwrap_or(200),
            code: row.code.clone(),
            sub_code: row.sub_code.clone(),
            message: String::new(),
            request_id: None,
            required_scopes: Vec::new(),
            retry_after: None,
            row: Some(row),
        }));
        if decided(Repeat::Once, std::slice::from_ref(&error), FAR) != Retry::Never {
            assert_eq!(row.applied, Applied::No, "{}", row.code);
        }
        if row.reason == Reason::MonthlyQuotaExhausted {
            assert!(!is_repeated(Repeat::Read, &error), "{}", row.code);
        }
    }
}

#[test]
fn a_refused_token_is_replaced_once_whatever_went_before() {
    let refused = || api(400, "InvalidAuthentication");
    for before in [vec![], vec![unreachable(), unreachable(), unreachable()]] {
        let errors: Vec<_> = before.into_iter().chain([refused()]).collect();
        let (mut history, _) = after(Repeat::Once, &errors);
        assert_eq!(decide(&config(), Repeat::Once, &history, &refused(), FAR, 1.0), Retry::WithFreshToken);
        history.replaces_token();
        history.failed(Repeat::Once, &refused());
        assert_eq!(decide(&config(), Repeat::Once, &history, &refused(), FAR, 1.0), Retry::Never);
    }
}

#[test]
fn a_token_that_was_good_for_an_attempt_is_replaced_again() {
    let refused = || api(400, "InvalidAuthentication");
    let mut history = History::default();
    history.failed(Repeat::Read, &refused());
    history.replaces_token();
    history.failed(Repeat::Read, &lost());
    history.failed(Repeat::Read, &refused());
    assert_eq!(decide(&config(), Repeat::Read, &history, &refused(), FAR, 1.0), Retry::WithFreshToken);
}

#[test]
fn pauses_double_up_to_the_longest_and_end_with_the_last_attempt() {
    let config = RetryConfig { max_attempts: 8, ..config() };
    let mut history = History::default();
    let mut pauses = Vec::new();
    loop {
        history.failed(Repeat::Read, &lost());
        match decide(&config, Repeat::Read, &history, &lost(), FAR, 1.0) {
            Retry::After(pause) => pauses.push(pause.as_millis()),
            Retry::Never => break,
            Retry::WithFreshToken => panic!("no token was refused"),
        }
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000]);
}

#[test]
fn a_pause_that_does_not_fit_is_not_begun() {
    let ms = Duration::from_millis;
    assert_eq!(decided(Repeat::Read, &[lost()], ms(101)), Retry::After(ms(100)));
    assert_eq!(decided(Repeat::Read, &[lost()], ms(100)), Retry::Never);
    assert_eq!(decided(Repeat::Read, &[throttled()], ms(1000)), Retry::Never);
    assert_eq!(decided(Repeat::Read, &[throttled()], ms(1001)), Retry::After(ms(1000)));
    assert_eq!(decided(Repeat::Read, &[asking_for(7)], FAR), Retry::After(ms(7000)));
    assert_eq!(decided(Repeat::Read, &[asking_for(7)], ms(7000)), Retry::Never);
}

#[test]
fn a_refused_repeat_does_not_undo_what_may_have_been_done() {
    let refused = || api(400, "parameter.invalid");
    for repeat in [Repeat::Set, Repeat::Keyed] {
        let (_, standing) = after(repeat, &[lost(), refused()]);
        assert!(matches!(standing, Error::Unsettled { .. }), "{standing}");
        assert_eq!((standing.applied(), standing.reason()), (Applied::Maybe, refused().reason()));
        // A refused token says no more than any other refusal.
        assert_eq!(after(repeat, &[lost(), api(400, "InvalidAuthentication")]).1.applied(), Applied::Maybe);
        // What passes leaves the lost answer as the answer.
        for error in [unreachable(), throttled(), Error::DeadlineExceeded { applied: Applied::No }] {
            assert!(matches!(after(repeat, &[lost(), error]).1, Error::Lost(_)));
        }
        assert_eq!(after(repeat, &[unreachable(), refused()]).1.applied(), Applied::No);
    }
    let (_, standing) = after(Repeat::Read, &[lost(), refused()]);
    assert!(matches!(standing, Error::Api(_)), "a read has nothing to undo");
}

#[test]
fn the_budget_is_each_apps_own() {
    let budget = Budget::new(&config());
    let spent = (0..20).filter(|_| budget.spend("one")).count();
    assert_eq!(spent, 10);
    assert!(budget.spend("other"));
    let none = Budget::new(&RetryConfig { budget: 0.0, ..config() });
    none.earn("one");
    assert!(!none.spend("one"));
}

proptest! {
    #[test]
    fn repeats_are_a_tenth_of_the_calls_and_ten(repeats_wanted in proptest::collection::vec(0usize..4, 0..400)) {
        let budget = Budget::new(&config());
        let mut repeats = 0;
        for (before, wanted) in repeats_wanted.iter().enumerate() {
            budget.earn("app");
            repeats += (0..*wanted).filter(|_| budget.spend("app")).count();
            prop_assert!(repeats as f64 <= 10.0 + 0.1 * (before + 1) as f64 + 1e-6);
        }
    }
}
