//! The rules of [`Budgets`] by the microsecond, on a clock that stands still unless it is told.

use proptest::prelude::*;

use super::*;
use crate::store::Rate;

const SECOND: u64 = 1_000_000;
/// 2026-11-15 in China: no month ends nearby.
const NOW: u64 = 1_794_672_000 * SECOND;
const RATE: Rate = Rate { calls: 20, per: Duration::from_secs(1) };
const EGRESS: Rate = Rate { calls: 10_000, per: Duration::from_secs(20) };

fn ask() -> Ask {
    Ask {
        app: "orders".into(),
        operation: "group.get",
        rate: RATE,
        month: None,
        egress: EGRESS,
        waiting: 1,
        horizon: Duration::from_secs(30),
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The slot and the time of a place.
fn place(book: &mut Book, now: u64, ask: &Ask) -> (Slot, u64) {
    match book.reserve(now, ask) {
        Reserved::Place { slot, wait, .. } => (slot, now + micros(wait)),
        later => panic!("{later:?}"),
    }
}

fn places(book: &mut Book, now: u64, ask: &Ask, count: usize) -> Vec<u64> {
    (0..count).map(|_| place(book, now, ask).1).collect()
}

fn later(book: &mut Book, now: u64, ask: &Ask) -> (Duration, Limit) {
    match book.reserve(now, ask) {
        Reserved::Later { wait, limit } => (wait, limit),
        place => panic!("{place:?}"),
    }
}

#[test]
fn from_rest_half_go_at_once_and_the_others_evenly_until_the_window_is_full() {
    let ats = places(&mut Book::default(), NOW, &ask(), 22);
    assert_eq!(ats[..11], [NOW; 11]);
    let spaced: Vec<_> = (1..10).map(|step| NOW + step * 50_000).collect();
    assert_eq!(ats[11..20], spaced, "one each twentieth of a second");
    assert_eq!(ats[20], NOW + 1_015_000, "the window of the first, and the slack");
    assert_eq!(ats[21], ats[20] + 50_000, "who had to wait starts no burst");
}

#[test]
fn nothing_is_taken_beyond_the_horizon_and_who_comes_again_starts_no_burst() {
    let (mut book, ask) = (Book::default(), Ask { horizon: Duration::ZERO, ..ask() });
    places(&mut book, NOW, &ask, 11);
    for step in 1..10 {
        place(&mut book, NOW + step * 50_000, &ask);
    }
    let full = NOW + 500_000;
    assert_eq!(later(&mut book, full, &ask), (millis(515), Limit::Operation));
    assert_eq!(book.usage(full, "orders", "group.get").taken, 20);
    let again = NOW + 1_015_000;
    place(&mut book, again, &ask);
    assert_eq!(later(&mut book, again, &ask), (millis(50), Limit::Operation));
}

#[test]
fn the_room_is_what_can_start_at_once() {
    let (mut book, ask) = (Book::default(), Ask { horizon: Duration::ZERO, ..ask() });
    let room = |book: &Book, now| book.usage(now, "orders", "group.get").room(ask.rate, ask.egress);
    for step in [0, 1_000_000, 2_500_000] {
        let (now, mut started) = (NOW + step, 0);
        let promised = room(&book, now);
        while let Reserved::Place { .. } = book.reserve(now, &ask) {
            started += 1;
        }
        assert_eq!(promised, started, "after {step} us");
        assert_eq!(room(&book, now), 0);
    }
    book.pause(&ask, Limit::Operation, NOW + 20 * SECOND);
    assert_eq!(room(&book, NOW + 10 * SECOND), 0);
    book.pause(&ask, Limit::Egress, NOW + 40 * SECOND);
    assert_eq!(room(&book, NOW + 30 * SECOND), 0);
    assert_eq!(room(&book, NOW + 50 * SECOND), 11);
}

#[test]
fn a_pause_holds_what_it_names_and_ends_without_a_burst() {
    let (other_app, other_operation) =
        (Ask { app: "other".into(), ..ask() }, Ask { operation: "group.create", ..ask() });
    // (what is paused, whether it holds the operation of another app, and another operation)
    for (limit, app, operation) in [
        (Limit::Operation, false, false),
        (Limit::Platform, true, false),
        (Limit::Month, false, true),
        (Limit::Egress, true, true),
    ] {
        let mut book = Book::default();
        book.pause(&ask(), limit, NOW + SECOND);
        book.pause(&ask(), limit, NOW + 1);
        let asks = [(ask(), true), (other_app.clone(), app), (other_operation.clone(), operation)];
        for (ask, held) in asks {
            let short = Ask { horizon: millis(999), ..ask.clone() };
            let first = book.reserve(NOW, &short);
            let expected = Reserved::Later { wait: millis(1000), limit };
            assert_eq!(first == expected, held, "{limit:?} of {ask:?}: {first:?}");
            if held {
                let ats = places(&mut book, NOW + 2 * SECOND, &ask, 11);
                assert_eq!(ats, [NOW + 2 * SECOND; 11], "a second of rest allows a burst again");
            }
        }
        let mut book = Book::default();
        book.pause(&ask(), limit, NOW);
        assert_eq!(places(&mut book, NOW, &ask(), 3), [NOW, NOW + 50_000, NOW + 100_000]);
    }
}

#[test]
fn a_new_book_waits_out_the_window_of_what_it_does_not_know() {
    let mut book = Book { born: NOW, ..Book::default() };
    assert_eq!(places(&mut book, NOW, &ask(), 2), [NOW + SECOND, NOW + SECOND + 50_000]);
}

#[test]
fn an_extended_place_is_held_for_longer() {
    let (mut book, one) = (Book::default(), Ask { rate: Rate { calls: 1, ..RATE }, ..ask() });
    let (slot, _) = place(&mut book, NOW, &one);
    book.extend(NOW, &one, slot, millis(300));
    book.extend(NOW, &one, slot, millis(100));
    assert_eq!(place(&mut book, NOW, &one).1, NOW + 1_300_000);
    book.extend(NOW + 5 * SECOND, &one, slot, millis(300));
    assert_eq!(book.usage(NOW + 5 * SECOND, "orders", "group.get").taken, 0, "what is over stays over");
}

#[test]
fn a_place_given_back_is_free_again_at_its_time() {
    let mut book = Book::default();
    places(&mut book, NOW, &ask(), 15);
    let (slot, at) = place(&mut book, NOW, &ask());
    book.give_back(NOW, &ask(), slot);
    assert_eq!(place(&mut book, NOW, &ask()).1, at);
    book.give_back(NOW, &ask(), slot);
    assert_eq!(book.usage(NOW, "orders", "group.get").taken, 16, "a place is given back once");
}

#[test]
fn the_month_is_counted_and_begins_anew() {
    let (mut book, ask) = (Book::default(), Ask { month: Some(3), ..ask() });
    let (slot, _) = place(&mut book, NOW, &ask);
    places(&mut book, NOW, &ask, 2);
    let (wait, limit) = later(&mut book, NOW, &ask);
    let end = NOW + micros(wait);
    assert_eq!((end, limit), (Month::at(NOW).ends, Limit::Month));
    book.give_back(NOW, &ask, slot);
    book.uncount(NOW, &ask);
    assert_eq!(book.usage(NOW, "orders", "group.get").month_calls, 1);
    places(&mut book, NOW, &ask, 2);
    later(&mut book, end - 1, &ask);
    assert_eq!(book.usage(end, "orders", "group.get").month_calls, 0);
    place(&mut book, end, &ask);
}

#[test]
fn one_egress_address_is_shared_by_all_apps() {
    let egress = Rate { calls: 10, per: Duration::from_secs(8) };
    let mut book = Book::default();
    let asks = ["a", "b"].map(|app| Ask { app: app.into(), egress, ..ask() });
    let ats: Vec<_> = (0..5).map(|turn| place(&mut book, NOW, &asks[turn % 2]).1 - NOW).collect();
    assert_eq!(ats, [0, 0, SECOND, 2 * SECOND, 3 * SECOND], "a fifth at once, the rest in the window");
    let short = Ask { horizon: Duration::ZERO, ..asks[0].clone() };
    assert_eq!(later(&mut book, NOW, &short), (Duration::from_secs(4), Limit::Egress));
}

#[derive(Debug, Clone)]
enum Step {
    Reserve { horizon: u64 },
    Extend { index: usize, late: u64 },
    GiveBack { index: usize },
    Pass { time: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => prop_oneof![Just(0), 0..3 * SECOND].prop_map(|horizon| Step::Reserve { horizon }),
        1 => (any::<usize>(), 0..SECOND).prop_map(|(index, late)| Step::Extend { index, late }),
        2 => any::<usize>().prop_map(|index| Step::GiveBack { index }),
        4 => prop_oneof![0..10_000u64, 0..SECOND].prop_map(|time| Step::Pass { time }),
    ];
    proptest::collection::vec(step, 1..200)
}

/// A place that was granted, as DingTalk may see it.
#[derive(Debug, Clone, Copy)]
struct Granted {
    slot: Slot,
    asked: u64,
    at: u64,
}

proptest! {
    #[test]
    fn no_window_holds_more_than_the_rate_and_nobody_waits_in_vain(calls in 1..30u32, steps in steps()) {
        let rate = Rate { calls, ..RATE };
        let spacing = Spacing::of_operation(rate);
        let (mut book, mut now, mut granted) = (Book::default(), NOW, Vec::<Granted>::new());
        for step in steps {
            match step {
                Step::Pass { time } => now += time,
                Step::Extend { index, late } => {
                    let Some(len) = std::num::NonZero::new(granted.len()) else { continue };
                    let place = granted[index % len];
                    if place.at <= now && now < place.at + SECOND {
                        book.extend(now, &Ask { rate, ..ask() }, place.slot, Duration::from_micros(late));
                    }
                }
                Step::GiveBack { index } => {
                    let Some(len) = std::num::NonZero::new(granted.len()) else { continue };
                    if granted[index % len].at >= now {
                        let place = granted.swap_remove(index % len);
                        book.give_back(now, &Ask { rate, ..ask() }, place.slot);
                    }
                }
                Step::Reserve { horizon } => {
                    let held = book.usage(now, "orders", "group.get").taken;
                    let tat = book.operation(&ask()).tat;
                    let horizon = Duration::from_micros(horizon);
                    let reserved = book.reserve(now, &Ask { rate, horizon, ..ask() });
                    let (Reserved::Place { wait, .. } | Reserved::Later { wait, .. }) = reserved;
                    prop_assert!(held >= calls || tat > now + spacing.allowance() || wait.is_zero(), "it waits in vain");
                    if let Reserved::Place { slot, .. } = reserved {
                        prop_assert!(wait <= horizon);
                        granted.push(Granted { slot, asked: now, at: now + micros(wait) });
                    } else {
                        prop_assert!(wait > horizon);
                    }
                }
            }
        }
        granted.sort_by_key(|place| place.at);
        for (index, place) in granted.iter().enumerate() {
            let before = granted[..index].iter().filter(|other| other.at + SECOND > place.at).count();
            prop_assert!(before < calls as usize, "{place:?} is number {} in its window", before + 1);
        }
        let waited = granted.windows(2).filter(|pair| pair[0].asked < pair[0].at && pair[1].asked < pair[1].at);
        for pair in waited {
            prop_assert!(pair[0].at + spacing.each <= pair[1].at, "{pair:?} are too close");
        }
    }
}
