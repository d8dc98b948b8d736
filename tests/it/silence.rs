//! Event streams that are half-open: nothing says that nothing comes any more. Time is paused, so it passes as soon as
//! everybody waits; what both ends write on the way is there at once, as they are in one process.

use std::time::Duration;

use dinggate::event::{Cause, Filter, Item, Record, Watcher};
use dinggate_simulator::Silence;
use serde_json::json;
use tokio::time::{Instant, pause, resume};
use tokio_stream::StreamExt as _;

use crate::support::Gateway;

const APP: &str = "dingdemo";
/// More than all of these tests take.
const NEVER: Duration = Duration::from_secs(100 * 3600);

/// A gateway with an open stream, and somebody who watches.
async fn at_work() -> (Gateway, Watcher) {
    let gateway = Gateway::start_with(|sources| sources.with("events.mode", "stream")).await;
    gateway.simulator.until_pushes(APP, |pushes| pushes.opened == 1).await;
    let mut watcher = gateway.feed.watch("demo", Filter::default(), None, NEVER).await.unwrap();
    assert!(matches!(watcher.next().await, Some(Item::Checkpoint(_))), "it begins with where it begins");
    (gateway, watcher)
}

/// How long the stream goes on until there is another one.
async fn given_up_after(gateway: &Gateway) -> Duration {
    pause();
    let begin = Instant::now();
    gateway.simulator.until_pushes(APP, |pushes| pushes.closed == 1 || pushes.opened == 2).await;
    let after = begin.elapsed();
    resume();
    gateway.simulator.until_pushes(APP, |pushes| pushes.opened == 2).await;
    after
}

/// The next thing that the watcher is told: whether it is a gap.
async fn is_gap(watcher: &mut Watcher) -> bool {
    let Some(Item::Record(logged)) = watcher.next().await else { panic!("nothing but records") };
    matches!(&logged.record, Record::Gap(gap) if gap.cause == Cause::Reconnected)
}

#[tokio::test]
async fn a_dead_stream_is_given_up_after_half_a_minute() {
    let (gateway, mut watcher) = at_work().await;
    assert_eq!(gateway.simulator.silence(APP, Silence::Dead), 1);
    let after = given_up_after(&gateway).await;
    assert!((25..=31).contains(&after.as_secs()), "{after:?}");
    assert!(is_gap(&mut watcher).await);
}

const LIFETIME: Duration = Duration::from_secs(6 * 3600);

#[tokio::test]
async fn one_that_only_answers_pings_is_replaced_after_six_hours_and_leaves_a_gap() {
    let (gateway, mut watcher) = at_work().await;
    assert_eq!(gateway.simulator.silence(APP, Silence::OnlyPongs), 1);
    let after = given_up_after(&gateway).await;
    assert!(after >= LIFETIME && after < LIFETIME + Duration::from_secs(60), "{after:?}");
    assert!(is_gap(&mut watcher).await);
}

#[tokio::test]
async fn one_that_works_is_replaced_after_six_hours_without_a_gap() {
    let (gateway, mut watcher) = at_work().await;
    let after = given_up_after(&gateway).await;
    assert!(after >= LIFETIME && after < LIFETIME + Duration::from_secs(60), "{after:?}");
    gateway.simulator.push_event(APP, "any", &json!({}));
    assert!(!is_gap(&mut watcher).await);
}
