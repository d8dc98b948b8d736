//! The contract of facts.

use std::time::Duration;

use bytes::Bytes;
use dinggate::store::Store;
use tokio::time::timeout;

use crate::{
    contract,
    support::{SOON, millis},
};

contract!(a_fact_is_remembered_until_it_is_replaced, a_fact_may_be_forgotten_in_time);

async fn a_fact_is_remembered_until_it_is_replaced(store: Store) {
    let facts = &store.facts;
    assert_eq!(facts.recall("k").await.unwrap(), None);
    for fact in [&b"one\0\xff"[..], b"", b"two"] {
        facts.remember("k", Bytes::from_static(fact), None).await.unwrap();
        assert_eq!(facts.recall("k").await.unwrap().unwrap(), fact);
    }
    assert_eq!(facts.recall("K").await.unwrap(), None);
}

async fn a_fact_may_be_forgotten_in_time(store: Store) {
    let facts = &store.facts;
    facts.remember("long", Bytes::from_static(b"x"), Some(Duration::from_secs(3600))).await.unwrap();
    facts.remember("short", Bytes::from_static(b"x"), Some(millis(300))).await.unwrap();
    assert!(facts.recall("short").await.unwrap().is_some());
    let forgotten = async { while facts.recall("short").await.unwrap().is_some() {} };
    timeout(SOON, forgotten).await.expect("it is forgotten");
    assert!(facts.recall("long").await.unwrap().is_some());
}
