//! Who goes next: fair between callers by their shares, interactive before batch, and batch never starved. Knows
//! neither time nor limits.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Of so many calls in a row, one is a batch call if any waits.
pub(super) const BATCH_FLOOR: u32 = 10;
/// What a call of a caller with share 1 adds to the caller's tag.
const COST: u64 = 1 << 20;

/// How urgent a call is, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// Nobody does.
    Batch,
}

/// A place in the line; in the order of who goes next within a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    priority: Priority,
    place: (u64, u64),
}

/// Those who wait. Self-clocked fair queueing: a call is tagged with the virtual time at which it would end if every
/// caller were served at the speed of its share; the lowest tag goes next.
#[derive(Debug)]
pub(super) struct Line<T> {
    interactive: Class<T>,
    batch: Class<T>,
    /// Interactive calls that went while batch calls waited, since the last of those.
    streak: u32,
    joined: u64,
}

impl<T> Line<T> {
    pub(super) fn new() -> Self {
        Self { interactive: Class::new(), batch: Class::new(), streak: 0, joined: 0 }
    }

    pub(super) fn join(&mut self, caller: &Arc<str>, share: u32, priority: Priority, who: T) -> Ticket {
        self.joined += 1;
        let number = self.joined;
        let place = self.class_mut(priority).join(caller, share, number, who);
        Ticket { priority, place }
    }

    /// Takes out one that has not gone; false if it has.
    pub(super) fn leave(&mut self, ticket: Ticket) -> bool {
        self.class_mut(ticket.priority).remove(ticket.place).is_some()
    }

    pub(super) fn next(&mut self) -> Option<T> {
        let batch_is_due = self.streak + 1 >= BATCH_FLOOR && !self.batch.waiting.is_empty();
        if self.interactive.waiting.is_empty() || batch_is_due {
            self.streak = 0;
            return self.batch.next().or_else(|| self.interactive.next());
        }
        self.streak = if self.batch.waiting.is_empty() { 0 } else { self.streak + 1 };
        self.interactive.next()
    }

    /// Takes out all that are to go for another reason than their turn.
    pub(super) fn take_if(&mut self, goes: impl Fn(&T) -> bool) -> Vec<T> {
        let mut gone = self.interactive.take_if(&goes);
        gone.extend(self.batch.take_if(&goes));
        gone
    }

    /// How many go at least before this one, if nobody leaves.
    pub(super) fn ahead(&self, ticket: Ticket) -> usize {
        let before = self.class(ticket.priority).before(ticket.place);
        if ticket.priority == Priority::Interactive {
            return before;
        }
        let floor = BATCH_FLOOR as usize;
        let until_due = floor.saturating_sub(1 + self.streak as usize);
        (self.interactive.waiting.len() + before).min(until_due + before * floor)
    }

    pub(super) fn len(&self) -> usize {
        self.interactive.waiting.len() + self.batch.waiting.len()
    }

    /// The shares of all who wait; a caller counts once in each class, however many calls it has here.
    pub(super) fn weight(&self) -> u32 {
        self.interactive.weight.saturating_add(self.batch.weight)
    }

    fn class(&self, priority: Priority) -> &Class<T> {
        match priority {
            Priority::Interactive => &self.interactive,
            Priority::Batch => &self.batch,
        }
    }

    fn class_mut(&mut self, priority: Priority) -> &mut Class<T> {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Batch => &mut self.batch,
        }
    }
}

#[derive(Debug)]
struct Class<T> {
    waiting: BTreeMap<(u64, u64), (Arc<str>, T)>,
    /// Only callers that wait: one that comes back starts at the present, so nobody saves up and nobody owes.
    callers: HashMap<Arc<str>, Caller>,
    /// The tag of the last that went.
    clock: u64,
    weight: u32,
}

#[derive(Debug)]
struct Caller {
    share: u32,
    last_tag: u64,
    calls: usize,
}

impl<T> Class<T> {
    fn new() -> Self {
        Self { waiting: BTreeMap::new(), callers: HashMap::new(), clock: 0, weight: 0 }
    }

    fn join(&mut self, name: &Arc<str>, share: u32, sequence: u64, who: T) -> (u64, u64) {
        let share = share.max(1);
        let caller = self.callers.entry(name.clone()).or_insert_with(|| {
            self.weight = self.weight.saturating_add(share);
            Caller { share, last_tag: self.clock, calls: 0 }
        });
        caller.calls += 1;
        caller.last_tag = caller.last_tag.max(self.clock) + COST / u64::from(caller.share);
        let place = (caller.last_tag, sequence);
        self.waiting.insert(place, (name.clone(), who));
        place
    }

    fn next(&mut self) -> Option<T> {
        let place = *self.waiting.keys().next()?;
        self.clock = place.0;
        self.remove(place)
    }

    fn remove(&mut self, place: (u64, u64)) -> Option<T> {
        let (name, who) = self.waiting.remove(&place)?;
        if let Some(caller) = self.callers.get_mut(&name) {
            caller.calls -= 1;
            if caller.calls == 0 {
                self.weight -= caller.share;
                self.callers.remove(&name);
            }
        }
        Some(who)
    }

    fn take_if(&mut self, goes: impl Fn(&T) -> bool) -> Vec<T> {
        let going = self.waiting.iter().filter(|(_, (_, who))| goes(who)).map(|(place, _)| *place);
        let going: Vec<_> = going.collect();
        going.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    fn before(&self, place: (u64, u64)) -> usize {
        self.waiting.range(..place).count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Arc<str> {
        Arc::from(text)
    }

    fn drain(line: &mut Line<&'static str>, count: usize) -> Vec<&'static str> {
        (0..count).filter_map(|_| line.next()).collect()
    }

    #[test]
    fn a_caller_with_a_thousand_calls_takes_turns_with_one_that_has_two() {
        let mut line = Line::new();
        for _ in 0..1000 {
            line.join(&name("greedy"), 1, Priority::Interactive, "greedy");
        }
        for _ in 0..2 {
            line.join(&name("modest"), 1, Priority::Interactive, "modest");
        }
        assert_eq!(drain(&mut line, 4), ["greedy", "modest", "greedy", "modest"]);
        assert_eq!(line.weight(), 1);
    }

    #[test]
    fn a_share_of_three_is_three_turns_in_four() {
        let mut line = Line::new();
        for _ in 0..400 {
            line.join(&name("big"), 3, Priority::Interactive, "big");
            line.join(&name("small"), 1, Priority::Interactive, "small");
        }
        let went = drain(&mut line, 400);
        assert_eq!(went.iter().filter(|who| **who == "big").count(), 300);
    }

    #[test]
    fn batch_waits_for_interactive_but_gets_every_tenth_turn() {
        let mut line = Line::new();
        for _ in 0..100 {
            line.join(&name("people"), 1, Priority::Interactive, "interactive");
            line.join(&name("night job"), 1, Priority::Batch, "batch");
        }
        let went = drain(&mut line, 100);
        assert_eq!(went.iter().filter(|who| **who == "batch").count(), 10);
        assert_eq!(went[0], "interactive");
    }

    #[test]
    fn who_left_is_not_served_and_its_caller_owes_nothing() {
        let mut line = Line::new();
        let tickets: Vec<_> = (0..50).map(|_| line.join(&name("a"), 1, Priority::Interactive, "a")).collect();
        assert!(tickets.into_iter().all(|ticket| line.leave(ticket)));
        line.join(&name("b"), 1, Priority::Interactive, "b");
        line.join(&name("a"), 1, Priority::Interactive, "a");
        assert_eq!(drain(&mut line, 3), ["b", "a"]);
        assert_eq!((line.len(), line.weight()), (0, 0));
    }

    proptest! {
        /// `ahead` is what deadlines are compared with: it must never say more than comes true.
        #[test]
        fn nobody_is_told_to_wait_for_more_than_go_first(
            joins in proptest::collection::vec((0usize..5, 1u32..4, any::<bool>()), 1..120),
            served_between in 0usize..3,
        ) {
            let mut line = Line::new();
            let mut order = Vec::new();
            let mut told = HashMap::new();
            for (number, (caller, share, batch)) in joins.iter().enumerate() {
                let priority = if *batch { Priority::Batch } else { Priority::Interactive };
                let ticket = line.join(&name(&caller.to_string()), *share, priority, number);
                told.insert(number, (line.ahead(ticket), order.len()));
                if number % 4 == 0 {
                    order.extend((0..served_between).filter_map(|_| line.next()));
                }
            }
            while let Some(number) = line.next() {
                order.push(number);
            }
            prop_assert_eq!(order.len(), joins.len(), "everybody is served once");
            for (turn, number) in order.iter().enumerate() {
                let (ahead, gone) = told[number];
                prop_assert!(ahead <= turn - gone, "{} was told {} and {} went", number, ahead, turn - gone);
            }
        }
    }
}
