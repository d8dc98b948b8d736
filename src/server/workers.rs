//! The threads that serve calls. Each has a runtime of its own, so a call stays on one core from its first byte to its
//! last and wakes nobody. What is not a call (accepting, HTTP, events, telemetry) stays on the runtime of the server,
//! and whatever keeps that busy holds up no call.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use hyper::rt::Executor;
use tokio::{
    runtime::{Builder, Handle, RuntimeMetrics},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// How often it is measured how busy a worker is.
const MEASURED: Duration = Duration::from_millis(100);
/// Thousandths of its time that a worker is at work before others take over calls of its connections, and so many less
/// that those others have to be at work: to wake another thread costs more than a small part of a call.
const BUSY: u64 = 700;
const LESS: u64 = 150;

/// The threads that serve calls. They end when this is dropped, and what still runs on them is cut off.
#[derive(Debug)]
pub struct Workers {
    pool: Pool,
    threads: Vec<thread::JoinHandle<()>>,
    stop: CancellationToken,
}

impl Workers {
    /// No threads: calls are served by the runtime that this is called in.
    pub fn here() -> Self {
        let pool = Pool::of([Handle::current()]);
        Self { pool, threads: Vec::new(), stop: CancellationToken::new() }
    }

    /// As many threads.
    pub fn start(count: usize) -> io::Result<Self> {
        Self::measured(count, MEASURED)
    }

    fn measured(count: usize, every: Duration) -> io::Result<Self> {
        let runtimes = (0..count).map(|_| Builder::new_current_thread().enable_all().build());
        let runtimes = runtimes.collect::<io::Result<Vec<_>>>()?;
        let pool = Pool::of(runtimes.iter().map(|runtime| runtime.handle().clone()));
        let mut workers = Self { pool, threads: Vec::new(), stop: CancellationToken::new() };
        for (number, runtime) in runtimes.into_iter().enumerate() {
            let (pool, stop) = (workers.pool(), workers.stop.clone());
            let serve = move || {
                runtime.block_on(stop.run_until_cancelled(pool.0[number].measure(every)));
                // Does not wait for a name that is still being looked up.
                runtime.shutdown_background();
            };
            workers.threads.push(thread::Builder::new().name(format!("calls-{number}")).spawn(serve)?);
        }
        Ok(workers)
    }

    /// What the listener hands its connections to.
    pub(super) fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// How their runtimes do; none where there are no threads.
    pub(super) fn metrics(&self) -> Vec<RuntimeMetrics> {
        let own = self.pool.0.iter().filter(|_| !self.threads.is_empty());
        own.map(|worker| worker.runtime.metrics()).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // Tasks that panic do not end a worker, and nothing else can.
            let _ = thread.join();
        }
    }
}

/// The workers, as the listener sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<[Worker]>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    connections: AtomicUsize,
    /// Thousandths of its time that it was at work of late.
    busy: AtomicU64,
}

impl Worker {
    fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }

    /// Measures how busy it is, again and again. Runs on the worker itself, for a second reason: where no timer is due
    /// soon, tokio wakes its thread for each that is set, even by the thread itself, and each call has some.
    async fn measure(&self, every: Duration) {
        let (mut last, mut before) = (Instant::now(), Duration::ZERO);
        loop {
            sleep(every).await;
            let now = Instant::now();
            let spent = self.runtime.metrics().worker_total_busy_duration(0);
            let share = 1000 * spent.saturating_sub(before).as_micros() / (now - last).as_micros();
            self.busy.store(u64::try_from(share).unwrap_or(u64::MAX), Ordering::Relaxed);
            (last, before) = (now, spent);
        }
    }

    /// Whether it would take over calls of that one.
    fn relieves(&self, home: &Self) -> bool {
        home.busy() >= BUSY && self.busy() + LESS <= home.busy() && self.is_idle()
    }

    /// Whether it has nothing to do just now.
    fn is_idle(&self) -> bool {
        // Tokio counts going to sleep and waking up.
        self.runtime.metrics().worker_park_unpark_count(0) % 2 == 1
    }
}

impl Pool {
    fn of(runtimes: impl IntoIterator<Item = Handle>) -> Self {
        let worker = |runtime| Worker { runtime, connections: AtomicUsize::new(0), busy: AtomicU64::new(0) };
        Self(runtimes.into_iter().map(worker).collect())
    }

    /// A place for a connection, at the worker that has the fewest. Few callers with a connection each are the common
    /// case, and the kernel (`SO_REUSEPORT`) would give several of them to one worker and none to another.
    pub(super) fn seat(&self) -> Seat {
        let fewest = (0..self.0.len()).min_by_key(|&index| self.0[index].connections.load(Ordering::Relaxed));
        let home = fewest.expect("there is a worker at least");
        self.0[home].connections.fetch_add(1, Ordering::Relaxed);
        Seat { pool: self.clone(), home }
    }
}

/// The place of a connection, until it is dropped.
pub(super) struct Seat {
    pool: Pool,
    home: usize,
}

impl Seat {
    /// Where the connection is served.
    pub(super) fn runtime(&self) -> &Handle {
        &self.pool.0[self.home].runtime
    }

    /// Where its calls are served.
    pub(super) fn spread(&self) -> Spread {
        Spread { pool: self.pool.clone(), home: self.home, begun: Arc::default() }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pool.0[self.home].connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Spawns the calls of one connection: at its worker, unless that is short of time and several come at once. Then those
/// that have time, and nothing to do just now, take their turns. So a caller with one connection can have all cores, and
/// where the connections are many or the calls few, none pays for being handed over.
#[derive(Clone)]
pub(super) struct Spread {
    pool: Pool,
    home: usize,
    /// Calls begun since the connection was last looked at.
    begun: Arc<AtomicUsize>,
}

impl Spread {
    /// The connection is looked at for new calls.
    pub(super) fn look(&self) {
        self.begun.store(0, Ordering::Relaxed);
    }

    fn next(&self) -> &Handle {
        let (workers, nth) = (&self.pool.0, self.begun.fetch_add(1, Ordering::Relaxed));
        let from = (self.home + nth) % workers.len();
        let mut turns = (from..workers.len()).chain(0..from);
        let home = &workers[self.home];
        let next = turns.find(|&index| index == self.home || workers[index].relieves(home));
        &workers[next.unwrap_or(self.home)].runtime
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spread").field("home", &self.home).finish_non_exhaustive()
    }
}

impl<F> Executor<F> for Spread
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, call: F) {
        self.next().spawn(call);
    }
}

#[cfg(test)]
mod tests;
