//! One websocket from its opening to its end: every frame counts as a sign of life, every event is kept before it is
//! acknowledged.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
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
/// DingTalk sends pings of its own. A connection over which it has said nothing for so long may be half-open.
const QUIET: Duration = Duration::from_secs(120);
/// How often writing down a gap is tried while the log is not there.
const RETRY: Duration = Duration::from_secs(1);

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
        let (mut heard, mut spoken) = (Instant::now(), Instant::now());
        loop {
            let message = tokio::select! {
                message = timeout_at(heard + SILENCE, socket.next()) => message,
                _ = ping.tick() => {
                    if socket.send(Message::Ping(Default::default())).await.is_err() {
                        return Ending::Broken;
                    }
                    if Instant::now() > expires {
                        return if spoken.elapsed() < QUIET { Ending::Renewal } else { Ending::Broken };
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
            let spoke = match self.take(socket, message).await {
                Ok(spoke) => spoke,
                Err(ending) => return ending,
            };
            // After it was dealt with, which takes long while the log is not there.
            heard = Instant::now();
            spoken = if spoke { heard } else { spoken };
        }
    }

    /// Reads what is still on its way over a connection that is about to end.
    pub(super) async fn drain(&self, mut socket: Socket, within: Duration) {
        let until = Instant::now() + within;
        while let Ok(Some(Ok(message))) = timeout_at(until, socket.next()).await {
            if self.take(&mut socket, message).await == Err(Ending::Deposed) {
                return;
            }
        }
        drop(socket.close(None).now_or_never());
    }

    /// Deals with a message and with those that are already there behind it, so that a burst is kept in few steps.
    /// Whether DingTalk has said something, and not only answered a ping.
    async fn take(&self, socket: &mut Socket, first: Message) -> Result<bool, Ending> {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(message) = next.take() {
            batch.add(message);
            if batch.ending.is_none() && batch.events.len() < BATCH {
                next = socket.next().now_or_never().flatten().and_then(Result::ok);
            }
        }
        let Batch { events, answers, kept_back, sent, ending } = batch;
        if kept_back {
            self.admit_quota().await?;
        }
        let (verdicts, missed) = self.keep(events).await?;
        let answered = send(socket, answers.into_iter().chain(verdicts)).await;
        match missed {
            // What DingTalk sent before has come before; what it sent later may still wait to be read.
            None => drop(self.sure.fetch_max(sent, Ordering::Relaxed)),
            // Whether dingtalk sends them again is its own affair.
            Some(since) => self.admit_gap(since, Cause::LogLost).await?,
        }
        answered.map_err(|_| Ending::Broken)?;
        ending.map_or(Ok(sent > 0), Err)
    }

    /// Something happened, and nobody will ever say what.
    async fn admit_quota(&self) -> Result<(), Deposed> {
        warn!(
            app = self.app,
            "the organisation's pushes of the month are used up: events come without content"
        );
        let now = now();
        self.write(|| Gap { from: now, to: now, cause: Cause::PushQuotaExhausted }).await
    }

    /// Until when nothing can have been missed; 0 if nobody has ever listened.
    pub(super) fn sure(&self) -> u64 {
        self.sure.load(Ordering::Relaxed)
    }

    /// Writes down that something may have been missed since then, unless nobody has ever listened before.
    pub(super) async fn admit_gap(&self, since: u64, cause: Cause) -> Result<(), Deposed> {
        if since > 0 {
            self.write(|| Gap::since(since, now(), cause)).await?;
        }
        self.sure.fetch_max(now(), Ordering::Relaxed);
        Ok(())
    }

    /// Writes down a gap, as soon as the log is there.
    async fn write(&self, gap: impl Fn() -> Gap) -> Result<(), Deposed> {
        loop {
            match self.feed.gap(self.app, Some(self.fence), gap()).await {
                Ok(()) => return Ok(()),
                Err(AppendError::Deposed) => return Err(Deposed),
                Err(AppendError::Unavailable(_)) => sleep(RETRY).await,
            }
        }
    }

    /// Keeps the events and makes the answers to their frames. If they cannot be kept: also since when something is
    /// missing.
    async fn keep(&self, pushed: Vec<(String, Event)>) -> Result<(Vec<String>, Option<u64>), Deposed> {
        if pushed.is_empty() {
            return Ok((Vec::new(), None));
        }
        let earliest = pushed.iter().map(|(_, event)| event.happened).filter(|known| *known > 0).min();
        let (ids, events): (Vec<_>, Vec<_>) = pushed.into_iter().unzip();
        let (verdict, missed) = match self.feed.accept(self.app, Some(self.fence), events).await {
            Ok(_) => (Verdict::Done, None),
            Err(AppendError::Deposed) => return Err(Deposed),
            Err(AppendError::Unavailable(error)) => {
                warn!(app = self.app, count = ids.len(), %error, "events cannot be kept: dingtalk is to send them again");
                (Verdict::Later, Some(earliest.unwrap_or(u64::MAX).min(self.sure())))
            }
        };
        Ok((ids.iter().map(|id| answer(id, verdict)).collect(), missed))
    }
}

/// Another replica owns the app's events.
#[derive(Debug)]
pub(super) struct Deposed;

impl From<Deposed> for Ending {
    fn from(Deposed: Deposed) -> Self {
        Self::Deposed
    }
}

async fn send(socket: &mut Socket, answers: impl Iterator<Item = String>) -> Result<(), SocketError> {
    for text in answers {
        socket.feed(Message::text(text)).await?;
    }
    socket.flush().await
}

/// What is to be done with messages that came together.
#[derive(Default)]
struct Batch {
    /// To be kept, each with the id of its frame.
    events: Vec<(String, Event)>,
    /// To be said at once.
    answers: Vec<String>,
    /// Of some events only that they were is told.
    kept_back: bool,
    /// When DingTalk sent the last frame, in milliseconds since 1970; 0 if there is none but answers to pings, which come
    /// over a half-open connection as well.
    sent: u64,
    ending: Option<Ending>,
}

impl Batch {
    fn add(&mut self, message: Message) {
        match message {
            Message::Text(text) => {
                let (sent, taken) = read(&text, now());
                self.sent = self.sent.max(sent);
                self.add_taken(taken);
            }
            Message::Close(_) => self.ending = Some(Ending::Broken),
            // Pings are answered by the library with the next thing that is sent or read.
            _ => {}
        }
    }

    fn add_taken(&mut self, taken: Taken) {
        match taken {
            Taken::Event(id, event) => self.events.push((id, event)),
            Taken::KeptBack(answer) => {
                self.kept_back = true;
                self.answers.push(answer);
            }
            Taken::Answer(text) => self.answers.push(text),
            Taken::Disconnect => self.ending = Some(Ending::Disconnect),
            Taken::Nothing => {}
        }
    }
}
