//! The contract of outcomes.

use std::time::Duration;

use bytes::Bytes;
use dinggate::store::{Claim, Outcomes, Owner, Store};
use tokio::{task::yield_now, time::timeout};

use crate::{
    contract,
    support::{SOON, millis},
};

const FINGERPRINT: [u8; 32] = [0xfe; 32];
const OTHER: [u8; 32] = [7; 32];
const LONG: Duration = Duration::from_secs(3600);

contract!(
    one_claims_and_the_others_wait_for_the_outcome,
    a_key_that_is_freed_can_be_claimed_by_anybody,
    a_claim_that_ran_out_before_anything_was_sent_is_free_again,
    a_claim_that_ran_out_after_something_was_sent_is_in_doubt,
    a_renewed_claim_lasts,
    an_outcome_is_kept_for_its_time,
    of_many_claims_at_once_one_is_granted,
);

async fn claim(outcomes: &dyn Outcomes, lease: Duration) -> Owner {
    match outcomes.claim("k", &FINGERPRINT, lease).await.unwrap() {
        Claim::Mine(owner) => owner,
        other => panic!("{other:?}"),
    }
}

async fn seen(outcomes: &dyn Outcomes) -> Claim {
    outcomes.claim("k", &FINGERPRINT, LONG).await.unwrap()
}

/// What a claim is answered when it is not busy any more.
async fn in_the_end(outcomes: &dyn Outcomes) -> Claim {
    let waiting = async {
        loop {
            match seen(outcomes).await {
                Claim::Busy => yield_now().await,
                other => return other,
            }
        }
    };
    timeout(SOON, waiting).await.expect("the lease ends")
}

async fn one_claims_and_the_others_wait_for_the_outcome(store: Store) {
    let outcomes = &*store.outcomes;
    let owner = claim(outcomes, LONG).await;
    assert_eq!(seen(outcomes).await, Claim::Busy);
    assert_eq!(outcomes.claim("k", &OTHER, LONG).await.unwrap(), Claim::Reused);
    assert!(matches!(outcomes.claim("other", &OTHER, LONG).await.unwrap(), Claim::Mine(_)));
    let stranger = Owner(owner.0 ^ 1);
    assert!(!outcomes.sent("k", stranger).await.unwrap());
    assert!(!outcomes.renew("k", stranger, LONG).await.unwrap());
    outcomes.finish("k", stranger, Bytes::from_static(b"wrong"), LONG).await.unwrap();
    outcomes.forget("k", stranger).await.unwrap();
    assert_eq!(seen(outcomes).await, Claim::Busy);

    assert!(outcomes.sent("k", owner).await.unwrap());
    assert_eq!(seen(outcomes).await, Claim::Busy);
    let outcome = Bytes::from_static(b"\0done\xff");
    outcomes.finish("k", owner, outcome.clone(), LONG).await.unwrap();
    assert_eq!(seen(outcomes).await, Claim::Done(outcome.clone()));
    assert_eq!(outcomes.claim("k", &OTHER, LONG).await.unwrap(), Claim::Reused);
    outcomes.forget("k", owner).await.unwrap();
    assert!(!outcomes.renew("k", owner, LONG).await.unwrap());
    assert_eq!(seen(outcomes).await, Claim::Done(outcome), "what is done stays done");
}

async fn a_key_that_is_freed_can_be_claimed_by_anybody(store: Store) {
    let owner = claim(&*store.outcomes, LONG).await;
    assert!(store.outcomes.sent("k", owner).await.unwrap());
    store.outcomes.forget("k", owner).await.unwrap();
    assert!(matches!(store.outcomes.claim("k", &OTHER, LONG).await.unwrap(), Claim::Mine(_)));
}

async fn a_claim_that_ran_out_before_anything_was_sent_is_free_again(store: Store) {
    let outcomes = &*store.outcomes;
    let first = claim(outcomes, millis(50)).await;
    let Claim::Mine(second) = in_the_end(outcomes).await else { panic!("it is free") };
    assert_ne!(first, second);
    assert!(!outcomes.sent("k", first).await.unwrap(), "the first may not send any more");
    assert!(!outcomes.renew("k", first, LONG).await.unwrap());
    assert!(outcomes.sent("k", second).await.unwrap());
}

async fn a_claim_that_ran_out_after_something_was_sent_is_in_doubt(store: Store) {
    let outcomes = &*store.outcomes;
    let owner = claim(outcomes, millis(200)).await;
    assert!(outcomes.sent("k", owner).await.unwrap());
    assert_eq!(in_the_end(outcomes).await, Claim::InDoubt);
    assert_eq!(outcomes.claim("k", &OTHER, LONG).await.unwrap(), Claim::Reused);
    // Better late than never: nobody else has got the claim.
    assert!(outcomes.renew("k", owner, LONG).await.unwrap());
    assert_eq!(seen(outcomes).await, Claim::Busy);
    outcomes.finish("k", owner, Bytes::from_static(b"late"), LONG).await.unwrap();
    assert_eq!(seen(outcomes).await, Claim::Done(Bytes::from_static(b"late")));
}

async fn a_renewed_claim_lasts(store: Store) {
    let outcomes = &*store.outcomes;
    let owner = claim(outcomes, millis(300)).await;
    assert!(outcomes.renew("k", owner, LONG).await.unwrap());
    // Another key with the first lease says when that would be over.
    outcomes.claim("clock", &OTHER, millis(300)).await.unwrap();
    let over = async { while outcomes.claim("clock", &FINGERPRINT, LONG).await.unwrap() == Claim::Reused {} };
    timeout(SOON, over).await.expect("the lease ends");
    assert_eq!(seen(outcomes).await, Claim::Busy);
}

async fn an_outcome_is_kept_for_its_time(store: Store) {
    let outcomes = &*store.outcomes;
    let owner = claim(outcomes, LONG).await;
    outcomes.finish("k", owner, Bytes::from_static(b"x"), millis(300)).await.unwrap();
    assert!(matches!(seen(outcomes).await, Claim::Done(_)));
    let over = async { while matches!(seen(outcomes).await, Claim::Done(_)) {} };
    timeout(SOON, over).await.expect("it is forgotten");
}

async fn of_many_claims_at_once_one_is_granted(store: Store) {
    let crowd = (0..50).map(|_| {
        let outcomes = store.outcomes.clone();
        tokio::spawn(async move { outcomes.claim("k", &FINGERPRINT, LONG).await.unwrap() })
    });
    let mut granted = 0;
    for claim in crowd.collect::<Vec<_>>() {
        granted += u32::from(matches!(claim.await.unwrap(), Claim::Mine(_)));
    }
    assert_eq!(granted, 1);
}
