//! Pushes by HTTP: a task for each event, which tries again as the rules say, and the list of those that failed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep};

use super::callback::{Callback, CallbackError, Http, http};
use super::{Event, Pushes, State};
use crate::quotas::{Gate, Moment};
use crate::state::Shared;

/// What a callback is checked with.
const CHECK: &str = r#"{"EventType":"check_url"}"#;
/// Older failed pushes are forgotten.
const MAX_FAILED: usize = 10_000;

/// What is known of callbacks.
#[derive(Debug)]
pub(crate) struct Posts {
    callbacks: BTreeMap<String, Callback>,
    failed: VecDeque<Failed>,
    /// Those that wait to be released, while pushes are held back.
    pub(super) held: Vec<Post>,
    pub(super) sender: UnboundedSender<Post>,
}

/// An event to be pushed.
#[derive(Debug)]
pub(crate) struct Post {
    /// The number of the event.
    number: u64,
    event: Event,
    callback: Callback,
    /// Once, without another try and without an entry among the failed.
    once: bool,
}

/// An event that did not arrive.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// In the order in which events happened. Pushes fail in another one.
    number: u64,
    pub(crate) event: Event,
    /// As it was pushed.
    pub(crate) text: String,
    /// When it gets into the list.
    listed_at: Instant,
}

impl Posts {
    pub(super) fn new(sender: UnboundedSender<Post>) -> Posts {
        Posts { callbacks: BTreeMap::new(), failed: VecDeque::new(), held: Vec::new(), sender }
    }

    fn post(&self, post: Post) {
        // The receiver lives as long as the simulator serves.
        let _ = self.sender.send(post);
    }
}

impl Pushes {
    /// From now on an app's events come to this callback.
    pub(crate) fn set_callback(&mut self, app_key: &str, callback: Callback) {
        self.posts.callbacks.insert(app_key.to_owned(), callback);
    }

    /// An app has no callback any more.
    pub(crate) fn remove_callback(&mut self, app_key: &str) {
        self.posts.callbacks.remove(app_key);
    }

    /// Whether an app has one.
    pub(super) fn has_callback(&self, app_key: &str) -> bool {
        self.posts.callbacks.contains_key(app_key)
    }

    /// Hands an event to its task.
    pub(super) fn post(&mut self, number: u64, gate: &mut Gate, now: Moment) {
        let Some(event) = self.record(number).map(|record| record.event.clone()) else { return };
        let Some(callback) = self.posts.callbacks.get(&event.app_key).cloned() else { return };
        if !gate.admit_push(&event.corp_id, now) {
            self.count(&event.app_key).over_quota += 1;
            self.set_callback_state(number, State::OverQuota);
            return;
        }
        self.set_callback_state(number, State::Waiting);
        let post = Post { number, event, callback, once: false };
        match self.held {
            Some(_) => self.posts.held.push(post),
            None => self.posts.post(post),
        }
    }

    /// Hands an event to a task once more; false if its app has no callback.
    pub(super) fn post_again(&mut self, number: u64, event: &Event) -> bool {
        let Some(callback) = self.posts.callbacks.get(&event.app_key).cloned() else { return false };
        self.posts.post(Post { number, event: event.clone(), callback, once: true });
        true
    }

    /// Hands over what was held back.
    pub(super) fn release_posts(&mut self, reversed: bool) {
        let mut held = std::mem::take(&mut self.posts.held);
        if reversed {
            held.reverse();
        }
        held.into_iter().for_each(|post| self.posts.post(post));
    }

    /// The failed pushes of an app that are listed by now, oldest first.
    pub(crate) fn failed(&self, app_key: &str) -> Vec<Failed> {
        let now = Instant::now();
        let listed = self.posts.failed.iter();
        let of_app = |failed: &&Failed| failed.event.app_key == app_key && failed.listed_at <= now;
        let mut failed: Vec<_> = listed.filter(of_app).cloned().collect();
        failed.sort_by_key(|failed| failed.number);
        failed
    }

    /// Takes events off the list of the failed.
    pub(crate) fn forget_failed(&mut self, ids: &[String]) {
        self.posts.failed.retain(|failed| !ids.contains(&failed.event.id));
    }

    /// Notes that a request is sent; false if it need not be: all was reset meanwhile.
    fn posting(&mut self, post: &Post) -> bool {
        if self.record(post.number).is_none() {
            return false;
        }
        self.count(&post.event.app_key).posted += 1;
        if self.callback_state(post.number) == Some(State::Waiting) {
            self.set_callback_state(post.number, State::Pushed);
        }
        self.changed();
        true
    }

    fn posted(&mut self, post: &Post, outcome: &Result<(), CallbackError>) {
        if self.record(post.number).is_none() {
            return;
        }
        let counters = self.count(&post.event.app_key);
        match outcome {
            Ok(()) => {
                counters.confirmed += 1;
                self.set_callback_state(post.number, State::Acked);
            }
            Err(_) => counters.unconfirmed += 1,
        }
        self.changed();
    }

    fn give_up(&mut self, post: Post) {
        if self.record(post.number).is_none() {
            return;
        }
        self.count(&post.event.app_key).failed += 1;
        self.set_callback_state(post.number, State::Lost);
        if self.posts.failed.len() == MAX_FAILED {
            self.posts.failed.pop_front();
        }
        let listed_at = Instant::now() + Duration::from_millis(self.rules.failed_ms);
        let text = post.event.callback_text(post.callback.spelling);
        self.posts.failed.push_back(Failed { number: post.number, event: post.event, text, listed_at });
        self.changed();
    }
}

/// Starts a task for each event, until the simulator stops.
pub(crate) async fn run(shared: Arc<Shared>, mut posts: UnboundedReceiver<Post>) {
    let http = http();
    loop {
        let post = tokio::select! {
            () = shared.stop.cancelled() => return,
            post = posts.recv() => post,
        };
        let Some(post) = post else { return };
        let (shared, http) = (shared.clone(), http.clone());
        shared.tasks.clone().spawn(async move {
            let stop = shared.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = deliver(&shared, &http, post) => {}
            }
        });
    }
}

async fn deliver(shared: &Shared, http: &Http, post: Post) {
    let rules = shared.lock().pushes.rules().clone();
    if !post.once {
        sleep(rules.delay()).await;
        if rand::rng().random_bool(rules.duplicates) {
            attempt(shared, http, &post).await;
        }
    }
    let pauses = if post.once { &[][..] } else { &rules.callback_retries_ms };
    for pause in pauses.iter().map(Some).chain([None]) {
        if attempt(shared, http, &post).await {
            return;
        }
        match pause {
            Some(ms) => sleep(Duration::from_millis(*ms)).await,
            None if post.once => {}
            None => return shared.lock().pushes.give_up(post),
        }
    }
}

/// Whether there is no more to do: it arrived, or nobody wants it to any more.
async fn attempt(shared: &Shared, http: &Http, post: &Post) -> bool {
    let (now_ms, limit) = {
        let mut state = shared.lock();
        if !state.pushes.posting(post) {
            return true;
        }
        (state.now_ms(), Duration::from_millis(state.pushes.rules().callback_ms))
    };
    let text = post.event.callback_text(post.callback.spelling);
    let outcome = post.callback.push(http, &text, now_ms, limit).await;
    shared.lock().pushes.posted(post, &outcome);
    outcome.is_ok()
}

/// Sets an app's callback if it passes the check: a push of `check_url`, answered as any other.
pub(crate) async fn register(
    shared: &Shared,
    app_key: &str,
    callback: Callback,
) -> Result<(), CallbackError> {
    let (now_ms, limit) = {
        let state = shared.lock();
        if state.world.identity(app_key).is_none() {
            return Err(CallbackError(format!("no app \"{app_key}\"")));
        }
        (state.now_ms(), Duration::from_millis(state.pushes.rules().callback_ms))
    };
    callback.push(&http(), CHECK, now_ms, limit).await?;
    shared.lock().pushes.set_callback(app_key, callback);
    Ok(())
}
