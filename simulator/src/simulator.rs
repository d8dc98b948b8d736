//! The handle of a running simulator.

mod pushes;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::DropGuard;

use crate::faults::{self, ANY, Chance, Fault, Planned};
use crate::log::{CallRecord, Counter};
use crate::push;
use crate::quotas::{Limit, Quotas};
use crate::reference;
use crate::seed::Seed;
use crate::server;
use crate::state::Shared;
use crate::world::Group;

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The world at its start.
    pub seed: Seed,
    /// The limits, where the seed has none.
    pub quotas: Quotas,
}

impl Default for Options {
    /// A free port of the loopback interface, the demo seed and no limits.
    fn default() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Options { addr, seed: Seed::demo(), quotas: Quotas::default() }
    }
}

/// A running simulator. Clones steer the same one; it stops when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    addr: SocketAddr,
    /// Stops everything when the last handle is dropped.
    _stop: Arc<DropGuard>,
}

impl Simulator {
    /// Starts to listen and serve; an address in use is an error.
    pub async fn start(options: Options) -> io::Result<Simulator> {
        let listener = server::bind(options.addr)?;
        let addr = listener.local_addr()?;
        let (shared, posts) = Shared::new(options.seed, options.quotas);
        let shared = Arc::new(shared);
        shared.tasks.spawn(server::run(listener, shared.clone()));
        shared.tasks.spawn(push::clock::run(shared.clone()));
        shared.tasks.spawn(push::posts::run(shared.clone(), posts));
        shared.tasks.close();
        let stop = Arc::new(shared.stop.clone().drop_guard());
        Ok(Simulator { shared, addr, _stop: stop })
    }

    /// Closes the listener and all connections, and waits until they are closed.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.wait().await;
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of both faces, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Everything as after the start: world and limits, no tokens, groups, faults, records and counts.
    pub fn reset(&self) {
        self.shared.lock().reset(None);
    }

    /// Makes every token invalid; the next fetch brings a new one.
    pub fn revoke_tokens(&self) {
        self.shared.lock().world.revoke_tokens();
    }

    /// The lifetime of tokens issued or extended from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.lock().world.set_token_lifetime(lifetime);
    }

    /// Grants a permission point to an app.
    ///
    /// # Panics
    /// When there is no such app.
    pub fn grant_permission(&self, app_key: &str, scope: &str) {
        let known = self.shared.lock().world.set_permission(app_key, scope, true);
        assert!(known, "no app {app_key:?}");
    }

    /// Takes a permission point from an app.
    ///
    /// # Panics
    /// When there is no such app.
    pub fn revoke_permission(&self, app_key: &str, scope: &str) {
        let known = self.shared.lock().world.set_permission(app_key, scope, false);
        assert!(known, "no app {app_key:?}");
    }

    /// The next `times` requests of an operation (or of [`ANY`]) meet a fault. Faults planned earlier come first.
    ///
    /// # Panics
    /// When the operation is not in the reference, or the fault has a status HTTP does not allow.
    pub fn fail_next(&self, op: &str, times: u32, fault: Fault) {
        assert!(op == ANY || reference::is_known(op), "no operation {op:?} in the reference");
        assert_eq!(fault.bad_status(), None, "not an HTTP status");
        self.shared.lock().faults.plan(Planned { operation: op.to_owned(), times, fault });
    }

    /// From now on a share of the requests meets a fault, drawn by lot; this replaces what was set before. The same
    /// `seed` draws the same faults for the same sequence of requests. Faults planned for the next requests come first.
    ///
    /// # Panics
    /// When an operation is not in the reference, its shares exceed 1, or a fault has a status HTTP does not allow.
    pub fn set_chances(&self, seed: u64, chances: &[Chance]) {
        for chance in chances {
            let op = &chance.operation;
            assert!(op == ANY || reference::is_known(op), "no operation {op:?} in the reference");
            assert_eq!(chance.fault.bad_status(), None, "not an HTTP status");
        }
        assert_eq!(faults::impossible(chances), None, "more than all requests");
        self.shared.lock().faults.set_chances(seed, chances.to_vec());
    }

    /// Every request of an operation (or of [`ANY`]) meets a fault until [`Simulator::end_outages`].
    ///
    /// # Panics
    /// When the operation is not in the reference, or the fault has a status HTTP does not allow.
    pub fn start_outage(&self, op: &str, fault: Fault) {
        assert!(op == ANY || reference::is_known(op), "no operation {op:?} in the reference");
        assert_eq!(fault.bad_status(), None, "not an HTTP status");
        self.shared.lock().faults.start_outage(op, fault);
    }

    /// All is well again, but for the faults that are planned or left to chance.
    pub fn end_outages(&self) {
        self.shared.lock().faults.end_outages();
    }

    /// How many requests of an operation met faults of a [`Fault::kind`].
    pub fn faults_met(&self, op: &str, kind: &str) -> u64 {
        let state = self.shared.lock();
        state.log.faults().get(op).and_then(|kinds| kinds.get(kind)).copied().unwrap_or_default()
    }

    /// How long every answer takes from now on. What was asked for happens on arrival, as when an answer is lost.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.lock().latency = latency;
    }

    /// How many groups have each title: two of one tell of a call that was carried out twice.
    pub fn titles(&self) -> BTreeMap<String, usize> {
        let state = self.shared.lock();
        state.world.titles().into_iter().map(|(title, count)| (title.to_owned(), count)).collect()
    }

    /// Drops the faults that have not struck yet, outages and chances too.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// The faults that have not struck yet.
    pub fn faults(&self) -> Vec<Planned> {
        self.shared.lock().faults.list()
    }

    /// Requests received at the three token endpoints.
    pub fn token_requests(&self) -> u64 {
        self.shared.lock().log.token_requests()
    }

    /// Requests of an operation received, whatever became of them; `unknown` for paths outside the reference.
    ///
    /// # Panics
    /// When the operation is not in the reference: a misspelt id would count zero for ever.
    pub fn requests(&self, op: &str) -> u64 {
        assert!(reference::is_known(op), "no operation {op:?} in the reference");
        self.shared.lock().log.counter(op).received
    }

    /// Requests received, without those at the token endpoints.
    pub fn total_requests(&self) -> u64 {
        let state = self.shared.lock();
        let all: u64 = state.log.counters().values().map(|counter| counter.received).sum();
        all - state.log.token_requests()
    }

    /// Requests received and faults met, by operation.
    pub fn counters(&self) -> BTreeMap<&'static str, Counter> {
        self.shared.lock().log.counters()
    }

    /// The limits in force.
    pub fn quotas(&self) -> Quotas {
        self.shared.lock().gate.quotas().clone()
    }

    /// Other limits from now on; what was used up stays used up.
    ///
    /// # Panics
    /// When an operation named in them is not in the reference.
    pub fn set_quotas(&self, quotas: Quotas) {
        assert_eq!(quotas.unknown_operation(), None, "not in the reference");
        self.shared.lock().gate.set_quotas(quotas);
    }

    /// Requests that a limit refused; faults are not among them.
    pub fn throttled(&self) -> u64 {
        self.shared.lock().log.limits().values().sum()
    }

    /// Requests of an operation that a limit refused.
    ///
    /// # Panics
    /// When the operation is not in the reference.
    pub fn throttled_of(&self, op: &str) -> u64 {
        assert!(reference::is_known(op), "no operation {op:?} in the reference");
        self.shared.lock().log.counter(op).throttled
    }

    /// Requests that this limit refused.
    pub fn throttled_by(&self, limit: Limit) -> u64 {
        self.shared.lock().log.limits().get(&limit).copied().unwrap_or_default()
    }

    /// An app's requests of an operation that no limit refused, whatever became of them.
    ///
    /// # Panics
    /// When the operation is not in the reference.
    pub fn accepted(&self, app_key: &str, op: &str) -> u64 {
        assert!(reference::is_known(op), "no operation {op:?} in the reference");
        let state = self.shared.lock();
        let tally = state.log.tallies().get(app_key).and_then(|tallies| tallies.get(op));
        tally.map_or(0, |tally| tally.accepted)
    }

    /// The calls that an organization has spent of its month.
    pub fn metered(&self, corp_id: &str) -> u64 {
        self.shared.lock().metered().get(corp_id).copied().unwrap_or_default()
    }

    /// Connections accepted since the start.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// The latest requests, oldest first; those to `/_sim/` are not among them.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.shared.lock().log.records()
    }

    /// Forgets the requests and sets the counters to zero.
    pub fn clear_log(&self) {
        self.shared.lock().log.clear();
    }

    /// All groups, oldest first.
    pub fn groups(&self) -> Vec<Group> {
        self.shared.lock().world.groups()
    }

    /// One group.
    pub fn group(&self, chatid: &str) -> Option<Group> {
        self.shared.lock().world.any_group(chatid).cloned()
    }

    /// Disbands a group.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn disband(&self, chatid: &str) {
        let known = self.shared.lock().change(|world| world.disband(chatid));
        assert!(known, "no group {chatid:?}");
    }

    /// Takes an employee out of the organization. The groups the user owns keep their owner until another is named.
    ///
    /// # Panics
    /// When there is nobody of that id.
    pub fn leave_organization(&self, corp_id: &str, user_id: &str) {
        let known = self.shared.lock().change(|world| world.leave(corp_id, user_id));
        assert!(known, "no user {user_id:?} in {corp_id:?}");
    }

    /// How long scenario groups created from now on refuse every call, as DingTalk's do for some seconds.
    pub fn set_create_lag(&self, lag: Duration) {
        self.shared.lock().world.set_create_lag(lag);
    }

    /// The time in this world, since 1970: it passes as tokio's does, and expiry and mutes go by it.
    pub fn now(&self) -> Duration {
        self.shared.lock().world.now()
    }

    /// Lets users read an assistant message, by the `open_msg_id` it was sent with.
    ///
    /// # Panics
    /// When there is no such message.
    pub fn mark_read(&self, open_message_id: &str, user_ids: &[&str]) {
        let user_ids: Vec<String> = user_ids.iter().map(|&id| id.to_owned()).collect();
        let known = self.shared.lock().world.mark_read(open_message_id, &user_ids);
        assert!(known, "no message {open_message_id:?}");
    }
}
