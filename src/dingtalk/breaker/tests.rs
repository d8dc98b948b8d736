use proptest::prelude::*;
use tokio::time::{advance, sleep};

use super::*;
use crate::dingtalk::{
    catalogue,
    endpoint::{Auth, Generation, Params, Repeat},
    error::ApiError,
};

const fn spec(id: &'static str) -> Spec {
    Spec {
        id,
        generation: Generation::New,
        method: ::http::Method::GET,
        path: "/",
        params: Params::Path,
        auth: Auth::Token,
        repeat: Repeat::Read,
        max_members: None,
        permission: None,
    }
}

static READ: Spec = spec("read");
static WRITE: Spec = spec("write");

fn breakers() -> Breakers {
    let (open, open_max) = (Duration::from_secs(1), Duration::from_secs(4));
    Breakers::new(BreakerConfig { failures: 3, open, open_max })
}

fn lost() -> Result<(), Error> {
    Err(Error::Lost("reset".to_owned()))
}

fn refused() -> Result<(), Error> {
    let row = catalogue::find(Generation::New, 400, "parameter.invalid", None);
    Err(Error::Api(Box::new(ApiError {
        status: 400,
        code: "parameter.invalid".to_owned(),
        sub_code: None,
        message: String::new(),
        request_id: None,
        required_scopes: Vec::new(),
        retry_after: None,
        row,
    })))
}

/// An attempt that ends like this.
fn attempt(breakers: &Breakers, outcome: Result<(), Error>) {
    breakers.enter("app".into(), &READ).expect("it is let through").settle(&outcome);
}

fn wait(breakers: &Breakers) -> Option<Duration> {
    breakers.enter("app".into(), &READ).err().and_then(|error| error.retry_after())
}

fn open(breakers: &Breakers) {
    (0..3).for_each(|_| attempt(breakers, lost()));
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_for_this_app_and_operation_alone() {
    let breakers = breakers();
    attempt(&breakers, lost());
    attempt(&breakers, lost());
    attempt(&breakers, refused());
    attempt(&breakers, lost());
    attempt(&breakers, lost());
    assert!(breakers.circuits("app").is_empty(), "a refusal is an answer");
    attempt(&breakers, lost());
    assert_eq!(wait(&breakers), Some(Duration::from_secs(1)));
    let circuit = Circuit { operation: "read", probing: false, probe_in: Duration::from_secs(1) };
    assert_eq!((breakers.circuits("app"), breakers.circuits("other")), (vec![circuit], vec![]));
    breakers.enter("app".into(), &WRITE).expect("another operation");
    breakers.enter("other".into(), &READ).expect("another app");
}

#[tokio::test(start_paused = true)]
async fn one_probe_goes_ahead_and_its_success_closes_it() {
    let breakers = breakers();
    open(&breakers);
    sleep(Duration::from_secs(1)).await;
    let probe = breakers.enter("app".into(), &READ).expect("the probe");
    assert!(wait(&breakers).is_some(), "one is enough");
    assert!(breakers.circuits("app")[0].probing);
    probe.settle(&Ok(()));
    attempt(&breakers, Ok(()));
    assert!(breakers.states().is_empty(), "what works has no entry");
}

#[tokio::test(start_paused = true)]
async fn each_probe_that_fails_doubles_the_pause() {
    let breakers = breakers();
    open(&breakers);
    for seconds in [1, 2, 4, 4] {
        assert_eq!(wait(&breakers), Some(Duration::from_secs(seconds)));
        sleep(Duration::from_secs(seconds)).await;
        attempt(&breakers, lost());
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_leaves_makes_room_for_the_next() {
    let breakers = breakers();
    open(&breakers);
    sleep(Duration::from_secs(1)).await;
    drop(breakers.enter("app".into(), &READ).expect("the probe"));
    let probe = breakers.enter("app".into(), &READ).expect("the next probe");
    assert!(wait(&breakers).is_some());
    probe.settle(&Ok(()));
    attempt(&breakers, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn attempts_from_before_decide_nothing() {
    let breakers = breakers();
    let early = [(); 2].map(|()| breakers.enter("app".into(), &READ).expect("closed"));
    open(&breakers);
    let [one, other] = early;
    one.settle(&Ok(()));
    assert_eq!(wait(&breakers), Some(Duration::from_secs(1)), "it stays open");
    sleep(Duration::from_secs(1)).await;
    let probe = breakers.enter("app".into(), &READ).expect("the probe");
    other.settle(&lost());
    probe.settle(&Ok(()));
    attempt(&breakers, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_impatient_caller_says_nothing_of_dingtalk() {
    let breakers = breakers();
    let late = || Err(Error::DeadlineExceeded { applied: Applied::Maybe });
    (0..9).for_each(|_| attempt(&breakers, late()));
    assert!(breakers.states().is_empty());
    let patient = [(); 3].map(|()| breakers.enter("app".into(), &READ).expect("closed"));
    advance(PATIENCE).await;
    patient.into_iter().for_each(|pass| pass.settle(&late()));
    assert!(wait(&breakers).is_some());
}

proptest! {
    /// Whatever happens in whatever order, an operation that is not closed has at most one call under way that was
    /// begun since, and it is let through again once its pause is over.
    #[test]
    fn there_is_never_more_than_one_probe(steps in proptest::collection::vec((0u8..5, 0u64..1500, 0usize..8), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let breakers = breakers();
            let mut under_way: Vec<Pass> = Vec::new();
            for (step, ms, which) in steps {
                match step {
                    0 => advance(Duration::from_millis(ms)).await,
                    1 => under_way.extend(breakers.enter("app".into(), &READ)),
                    _ if under_way.is_empty() => {}
                    _ => {
                        let pass = under_way.swap_remove(which % under_way.len());
                        match step {
                            2 => pass.settle(&Ok(())),
                            3 => pass.settle(&lost()),
                            _ => drop(pass),
                        }
                    }
                }
                let probes = under_way.iter().filter(|pass| pass.probe).count();
                let half_open = breakers.circuits("app").iter().filter(|circuit| circuit.probing).count();
                prop_assert_eq!(probes, half_open);
                prop_assert!(probes <= 1);
            }
            drop(under_way);
            advance(Duration::from_secs(4)).await;
            prop_assert!(breakers.enter("app".into(), &READ).is_ok());
            Ok(())
        })?;
    }
}
