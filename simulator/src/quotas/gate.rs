//! Which calls get through.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::months::Months;
use super::window::Window;
use super::{Limit, Quotas, Refusal};
use crate::world::Caller;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// The window in which the calls of an address are counted.
const ADDRESS_WINDOW: Duration = Duration::from_secs(20);

/// Now, on the clock that runs and on the one people read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    /// Since 1970.
    pub(crate) unix: Duration,
}

/// The limits and what has been used of them.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    quotas: Quotas,
    windows: HashMap<Key, Window>,
    addresses: HashMap<IpAddr, Address>,
    calls: Months,
    pushes: Months,
}

/// Whose calls to what a limit counts together: an app, or nobody in particular, and an operation.
type Key = (Limit, String, &'static str);

#[derive(Debug, Default)]
struct Address {
    arrivals: Window,
    banned_until: Option<Instant>,
}

impl Gate {
    pub(crate) fn new(quotas: Quotas) -> Gate {
        Gate { quotas, ..Gate::default() }
    }

    pub(crate) fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// What was used up stays used up.
    pub(crate) fn set_quotas(&mut self, quotas: Quotas) {
        if quotas.address_per_20_seconds.is_none() {
            self.addresses.clear();
        }
        self.quotas = quotas;
    }

    /// Counts the arrival of a call from an address; `Err` if that is banned.
    pub(crate) fn enter(&mut self, peer: IpAddr, now: Moment) -> Result<(), Refusal> {
        let Some(limit) = self.quotas.address_per_20_seconds else { return Ok(()) };
        let address = self.addresses.entry(peer).or_default();
        if address.banned_until.is_some_and(|until| until <= now.instant) {
            *address = Address::default();
        }
        if address.banned_until.is_none() {
            if address.arrivals.full_until(limit, ADDRESS_WINDOW, now.instant).is_none() {
                address.arrivals.push(limit, now.instant);
                return Ok(());
            }
            address.banned_until = Some(now.instant + Duration::from_secs(self.quotas.ban_seconds));
        }
        Err(Refusal { limit: Limit::Address, allowed: u64::from(limit), at: now.unix, until: None })
    }

    /// Counts an app's call to an operation, unless a limit refuses it: then nothing is counted.
    pub(crate) fn admit(
        &mut self,
        caller: &Caller,
        operation: &'static str,
        now: Moment,
    ) -> Result<(), Refusal> {
        self.check_month(&caller.corp_id, now)?;
        let (app, quotas) = (caller.app_key.as_str(), &self.quotas);
        let limits = [
            (Limit::AppPerSecond, app, quotas.app_per_second(operation), SECOND),
            (Limit::AppPerMinute, app, quotas.app_per_minute, MINUTE),
            (Limit::PlatformPerSecond, "", quotas.platform_per_second, SECOND),
        ];
        let limits = limits.into_iter().filter_map(|(limit, app, allowed, period)| {
            Some(((limit, app.to_owned(), operation), allowed?, period))
        });
        let limits: Vec<(Key, u32, Duration)> = limits.collect();
        for (key, allowed, period) in &limits {
            let window = self.windows.entry(key.clone()).or_default();
            if let Some(until) = window.full_until(*allowed, *period, now.instant) {
                let until = Some(now.unix + until.duration_since(now.instant));
                return Err(Refusal { limit: key.0, allowed: u64::from(*allowed), at: now.unix, until });
            }
        }
        for (key, allowed, _) in limits {
            self.windows.entry(key).or_default().push(allowed, now.instant);
        }
        Ok(())
    }

    /// Counts a call against the month of its organization.
    pub(crate) fn meter(&mut self, corp_id: &str, now: Moment) {
        self.calls.count(corp_id, now.unix);
    }

    /// The metered calls of this month, by organization.
    pub(crate) fn months(&self, now: Moment) -> BTreeMap<String, u64> {
        self.calls.all(now.unix)
    }

    /// Counts an event pushed to an app of an organization; false if the month is used up, and then nothing is counted.
    pub(crate) fn admit_push(&mut self, corp_id: &str, now: Moment) -> bool {
        let allowed = self.quotas.pushes_per_month.unwrap_or(u64::MAX);
        let room = self.pushes.used(corp_id, now.unix) < allowed;
        if room {
            self.pushes.count(corp_id, now.unix);
        }
        room
    }

    /// The pushes of this month, by organization.
    pub(crate) fn push_months(&self, now: Moment) -> BTreeMap<String, u64> {
        self.pushes.all(now.unix)
    }

    fn check_month(&self, corp_id: &str, now: Moment) -> Result<(), Refusal> {
        let Some(allowed) = self.quotas.organization_per_month else { return Ok(()) };
        if self.calls.used(corp_id, now.unix) < allowed {
            return Ok(());
        }
        Err(Refusal { limit: Limit::OrganizationPerMonth, allowed, at: now.unix, until: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn app(app_key: &str) -> Caller {
        Caller { app_key: app_key.to_owned(), corp_id: "corp".to_owned() }
    }

    /// So long after the last second of a month.
    fn at(start: Instant, after: Duration) -> Moment {
        Moment { instant: start + after, unix: Duration::from_secs(1_798_732_799) + after }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_uses_nothing_up_and_tells_when_the_limit_lets_through_again() {
        let start = Instant::now();
        let (mut gate, ms) = (Gate::default(), Duration::from_millis);
        gate.set_quotas(Quotas {
            app_per_second: Some(1),
            platform_per_second: Some(2),
            ..Quotas::default()
        });
        assert_eq!(gate.admit(&app("a"), "group.create", at(start, ms(0))), Ok(()));
        for after in [1, 500, 999] {
            let refusal = gate.admit(&app("a"), "group.create", at(start, ms(after))).unwrap_err();
            assert_eq!(refusal.limit, Limit::AppPerSecond);
            assert_eq!(refusal.until, Some(at(start, ms(1000)).unix));
        }
        assert_eq!(gate.admit(&app("a"), "group.update", at(start, ms(999))), Ok(()), "by operation");
        assert_eq!(gate.admit(&app("b"), "group.create", at(start, ms(999))), Ok(()), "by app");
        let refusal = gate.admit(&app("c"), "group.create", at(start, ms(999))).unwrap_err();
        assert_eq!(refusal.limit, Limit::PlatformPerSecond);
        assert_eq!(gate.admit(&app("c"), "group.create", at(start, ms(1000))), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_month_begins_anew_at_midnight_in_shanghai() {
        let start = Instant::now();
        let (last, first) = (at(start, Duration::ZERO), at(start, SECOND));
        let mut gate = Gate::new(Quotas { organization_per_month: Some(1), ..Quotas::default() });
        gate.meter("corp", last);
        let refusal = gate.admit(&app("a"), "group.create", last).unwrap_err();
        assert_eq!((refusal.limit, refusal.until), (Limit::OrganizationPerMonth, None));
        assert_eq!(gate.admit(&app("a"), "group.create", first), Ok(()));
        assert_eq!(gate.months(first)["corp"], 0);
        gate.meter("corp", first);
        assert_eq!(gate.months(first)["corp"], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ban_lasts_as_long_as_told_however_much_is_sent_meanwhile() {
        let (start, seconds) = (Instant::now(), Duration::from_secs);
        let quotas = Quotas { address_per_20_seconds: Some(2), ..Quotas::default() };
        let mut gate = Gate::new(quotas);
        for after in [0, 19] {
            assert_eq!(gate.enter(HERE, at(start, seconds(after))), Ok(()));
        }
        for after in [19, 100, 318] {
            let refusal = gate.enter(HERE, at(start, seconds(after))).unwrap_err();
            assert_eq!(refusal.limit, Limit::Address);
        }
        assert_eq!(gate.enter(HERE, at(start, seconds(319))), Ok(()));
    }
}
