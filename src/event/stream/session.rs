//! One websocket from its opening to its end: every frame counts as a sign of life, every event is kept before it is
//! acknowledged.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tracing::{info, warn};

use super::{
    frame::{Taken, Verdict, answer, read},
    socket::Socket,
};
use crate::{
    event::{Cause, Event, Feed, Gap, now},
    store::{AppendError, Fence},
};

/// A silent connection is asked for a sign of life this often ...
const PING: Duration = Duration::from_secs(10);
/// ... and given up after this long without any frame.
const SILENCE: Duration = Duration::from_secs(30);
/// A connection may live for this long; half-open ones that answer pings are found this way at the latest.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);
/// Events that are kept in one step.
const BATCH: usize = 64;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It has lived for long, and still works: open the next one, then leave it.
    Renewal,
    /// DingTalk is about to close it and pushes over it no more, but for what is on its way.
    Disconnect,
    /// It is gone.
    Broken,
    /// Another replica owns the app's events.
    Deposed,
}

/// A connection at work.
pub(super) struct Session<'a> {
    pub(super) app: &'a str,
    pub(super) feed: &'a Feed,
    pub(super) fence: &'a Fence,
    /// Until when nothing can have been missed, in milliseconds since 1970.
    pub(super) sure: &'a AtomicU64,
}

impl Session<'_> {
    /// Reads until the connection ends, or should.
    pub(super) async fn read(&self, socket: &mut Socket) -> Ending {
        let expires = Instant::now() + LIFETIME;
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = self.sign_of_life();
        loop {
            let message = tokio::select! {
                message = timeout_at(heard + SILENCE, socket.next()) => message,
                _ = ping.tick() => {
                    if socket.send(Message::Ping(Default::default())).await.is_err() {
                        return Ending::Broken;
                    }
                    if Instant::now() > expires {
                        return Ending::Renewal;
                    }
                    continue;
                }
            };
            let message = match message {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => {
                    info!(app = self.app, %error, "the event stream broke");
                    return Ending::Broken;
                }
                Ok(None) => return Ending::Broken,
                Err(_) => {
                    warn!(app = self.app, silence = ?SILENCE, "the event stream is silent and given up");
                    return Ending::Broken;
                }
            };
            heard = self.sign_of_life();
            if let Some(ending) = self.take(socket, message).await {
                return ending;
            }
        }
    }

    fn sign_of_life(&self) -> Instant {
        self.sure.store(now(), Ordering::Relaxed);
        Instant::now()
    }

    /// Reads what is still on its way over a connection that is about to end.
    pub(super) async fn drain(&self, mut socket: Socket, within: Duration) {
        let until = Instant::now() + within;
        while let Ok(Some(Ok(message))) = timeout_at(until, socket.next()).await {
            if self.take(&mut socket, message).await == Some(Ending::Deposed) {
                return;
            }
        }
        drop(socket.close(None).now_or_never());
    }

    /// Deals with a message and with those that are already there behind it, so that a burst is kept in few steps.
    async fn take(&self, socket: &mut Socket, first: Message) -> Option<Ending> {
        let (mut events, mut answers, mut ending) = (Vec::new(), Vec::new(), None);
        let mut kept_back = false;
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Text(text) => match read(&text) {
                    Taken::Event(id, event) => events.push((id, event)),
                    Taken::KeptBack(answer) => {
                        kept_back = true;
                        answers.push(answer);
                    }
                    Taken::Answer(text) => answers.push(text),
                    Taken::Disconnect => ending = Some(Ending::Disconnect),
                    Taken::Nothing => {}
                },
                Message::Close(_) => ending = Some(Ending::Broken),
                // Pings are answered by the library with the next thing that is sent or read.
                _ => {}
            }
            if ending.is_none() && events.len() < BATCH {
                next = socket.next().now_or_never().flatten().and_then(Result::ok);
            }
        }
        if kept_back && self.admit_quota().await.is_err() {
            return Some(Ending::Broken);
        }
        if !events.is_empty() {
            match self.keep(events).await {
                Some(acks) => answers.extend(acks),
                None => return Some(Ending::Deposed),
            }
        }
        for text in answers {
            if socket.feed(Message::text(text)).await.is_err() {
                return Some(Ending::Broken);
            }
        }
        if socket.flush().await.is_err() { Some(Ending::Broken) } else { ending }
    }

    /// Something happened, and nobody will ever say what.
    async fn admit_quota(&self) -> Result<(), AppendError> {
        warn!(
            app = self.app,
            "the organisation's pushes of the month are used up: events come without content"
        );
        let (now, cause) = (now(), Cause::PushQuotaExhausted);
        self.feed.gap(self.app, Some(self.fence), Gap { from: now, to: now, cause }).await
    }

    /// Keeps the events and makes the answers to their frames; none if they are another replica's business.
    async fn keep(&self, pushed: Vec<(String, Event)>) -> Option<Vec<String>> {
        let (ids, events): (Vec<_>, Vec<_>) = pushed.into_iter().unzip();
        let verdict = match self.feed.accept(self.app, Some(self.fence), events).await {
            Ok(_) => Verdict::Done,
            Err(AppendError::Deposed) => return None,
            Err(AppendError::Unavailable(error)) => {
                warn!(app = self.app, count = ids.len(), %error, "events cannot be kept: dingtalk is to send them again");
                Verdict::Later
            }
        };
        Some(ids.iter().map(|id| answer(id, verdict)).collect())
    }
}
