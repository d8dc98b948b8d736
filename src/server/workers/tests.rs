use std::{collections::BTreeSet, convert::Infallible, sync::mpsc};

use ::http::{Request, Response};
use futures_util::FutureExt as _;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Id,
};
use tonic::body::Body;
use tower::Service;

use super::*;
use crate::{config::Sources, metrics::Metrics, server::listen::Listener};

/// Longer than any test: nobody measures how busy the workers are.
const NEVER: Duration = Duration::from_secs(3600);

/// Returns when all workers have nothing to do.
fn settled(count: usize, every: Duration) -> Workers {
    let workers = Workers::measured(count, every).unwrap();
    while !workers.pool.0.iter().all(Worker::is_idle) {
        thread::yield_now();
    }
    workers
}

impl Workers {
    /// They were busy so much of late.
    fn at_work(&self, shares: &[u64]) {
        let workers = self.pool.0.iter().zip(shares);
        workers.for_each(|(worker, share)| worker.busy.store(*share, Ordering::Relaxed));
    }
}

/// Where as many calls go that come at once.
fn batch(spread: &Spread, calls: usize) -> Vec<Id> {
    spread.look();
    (0..calls).map(|_| spread.next().id()).collect()
}

#[test]
fn a_connection_goes_to_the_worker_with_the_fewest() {
    let workers = Workers::start(3).unwrap();
    let mut seats: Vec<_> = (0..3).map(|_| workers.pool().seat()).collect();
    let homes: Vec<_> = seats.iter().map(|seat| seat.home).collect();
    assert_eq!(homes, [0, 1, 2]);
    drop(seats.remove(1));
    assert_eq!(workers.pool().seat().home, 1);
}

#[test]
fn calls_that_come_one_by_one_stay_where_their_connection_is() {
    let workers = settled(2, NEVER);
    let seat = workers.pool().seat();
    let spread = seat.spread();
    assert!((0..5).all(|_| batch(&spread, 1) == [seat.runtime().id()]));
}

#[test]
fn calls_that_come_at_once_stay_while_their_worker_has_time() {
    let workers = settled(2, NEVER);
    let seat = workers.pool().seat();
    assert!(batch(&seat.spread(), 5).iter().all(|id| *id == seat.runtime().id()));
    workers.at_work(&[BUSY - 1, 0]);
    assert!(batch(&seat.spread(), 5).iter().all(|id| *id == seat.runtime().id()));
    workers.at_work(&[BUSY, BUSY - LESS + 1]);
    assert!(batch(&seat.spread(), 5).iter().all(|id| *id == seat.runtime().id()));
}

#[test]
fn calls_that_come_at_once_are_shared_by_workers_that_have_nothing_to_do() {
    let workers = settled(3, NEVER);
    workers.at_work(&[BUSY, BUSY - LESS, 0]);
    let [a, b, c] = [0, 1, 2].map(|index| workers.pool.0[index].runtime.id());
    let seat = workers.pool().seat();
    assert_eq!(batch(&seat.spread(), 5), [a, b, c, a, b]);

    let ((begun, begins), (end, ends)) = (mpsc::channel(), mpsc::channel::<()>());
    workers.pool.0[1].runtime.spawn(async move {
        begun.send(()).unwrap();
        ends.recv().unwrap_err();
    });
    begins.recv().unwrap();
    assert_eq!(batch(&seat.spread(), 5), [a, c, c, a, c], "the second one is busy");
    drop(end);
}

#[test]
fn it_is_seen_who_is_busy() {
    let workers = settled(2, MEASURED);
    let end = CancellationToken::new();
    let until = end.clone();
    workers.pool.0[1].runtime.spawn(async move {
        while !until.is_cancelled() {
            tokio::task::yield_now().await;
        }
    });
    let busy = || [0, 1].map(|index| workers.pool.0[index].busy());
    // The thread has a core to itself only where there is one.
    while busy()[1] < BUSY / 4 {
        thread::yield_now();
    }
    assert!(busy()[0] < busy()[1]);
    end.cancel();
    while busy()[1] > BUSY / 8 {
        thread::yield_now();
    }
}

/// Reads and writes that the kernel has counted for this thread.
fn system_calls() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let count = |name| io.lines().find_map(|line: &str| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    count("syscw:").unwrap()
}

#[test]
fn timers_of_calls_do_not_wake_the_worker_that_sets_them() {
    let workers = settled(1, MEASURED);
    let (done, counted) = mpsc::channel();
    workers.pool().seat().runtime().spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let before = system_calls();
        for _ in 0..100 {
            let call = tokio::time::timeout(Duration::from_secs(10), std::future::pending::<()>());
            assert!(call.now_or_never().is_none());
        }
        done.send(system_calls() - before).unwrap();
    });
    let writes = counted.recv().unwrap();
    assert!(writes < 10, "{writes} writes");
}

#[test]
fn what_still_runs_is_cut_off_when_the_workers_end() {
    let workers = Workers::start(1).unwrap();
    let (held, dropped) = mpsc::channel::<()>();
    workers.pool().seat().runtime().spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    drop(workers);
    dropped.recv().unwrap_err();
}

/// Says which thread it is on.
fn service()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|_| async {
        let response = Response::builder().header("thread", thread::current().name().unwrap_or_default());
        Ok(response.body(Body::empty()).unwrap())
    })
}

#[tokio::test]
async fn a_caller_with_one_connection_has_all_workers() {
    let sources = Sources::defaults().with("server.grpc_addr", "127.0.0.1:0");
    let loaded = sources.with("apps.demo.app_key", "key").with("apps.demo.app_secret", "made-up").load();
    let config = Arc::new(loaded.unwrap().config.server);
    let port = TcpListener::bind(config.grpc_addr).await.unwrap();
    let stream = TcpStream::connect(port.local_addr().unwrap()).await.unwrap();
    let (threads, stop) = (settled(2, NEVER), CancellationToken::new());
    threads.at_work(&[1000, 0]);
    let (metrics, workers) = (Metrics::off(), threads.pool());
    tokio::spawn(Listener { config, tls: None, metrics, service: service(), workers, stop }.serve(port));

    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let request = || Request::get("http://localhost/").body(()).unwrap();
    let calls: Vec<_> = (0..8).map(|_| client.send_request(request(), true).unwrap().0).collect();
    tokio::spawn(connection);
    let mut served = BTreeSet::new();
    for call in calls {
        served.insert(call.await.unwrap().headers()["thread"].to_str().unwrap().to_owned());
    }
    assert_eq!(served, BTreeSet::from(["calls-0".to_owned(), "calls-1".to_owned()]));
}
