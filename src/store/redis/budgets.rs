//! Budgets in Redis: one script for each step, with the clock of Redis.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foldhash::HashMap;

use super::{link::Link, script::Scripts};
use crate::store::{
    Ask, Budgets, Limit, Reserved, SLACK, Slot, Unavailable, Usage,
    calendar::{Clock, Month},
    degrade::{Seen, Spent},
    micros,
    spacing::Spacing,
};

/// A slot is the time of its place and, in its last bits, a mark that tells places of the same time apart.
const MARK_BITS: u32 = 12;
const MARKS: u64 = 1 << MARK_BITS;

/// Budgets that all replicas share.
#[derive(Debug)]
pub(in crate::store) struct RedisBudgets {
    link: Arc<Link>,
    scripts: Scripts,
    replica: String,
    clock: Clock,
    /// What the months had when they were last seen.
    months: Mutex<HashMap<Arc<str>, Seen>>,
}

impl RedisBudgets {
    pub(super) fn new(link: Arc<Link>, replica: u128) -> Self {
        Self {
            link,
            scripts: Scripts::default(),
            replica: format!("{replica:032x}"),
            clock: Clock::default(),
            months: Mutex::default(),
        }
    }

    /// What the months had when they were last seen.
    pub(in crate::store) fn months(&self) -> HashMap<Arc<str>, Seen> {
        self.months.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that this replica is there, and hears how many are.
    pub(super) async fn beat(&self) -> Result<u32, Unavailable> {
        let mut script = self.scripts.beat.key(self.link.key(&["replicas"]));
        self.link.run(script.key(self.born()).arg(&self.replica)).await
    }

    /// Comes back, and tells what was spent elsewhere.
    pub(in crate::store) async fn resume(&self, spent: &Spent) -> Result<(), Unavailable> {
        let mut script = self.scripts.resume.key(self.born());
        script.arg(spent.late.map_or(-1, |late| micros(late).cast_signed()));
        for (app, seen) in self.months() {
            let calls = spent.calls.get(&app).copied().unwrap_or_default();
            script.key(self.month_key(&app, seen.month)).arg(seen.calls).arg(calls).arg(seen.month.ends);
        }
        self.link.run(&script).await
    }

    fn born(&self) -> String {
        self.link.key(&["born"])
    }

    fn places_key(&self, app: &str, operation: &str) -> String {
        self.link.key(&["places", app, operation])
    }

    fn operation_key(&self, app: &str, operation: &str) -> String {
        self.link.key(&["operation", app, operation])
    }

    fn platform_key(&self, operation: &str) -> String {
        self.link.key(&["platform", operation])
    }

    fn app_key(&self, app: &str) -> String {
        self.link.key(&["app", app])
    }

    fn egress_key(&self) -> String {
        self.link.key(&["egress"])
    }

    fn month_key(&self, app: &str, month: Month) -> String {
        self.link.key(&["month", app, &month.number.to_string()])
    }

    fn month(&self) -> Month {
        Month::at(self.clock.now())
    }
}

/// The name of a place among the places of its operation.
fn member(slot: Slot) -> String {
    format!("{}:{}", slot.0 >> MARK_BITS, slot.0 % MARKS)
}

#[async_trait]
impl Budgets for RedisBudgets {
    async fn reserve(&self, ask: &Ask) -> Result<Reserved, Unavailable> {
        let (app, operation) = (&*ask.app, ask.operation);
        let (spacing, egress) = (Spacing::of_operation(ask.rate), Spacing::of_egress(ask.egress));
        let month = self.month();
        let mark = rand::random_range(0..MARKS);
        let mut script = self.scripts.reserve.key(self.places_key(app, operation));
        script
            .key(self.operation_key(app, operation))
            .key(self.link.key(&["waiting", app, operation]))
            .key(self.platform_key(operation))
            .key(self.app_key(app))
            .key(self.month_key(app, month))
            .key(self.egress_key())
            .key(self.born());
        script
            .arg(ask.rate.calls)
            .arg(micros(ask.rate.per))
            .arg(micros(ask.rate.per + SLACK))
            .arg(spacing.each)
            .arg(spacing.allowance())
            .arg(egress.each)
            .arg(egress.allowance())
            .arg(ask.month.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)))
            .arg(month.ends)
            .arg(micros(ask.horizon))
            .arg(&self.replica)
            .arg(ask.waiting)
            .arg(mark);
        let (taken, wait, limit, at, waiting, calls): (bool, u64, String, u64, u32, u64) =
            self.link.run(&script).await?;
        let limit = match limit.as_str() {
            "platform" => Limit::Platform,
            "month" => Limit::Month,
            "egress" => Limit::Egress,
            _ => Limit::Operation,
        };
        let mut months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        months.insert(ask.app.clone(), Seen { month, calls });
        let wait = Duration::from_micros(wait);
        Ok(if taken {
            Reserved::Place { slot: Slot(at << MARK_BITS | mark), wait, limit, waiting }
        } else {
            Reserved::Later { wait, limit }
        })
    }

    async fn extend(&self, ask: &Ask, slot: Slot, late: Duration) -> Result<(), Unavailable> {
        let release = (slot.0 >> MARK_BITS) + micros(ask.rate.per + late);
        let mut script = self.scripts.extend.key(self.places_key(&ask.app, ask.operation));
        self.link.run(script.arg(member(slot)).arg(release)).await
    }

    async fn give_back(&self, ask: &Ask, slot: Slot) -> Result<(), Unavailable> {
        let spacing = Spacing::of_operation(ask.rate);
        let mut script = self.scripts.give_back.key(self.places_key(&ask.app, ask.operation));
        script
            .key(self.operation_key(&ask.app, ask.operation))
            .key(self.month_key(&ask.app, self.month()))
            .arg(member(slot))
            .arg((slot.0 >> MARK_BITS) + spacing.allowance() + spacing.each)
            .arg(spacing.each);
        self.link.run(&script).await
    }

    async fn uncount(&self, ask: &Ask) -> Result<(), Unavailable> {
        self.link.run(&self.scripts.uncount.key(self.month_key(&ask.app, self.month()))).await
    }

    async fn pause(&self, ask: &Ask, limit: Limit, pause: Duration) -> Result<(), Unavailable> {
        let key = match limit {
            Limit::Operation => self.operation_key(&ask.app, ask.operation),
            Limit::Platform => self.platform_key(ask.operation),
            Limit::Month => self.app_key(&ask.app),
            Limit::Egress => self.egress_key(),
        };
        self.link.run(self.scripts.pause.key(key).arg(micros(pause))).await
    }

    fn month_calls(&self, app: &str) -> Option<u64> {
        let months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = months.get(app)?;
        Some(if seen.month.number == self.month().number { seen.calls } else { 0 })
    }

    async fn usage(&self, app: &str, operation: &str) -> Result<Usage, Unavailable> {
        let mut script = self.scripts.usage.key(self.places_key(app, operation));
        script
            .key(self.operation_key(app, operation))
            .key(self.platform_key(operation))
            .key(self.app_key(app))
            .key(self.month_key(app, self.month()))
            .key(self.egress_key());
        let (month_calls, month_paused, taken, paused, egress_paused, ahead, egress_ahead) =
            self.link.run(&script).await?;
        Ok(Usage {
            month_calls,
            month_paused: Duration::from_micros(month_paused),
            taken,
            paused: Duration::from_micros(paused),
            egress_paused: Duration::from_micros(egress_paused),
            ahead: Duration::from_micros(ahead),
            egress_ahead: Duration::from_micros(egress_ahead),
        })
    }
}
