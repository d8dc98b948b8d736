//! The contract of budgets. The exact times are tested beside the arithmetic; here windows are long, so that nothing
//! depends on how fast this machine is.

use std::time::Duration;

use dinggate::store::{Ask, Limit, Rate, Reserved, Store, Usage};
use tokio::time::Instant;

use crate::{
    contract,
    support::{ask, millis, place},
};

/// Two calls a second.
const PER: Duration = Duration::from_secs(10);
/// What a machine under load may add.
const TOLERANCE: Duration = Duration::from_millis(400);

contract!(
    from_rest_half_go_at_once_and_the_others_evenly_until_the_window_is_full,
    nothing_is_taken_beyond_the_horizon,
    a_place_given_back_is_free_again,
    an_extended_place_is_held_for_longer,
    a_pause_holds_what_it_names,
    a_longer_pause_stays,
    the_month_is_counted,
    one_egress_address_is_shared_by_all_apps,
);

fn about(found: Duration, expected: Duration) {
    assert!(found.abs_diff(expected) <= TOLERANCE, "{found:?} is not about {expected:?}");
}

async fn later(store: &Store, ask: &Ask) -> (Duration, Limit) {
    match store.budgets.reserve(ask).await.unwrap() {
        Reserved::Later { wait, limit } => (wait, limit),
        place => panic!("{place:?}"),
    }
}

async fn taken(store: &Store) -> u32 {
    store.budgets.usage("orders", "group.get").await.unwrap().taken
}

async fn from_rest_half_go_at_once_and_the_others_evenly_until_the_window_is_full(store: Store) {
    let (ask, start) = (ask(20, PER), Instant::now());
    let mut ats = Vec::new();
    for _ in 0..22 {
        let (_, wait) = place(&store, &ask).await;
        ats.push(start.elapsed() + wait);
    }
    let first = ats[0];
    for (index, at) in ats.into_iter().enumerate() {
        let steps = match index {
            0..=10 => Duration::ZERO,
            11..=19 => millis(500) * (index as u32 - 10),
            _ => PER + millis(500) * (index as u32 - 20),
        };
        about(at - first, steps);
    }
}

async fn nothing_is_taken_beyond_the_horizon(store: Store) {
    let ask = Ask { horizon: Duration::ZERO, ..ask(1, PER) };
    place(&store, &ask).await;
    for _ in 0..3 {
        let (wait, limit) = later(&store, &ask).await;
        about(wait, PER);
        assert_eq!(limit, Limit::Operation);
    }
    assert_eq!(taken(&store).await, 1);
    assert_eq!(store.budgets.usage("orders", "group.get").await.unwrap().month_calls, 1);
    let nobody = store.budgets.usage("nobody", "nothing").await.unwrap();
    assert_eq!(nobody, Usage { egress_ahead: nobody.egress_ahead, ..Usage::default() });
}

async fn a_place_given_back_is_free_again(store: Store) {
    let ask = ask(2, PER);
    place(&store, &ask).await;
    place(&store, &ask).await;
    let (slot, wait) = place(&store, &ask).await;
    about(wait, PER);
    store.budgets.give_back(&ask, slot).await.unwrap();
    assert_eq!(taken(&store).await, 2);
    let (again, wait) = place(&store, &ask).await;
    about(wait, PER);
    assert_ne!(again, slot);
    store.budgets.give_back(&ask, slot).await.unwrap();
    assert_eq!(taken(&store).await, 3, "a place is given back once");
}

async fn an_extended_place_is_held_for_longer(store: Store) {
    let ask = ask(1, PER);
    let (slot, _) = place(&store, &ask).await;
    store.budgets.extend(&ask, slot, 2 * PER).await.unwrap();
    store.budgets.extend(&ask, slot, PER).await.unwrap();
    let (ahead, wait) = place(&store, &ask).await;
    about(wait, 3 * PER);
    store.budgets.give_back(&ask, ahead).await.unwrap();
    store.budgets.give_back(&ask, slot).await.unwrap();
    store.budgets.extend(&ask, slot, 2 * PER).await.unwrap();
    assert_eq!(taken(&store).await, 0, "what was given back is not held again");
}

async fn a_pause_holds_what_it_names(store: Store) {
    let egress = Rate { calls: 1_000_000, per: millis(1) };
    // (what is paused, whether it holds the operation of another app, and another operation)
    for (number, (limit, app, operation)) in [
        (Limit::Operation, false, false),
        (Limit::Platform, true, false),
        (Limit::Month, false, true),
        (Limit::Egress, true, true),
    ]
    .into_iter()
    .enumerate()
    {
        let operations = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]][number];
        let apps: [std::sync::Arc<str>; 2] = [format!("one{number}").into(), format!("two{number}").into()];
        let one = Ask { app: apps[0].clone(), operation: operations[0], egress, ..ask(1000, PER) };
        store.budgets.pause(&one, limit, PER).await.unwrap();
        let others = [
            (one.clone(), true),
            (Ask { app: apps[1].clone(), ..one.clone() }, app),
            (Ask { operation: operations[1], ..one.clone() }, operation),
        ];
        for (ask, held) in others {
            let ask = Ask { horizon: PER / 2, ..ask };
            match store.budgets.reserve(&ask).await.unwrap() {
                Reserved::Later { wait, limit: by } if held => {
                    about(wait, PER);
                    assert_eq!(by, limit);
                }
                Reserved::Place { wait: Duration::ZERO, .. } if !held => {}
                other => panic!("{limit:?} of {ask:?}: {other:?}"),
            }
        }
        let usage = store.budgets.usage(&one.app, one.operation).await.unwrap();
        let paused = [usage.paused, usage.month_paused, usage.egress_paused];
        let expected = match limit {
            Limit::Operation | Limit::Platform => [PER, Duration::ZERO, Duration::ZERO],
            Limit::Month => [Duration::ZERO, PER, Duration::ZERO],
            Limit::Egress => [Duration::ZERO, Duration::ZERO, PER],
        };
        paused.into_iter().zip(expected).for_each(|(paused, expected)| about(paused, expected));
    }
}

async fn a_longer_pause_stays(store: Store) {
    let ask = ask(20, PER);
    store.budgets.pause(&ask, Limit::Operation, PER).await.unwrap();
    store.budgets.pause(&ask, Limit::Operation, PER / 2).await.unwrap();
    let (_, first) = place(&store, &ask).await;
    about(first, PER);
    let (_, second) = place(&store, &ask).await;
    about(second, PER + millis(500));
}

async fn the_month_is_counted(store: Store) {
    let ask = Ask { month: Some(3), ..ask(20, PER) };
    let (slot, _) = place(&store, &ask).await;
    for _ in 0..2 {
        place(&store, &ask).await;
    }
    let (wait, limit) = later(&store, &ask).await;
    assert_eq!(limit, Limit::Month);
    assert!(wait <= Duration::from_secs(31 * 86_400), "{wait:?}");
    store.budgets.give_back(&ask, slot).await.unwrap();
    store.budgets.uncount(&ask).await.unwrap();
    assert_eq!(store.budgets.usage("orders", "group.get").await.unwrap().month_calls, 1);
    let other = Ask { operation: "group.create", ..ask.clone() };
    place(&store, &other).await;
    place(&store, &ask).await;
    assert_eq!(later(&store, &other).await.1, Limit::Month);
    for _ in 0..5 {
        store.budgets.uncount(&ask).await.unwrap();
    }
    assert_eq!(store.budgets.usage("orders", "group.get").await.unwrap().month_calls, 0);
}

async fn one_egress_address_is_shared_by_all_apps(store: Store) {
    let egress = Rate { calls: 10, per: Duration::from_secs(80) };
    let start = Instant::now();
    for turn in 0..5u32 {
        let app = ["a", "b"][turn as usize % 2].into();
        let (_, wait) = place(&store, &Ask { app, egress, ..ask(20, PER) }).await;
        about(start.elapsed() + wait, PER * turn.saturating_sub(1));
    }
    let short = Ask { egress, horizon: PER, ..ask(20, PER) };
    assert_eq!(later(&store, &short).await.1, Limit::Egress);
}
