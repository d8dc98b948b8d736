//! The queue in front of one operation of one app.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::{Instant, sleep_until, timeout_at},
};
use tracing::{Instrument, debug, info_span};

use super::{
    Claimant,
    line::{Priority, Ticket},
    permit::{Permit, Place},
    state::{Answer, State, Waiter, refused},
};
use crate::{
    dingtalk::error::Error,
    store::{Ask, Budgets, Limit, Reserved, SLACK},
};

/// No place is taken further ahead than this share of a window: the call that had it before has been answered by
/// then, so it is known how long it was held.
const HORIZON: f64 = 0.9;

/// Calls of one app to one operation. There is always at most one pump at work for it.
#[derive(Debug)]
pub(super) struct Queue {
    ask: Ask,
    budgets: Arc<dyn Budgets>,
    state: Mutex<State>,
    /// Something came that the pump does not know of.
    changed: Notify,
    /// Calls that wait for any operation of the app, and how many may.
    app_length: Arc<AtomicUsize>,
    app_length_max: usize,
}

impl Queue {
    pub(super) fn new(
        ask: Ask,
        budgets: Arc<dyn Budgets>,
        app_length: Arc<AtomicUsize>,
        app_length_max: usize,
    ) -> Self {
        let horizon = ask.rate.per.mul_f64(HORIZON);
        let state = State::new(ask.rate);
        let ask = Ask { horizon, ..ask };
        Self { ask, budgets, state: Mutex::new(state), changed: Notify::new(), app_length, app_length_max }
    }

    pub(super) fn waiting(&self) -> usize {
        self.state().line.len()
    }

    /// Nothing goes out before `until`, not even what has a place already.
    pub(super) fn close(self: &Arc<Self>, until: Instant, limit: Limit) {
        let mut state = self.state();
        (state.closed, state.limit) = (Some((until, limit)), limit);
        let places = std::mem::take(&mut state.places);
        drop(state);
        self.clone().give_back(places);
        self.changed.notify_one();
    }

    /// DingTalk did not count the call; and nothing more goes out for a while if it said so.
    pub(super) async fn uncounted(&self, pause: Option<(Limit, Duration)>) {
        let mut outcome = self.budgets.uncount(&self.ask).await;
        if let Some((limit, pause)) = pause {
            outcome = outcome.and(self.budgets.pause(&self.ask, limit, pause).await);
        }
        if let Err(error) = outcome {
            debug!(%error, "what a refusal means for the budgets could not be shared");
        }
    }

    pub(super) async fn acquire(
        self: &Arc<Self>,
        claimant: &Claimant,
        deadline: Instant,
    ) -> Result<Permit, Error> {
        let mut known = None;
        if let Some(asking) = self.may_ask_itself() {
            let answer = self.reserve(claimant.share).await?;
            drop(asking);
            match answer {
                Answer::Place(place, _) if place.at <= Instant::now() => return Ok(self.permit(place)),
                // What cannot be waited for is not kept from others.
                Answer::Place(place, limit) if claimant.fail_fast || place.at > deadline => {
                    self.clone().give_back([place]);
                    return Err(refused(limit, place.at));
                }
                Answer::Later(until, limit) if claimant.fail_fast || until > deadline => {
                    return Err(refused(limit, until));
                }
                answer => known = Some(answer),
            }
        }
        let wait = self.join(claimant, deadline, known)?;
        wait.until(deadline).instrument(info_span!("queue")).await
    }

    /// Asking for oneself saves the way through the pump. Only while nobody waits, and not for a crowd.
    fn may_ask_itself(self: &Arc<Self>) -> Option<Asking> {
        let mut state = self.state();
        let few = state.asking < state.ahead();
        let open = state.line.len() == 0 && few && state.closed_until(Instant::now()).is_none();
        open.then(|| {
            state.asking += 1;
            Asking(self.clone())
        })
    }

    /// Queues up. `known` is what this one has found out for itself.
    fn join(
        self: &Arc<Self>,
        claimant: &Claimant,
        deadline: Instant,
        known: Option<Answer>,
    ) -> Result<Waiting, Error> {
        let max = match claimant.priority {
            Priority::Interactive => self.app_length_max,
            // The last tenth is for those who are in a hurry: batch work does not shut them out.
            Priority::Batch => self.app_length_max - self.app_length_max / 10,
        };
        if self.app_length.fetch_add(1, Ordering::Relaxed) >= max {
            self.app_length.fetch_sub(1, Ordering::Relaxed);
            if let Some(Answer::Place(place, _)) = known {
                self.clone().give_back([place]);
            }
            return Err(refused(self.state().limit, Instant::now() + self.ask.rate.per));
        }
        let (answer, answered) = oneshot::channel();
        let mut state = self.state();
        if let Some(known) = known {
            state.take_up(known);
        }
        let waiter = Waiter { answer, deadline };
        let ticket = state.line.join(&claimant.caller, claimant.share, claimant.priority, waiter);
        // From here on leaving the line is the guard's affair.
        let waiting = Waiting { queue: self.clone(), ticket, answered };
        let (expected, limit) = (state.expected(ticket), state.limit);
        if !state.is_pumped {
            state.is_pumped = true;
            tokio::spawn(self.clone().pump());
        }
        drop(state);
        if expected > deadline || (claimant.fail_fast && expected > Instant::now()) {
            return Err(refused(limit, expected));
        }
        self.changed.notify_one();
        Ok(waiting)
    }

    async fn reserve(&self, waiting: u32) -> Result<Answer, Error> {
        let asked = Instant::now();
        let ask = Ask { waiting, ..self.ask.clone() };
        let reserved = self.budgets.reserve(&ask).await.map_err(Error::Store)?;
        let now = Instant::now();
        Ok(match reserved {
            Reserved::Place { slot, wait, limit, waiting: all } => {
                self.state().competition = f64::from(all.max(waiting).max(1)) / f64::from(waiting.max(1));
                Answer::Place(Place { slot, at: now + wait, begin: asked + wait }, limit)
            }
            Reserved::Later { wait, limit } => Answer::Later(now + wait, limit),
        })
    }

    /// Hands out places as they come due, and takes new ones, until nobody waits.
    async fn pump(self: Arc<Self>) {
        loop {
            match self.step() {
                Step::Reserve(waiting) => match self.reserve(waiting).await {
                    Ok(answer) => self.state().take_up(answer),
                    Err(error) => self.refuse_all(&error),
                },
                Step::Wait(until) => {
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = self.changed.notified() => {}
                    }
                }
                Step::Done(unused) => {
                    self.give_back(unused);
                    return;
                }
            }
        }
    }

    fn step(self: &Arc<Self>) -> Step {
        let mut state = self.state();
        let now = Instant::now();
        let closed = state.closed_until(now);
        // Those for whom there are places go first.
        if let Some((until, limit)) = closed.filter(|_| state.places.is_empty()) {
            state.refuse_late(until, limit);
        }
        // A process that was stopped for a while comes back too late for its places.
        let stale = state.places.partition_point(|place| place.at + self.ask.rate.per / 2 < now);
        let stale: Vec<_> = state.places.drain(..stale).collect();
        self.clone().give_back(stale);
        while state.places.front().is_some_and(|place| place.at <= now) {
            let Some(waiter) = state.line.next() else { break };
            let place = state.places.pop_front().expect("there is a first one");
            let unheard = waiter.answer.send(Ok(self.permit(place)));
            // One that has just left: its place goes to the next.
            if let Err(Ok(permit)) = unheard
                && let Some(place) = permit.into_place()
            {
                state.places.push_front(place);
            }
        }
        if state.line.len() == 0 {
            state.is_pumped = false;
            return Step::Done(std::mem::take(&mut state.places));
        }
        if let Some((until, _)) = closed {
            // Asked again as soon as the place that frees then can be taken ahead.
            let again = until.checked_sub(self.ask.horizon).unwrap_or(now);
            if again > now {
                let first = state.places.front().map_or(again, |place| place.at.min(again));
                return Step::Wait(first);
            }
            state.closed = None;
        }
        if state.places.len() < state.ahead().min(state.line.len()) {
            return Step::Reserve(state.line.weight());
        }
        let next = state.places.front().expect("somebody waits, so there is a place or one is asked for");
        Step::Wait(next.at)
    }

    fn refuse_all(&self, error: &Error) {
        let mut state = self.state();
        while let Some(waiter) = state.line.next() {
            // Nobody may be left to hear it.
            let _ = waiter.answer.send(Err(error.clone()));
        }
    }

    fn permit(self: &Arc<Self>, place: Place) -> Permit {
        Permit::new(self.clone(), place)
    }

    /// A request has been answered, or never will be. If it was late, its place is held for longer.
    pub(super) fn ended(self: Arc<Self>, place: Place, sent: Instant) {
        let late = self.state().floor.late(place.begin, sent, Instant::now());
        let Some(runtime) = Handle::try_current().ok().filter(|_| late > SLACK) else { return };
        runtime.spawn(async move {
            // Without the store the next second is not shared either.
            let _ = self.budgets.extend(&self.ask, place.slot, late).await;
        });
    }

    pub(super) fn give_back(self: Arc<Self>, places: impl IntoIterator<Item = Place>) {
        let places: Vec<_> = places.into_iter().collect();
        // Outside a runtime the process is about to end, and the store frees the place by itself.
        let Some(runtime) = Handle::try_current().ok().filter(|_| !places.is_empty()) else { return };
        runtime.spawn(async move {
            for place in places {
                // A place that cannot be given back is only lost for a window.
                let _ = self.budgets.give_back(&self.ask, place.slot).await;
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the pump does next.
enum Step {
    /// Take another place, for those who wait here with this weight.
    Reserve(u32),
    /// Nothing before this.
    Wait(Instant),
    /// Nobody waits any more; these places were not needed.
    Done(VecDeque<Place>),
}

/// Somebody asks the store for itself.
struct Asking(Arc<Queue>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.state().asking -= 1;
    }
}

/// Somebody in the line. Leaves it when dropped.
struct Waiting {
    queue: Arc<Queue>,
    ticket: Ticket,
    answered: oneshot::Receiver<Result<Permit, Error>>,
}

impl Waiting {
    async fn until(mut self, deadline: Instant) -> Result<Permit, Error> {
        match timeout_at(deadline, &mut self.answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::Request("the queue was dropped".to_owned())),
            Err(_) => {
                let state = self.queue.state();
                Err(refused(state.limit, state.expected(self.ticket)))
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.app_length.fetch_sub(1, Ordering::Relaxed);
        if self.queue.state().line.leave(self.ticket) {
            self.queue.changed.notify_one();
        }
    }
}
