//! Pushes, for tests of those who are pushed to.
//!
//! Every change of a group makes an event for each app of the organization that wants its type: changes through either
//! face of the API, and those that people make in DingTalk's own client ([`Simulator::change_group`],
//! [`Simulator::quit`], [`Simulator::disband`]). [`Simulator::burst`] makes many, [`Simulator::push_event`] any.
//!
//! An app gets them over Stream connections, opened as with DingTalk: `POST /v1.0/gateway/connections/open`, then a
//! WebSocket with the ticket. [`Simulator::set_push_rules`] sets times, redelivery and trouble for all events;
//! the other methods order single troubles. What became of everything is in [`Simulator::push_counters`] and
//! [`Simulator::events`]; tests wait for it with [`Simulator::until_pushes`]:
//!
//! ```no_run
//! # async fn example(dingtalk: dinggate_simulator::Simulator) {
//! use dinggate_simulator::{GroupChange, PushRules, Silence};
//!
//! // The client under test connects; redelivery comes quickly.
//! dingtalk.set_push_rules(PushRules { redelivery_ms: vec![200; 50], ..PushRules::default() });
//! dingtalk.until_pushes("dingdemo", |pushes| pushes.opened == 1).await;
//!
//! let chatid = &dingtalk.groups()[0].chatid;
//! dingtalk.change_group(chatid, "user001", &GroupChange { title: Some("Renamed".into()), ..Default::default() });
//! dingtalk.until_pushes("dingdemo", |pushes| pushes.acked == 1).await;
//!
//! // Half-open, then gone; what is pushed meanwhile comes again over the next connection.
//! dingtalk.silence("dingdemo", Silence::Dead);
//! dingtalk.burst(chatid, 100, 500.0).await;
//! dingtalk.cut("dingdemo");
//! dingtalk.until_pushes("dingdemo", |pushes| pushes.acked == 101).await;
//! assert_eq!(dingtalk.acked_events("dingdemo").len(), 101);
//! # }
//! ```
//!
//! [`Simulator::set_callback`] pushes by HTTP, encrypted and signed; [`Callback::request`] makes such requests for tests
//! that spoil them. Who has a callback and never registered for Stream mode is pushed to by HTTP alone, who has done both
//! gets each event both ways. What failed is listed by the operations `events.failed.list` and
//! `events.failed.list_legacy`, [`PushRules::failed_ms`] after the last attempt.
//!
//! Registration is the operation `stream.open`: [`Simulator::fail_next`] and the other faults refuse, delay or spoil it,
//! [`Simulator::requests`] counts it. It is no token request and counts among [`Simulator::total_requests`].

use super::Simulator;
use crate::push::{
    Callback, CallbackError, PushCounters, PushRules, PushedEvent, Silence, State, burst, posts,
};
use crate::world::GroupChange;
use serde_json::Value;

impl Simulator {
    /// How events are pushed.
    pub fn push_rules(&self) -> PushRules {
        self.shared.lock().pushes.rules().clone()
    }

    /// How events are pushed from now on; the period of pings holds for connections opened from now on.
    ///
    /// # Panics
    /// When a value cannot be.
    pub fn set_push_rules(&self, rules: PushRules) {
        assert_eq!(rules.fault(), None, "not a rule");
        self.shared.lock().pushes.set_rules(rules);
    }

    /// What became of an app's events.
    pub fn push_counters(&self, app_key: &str) -> PushCounters {
        self.shared.lock().pushes.counters(app_key)
    }

    /// Waits until the counters of an app are as wanted, for ever if need be.
    pub async fn until_pushes(&self, app_key: &str, wanted: impl Fn(&PushCounters) -> bool) -> PushCounters {
        let mut changes = self.shared.lock().pushes.changes();
        loop {
            let counters = self.push_counters(app_key);
            if wanted(&counters) {
                return counters;
            }
            changes.changed().await.expect("this handle keeps the counters alive");
        }
    }

    /// The latest 200,000 events of all apps, as far as they are this app's, oldest first.
    pub fn events(&self, app_key: &str) -> Vec<PushedEvent> {
        self.shared.lock().pushes.events(app_key)
    }

    /// The ids of those that the app has acknowledged, by stream or by HTTP.
    pub fn acked_events(&self, app_key: &str) -> Vec<String> {
        let events = self.events(app_key).into_iter();
        let acked = events.filter(|event| [event.state, event.callback].contains(&State::Acked));
        acked.map(|event| event.id).collect()
    }

    /// Pushes an app's events to a callback from now on, if it passes the check with `check_url`.
    pub async fn set_callback(&self, app_key: &str, callback: Callback) -> Result<(), CallbackError> {
        posts::register(&self.shared, app_key, callback).await
    }

    /// Pushes nothing more to an app's callback.
    pub fn remove_callback(&self, app_key: &str) {
        self.shared.lock().pushes.remove_callback(app_key);
    }

    /// The `connectionId`s of an app's open Stream connections, oldest first.
    pub fn stream_connections(&self, app_key: &str) -> Vec<String> {
        self.shared.lock().pushes.connection_names(app_key)
    }

    /// The types of events that are made for an app from now on, as ticked in the developer console. Without this, or
    /// a list in the seed, all are.
    ///
    /// # Panics
    /// When there is no such app.
    pub fn subscribe(&self, app_key: &str, types: &[&str]) {
        let types = types.iter().map(|&kind| kind.to_owned()).collect();
        assert!(self.shared.lock().world.subscribe(app_key, types), "no app {app_key:?}");
    }

    /// Changes a group as a person does in DingTalk's own client.
    ///
    /// # Panics
    /// When there is no such group or person, or the group may not be so.
    pub fn change_group(&self, chatid: &str, operator: &str, change: &GroupChange) {
        let done = self.shared.lock().change(|world| world.change_by_person(chatid, operator, change));
        assert!(done, "{operator:?} cannot change {chatid:?} so: {change:?}");
    }

    /// A member leaves a group.
    ///
    /// # Panics
    /// When there is no such group or member, or it is the owner.
    pub fn quit(&self, chatid: &str, user_id: &str) {
        let done = self.shared.lock().change(|world| world.quit(chatid, user_id));
        assert!(done, "{user_id:?} cannot leave {chatid:?}");
    }

    /// Changes the title of a group `count` times, so many times a second; returns after the last.
    ///
    /// # Panics
    /// When there is no such group.
    pub async fn burst(&self, chatid: &str, count: u32, per_second: f64) {
        assert!(self.group(chatid).is_some(), "no group {chatid:?}");
        burst::burst(self.shared.clone(), chatid.to_owned(), count, per_second).await;
    }

    /// Pushes any event to an app, whatever types it wants; its id.
    ///
    /// # Panics
    /// When there is no such app.
    pub fn push_event(&self, app_key: &str, event_type: &str, data: &Value) -> String {
        let mut state = self.shared.lock();
        let born_ms = state.now_ms();
        let id = state.push(app_key, event_type, data.to_string(), born_ms);
        id.unwrap_or_else(|| panic!("no app {app_key:?}"))
    }

    /// Pushes an event once more, acknowledged or not.
    ///
    /// # Panics
    /// When there is no such event, or its app has no connection.
    pub fn push_again(&self, event_id: &str) {
        let mut state = self.shared.lock();
        let now = state.moment();
        assert!(state.pushes.push_again(event_id, now), "{event_id:?} cannot be pushed");
    }

    /// Holds all pushes back, first ones and repeats.
    pub fn hold_pushes(&self) {
        self.shared.lock().pushes.hold();
    }

    /// Pushes what was held back, the last first if `reversed`.
    pub fn release_pushes(&self, reversed: bool) {
        self.shared.lock().release(reversed);
    }

    /// Announces to an app's connections that they are closed soon (SYSTEM disconnect), and pushes nothing more over
    /// them; how many there were. They are closed as [`PushRules::close_ms`] says.
    pub fn disconnect(&self, app_key: &str, reason: &str) -> usize {
        let mut state = self.shared.lock();
        let now = state.moment();
        state.pushes.disconnect(app_key, reason, now)
    }

    /// Cuts an app's connections without a word; how many there were.
    pub fn cut(&self, app_key: &str) -> usize {
        self.shared.lock().pushes.cut(app_key)
    }

    /// Leaves an app's connections open and sends nothing more over them: what is pushed to them is lost. How many there
    /// were.
    pub fn silence(&self, app_key: &str, silence: Silence) -> usize {
        self.shared.lock().pushes.silence(app_key, silence)
    }

    /// Sends any text over an app's connections; how many there were.
    pub fn send_text(&self, app_key: &str, text: &str) -> usize {
        self.shared.lock().pushes.send_text(app_key, text)
    }

    /// No ticket handed out so far is good any more. [`PushRules::ticket_ms`] is for those handed out later.
    pub fn expire_tickets(&self) {
        self.shared.lock().pushes.expire_tickets();
    }
}
