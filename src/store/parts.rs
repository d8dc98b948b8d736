//! Replicas that cannot ask each other: each spends its part.

use async_trait::async_trait;

use super::{Ask, Budgets, Limit, Rate, Reserved, Slot, Unavailable, Usage, memory::MemoryBudgets};
use std::time::Duration;

/// One of `replicas` equal parts; where there are more replicas than calls, one call in a longer window.
pub(super) fn part(rate: Rate, replicas: u32) -> Rate {
    match rate.calls / replicas {
        0 => Rate { calls: 1, per: (rate.per * replicas).div_f64(f64::from(rate.calls)) },
        calls => Rate { calls, ..rate },
    }
}

/// Budgets in memory, of one of several replicas.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) budgets: MemoryBudgets,
    pub(super) replicas: u32,
}

impl Parts {
    fn part(&self, ask: &Ask) -> Ask {
        Ask {
            rate: part(ask.rate, self.replicas),
            month: ask.month.map(|calls| (calls / u64::from(self.replicas)).max(1)),
            egress: part(ask.egress, self.replicas),
            ..ask.clone()
        }
    }
}

#[async_trait]
impl Budgets for Parts {
    async fn reserve(&self, ask: &Ask) -> Result<Reserved, Unavailable> {
        self.budgets.reserve(&self.part(ask)).await
    }

    async fn extend(&self, ask: &Ask, slot: Slot, late: Duration) -> Result<(), Unavailable> {
        self.budgets.extend(&self.part(ask), slot, late).await
    }

    async fn give_back(&self, ask: &Ask, slot: Slot) -> Result<(), Unavailable> {
        self.budgets.give_back(&self.part(ask), slot).await
    }

    async fn uncount(&self, ask: &Ask) -> Result<(), Unavailable> {
        self.budgets.uncount(&self.part(ask)).await
    }

    async fn pause(&self, ask: &Ask, limit: Limit, pause: Duration) -> Result<(), Unavailable> {
        self.budgets.pause(&self.part(ask), limit, pause).await
    }

    fn month_calls(&self, app: &str) -> Option<u64> {
        self.budgets.month_calls(app)
    }

    async fn usage(&self, app: &str, operation: &str) -> Result<Usage, Unavailable> {
        self.budgets.usage(app, operation).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_part_is_never_more_than_what_there_is_for_all() {
        let second = Duration::from_secs(1);
        let rate = Rate { calls: 20, per: second };
        assert_eq!(part(rate, 3), Rate { calls: 6, per: second });
        assert_eq!(part(rate, 1), rate);
        assert_eq!(part(rate, 50), Rate { calls: 1, per: Duration::from_millis(2500) });
    }

    #[tokio::test(start_paused = true)]
    async fn three_replicas_spend_a_third_each() {
        let parts = Parts { budgets: MemoryBudgets::default(), replicas: 3 };
        let rate = Rate { calls: 20, per: Duration::from_secs(1) };
        let ask = Ask {
            app: Arc::from("demo"),
            operation: "group.create",
            rate,
            month: Some(30),
            egress: Rate { calls: 10_000, per: Duration::from_secs(20) },
            waiting: 1,
            horizon: Duration::from_secs(60),
        };
        let mut in_the_first_second = 0;
        for _ in 0..10 {
            let Reserved::Place { wait, .. } = parts.reserve(&ask).await.unwrap() else { panic!("a place") };
            in_the_first_second += u32::from(wait < Duration::from_secs(1));
        }
        assert_eq!(in_the_first_second, 6);
        let spent = parts.reserve(&ask).await.unwrap();
        assert!(matches!(spent, Reserved::Later { limit: Limit::Month, .. }), "{spent:?}");
    }
}
