//! Leases.

use std::time::Duration;

use dinggate::store::{Fence, Store};
use tokio::{task::yield_now, time::timeout};

use crate::support::{SOON, millis};

const LONG: Duration = Duration::from_secs(60);

crate::contract!(
    one_has_it_until_it_is_given_up,
    it_runs_out_and_the_next_holder_has_a_greater_number,
    it_lasts_as_long_as_it_is_renewed,
    each_name_is_a_lease_of_its_own,
);

async fn acquire(store: &Store, ttl: Duration) -> Option<Fence> {
    store.leases.acquire("l", ttl).await.unwrap()
}

/// The lease, as soon as it is free.
async fn in_the_end(store: &Store, ttl: Duration) -> Fence {
    let acquiring = async {
        loop {
            match acquire(store, ttl).await {
                Some(fence) => return fence,
                None => yield_now().await,
            }
        }
    };
    timeout(SOON, acquiring).await.expect("it runs out")
}

async fn one_has_it_until_it_is_given_up(store: Store) {
    let one = acquire(&store, LONG).await.unwrap();
    assert_eq!(acquire(&store, LONG).await, None);
    store.leases.release(&one).await.unwrap();
    let other = acquire(&store, LONG).await.unwrap();
    assert!(other.number > one.number);
    store.leases.release(&one).await.unwrap();
    assert_eq!(acquire(&store, LONG).await, None, "what is another's cannot be given up");
}

async fn it_runs_out_and_the_next_holder_has_a_greater_number(store: Store) {
    let one = acquire(&store, millis(50)).await.unwrap();
    let other = in_the_end(&store, LONG).await;
    assert!(other.number > one.number);
    assert!(!store.leases.renew(&one, LONG).await.unwrap());
    assert!(store.leases.renew(&other, LONG).await.unwrap());
}

async fn it_lasts_as_long_as_it_is_renewed(store: Store) {
    let one = acquire(&store, LONG).await.unwrap();
    assert!(store.leases.renew(&one, millis(50)).await.unwrap(), "the last word counts");
    in_the_end(&store, LONG).await;
}

async fn each_name_is_a_lease_of_its_own(store: Store) {
    acquire(&store, LONG).await.unwrap();
    let other = store.leases.acquire("other", LONG).await.unwrap();
    assert_eq!(&*other.unwrap().lease, "other");
}
