//! A port and the connections that it has taken.

use std::{io, mem, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::metrics::{Metrics, Rejection};

/// How long nothing is accepted after the system could not, such as for want of file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Takes connections, up to a number at the same time. Those that are open are cut off when it is dropped.
pub(super) struct Port {
    listener: TcpListener,
    /// What the number is, for whoever meets it.
    limit: &'static str,
    most: usize,
    metrics: Metrics,
    full: bool,
    /// A task for each connection.
    pub(super) open: JoinSet<()>,
}

impl Port {
    /// Further connections are closed at once, and counted.
    pub(super) fn new(listener: TcpListener, limit: &'static str, most: usize, metrics: Metrics) -> Self {
        Self { listener, limit, most, metrics, full: false, open: JoinSet::new() }
    }

    /// The next connection; none after `stop`.
    pub(super) async fn accept(&mut self, stop: &CancellationToken) -> Option<TcpStream> {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return None,
                Some(_) = self.open.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if self.open.len() < self.most => {
                    self.full = false;
                    return Some(stream);
                }
                Ok(_) => self.refuse(),
                // A fault of the peer and not of the port. The next connection may be a better one.
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    warn!(limit = self.limit, %error, "no connection can be accepted");
                    sleep(REST).await;
                }
            }
        }
    }

    /// Told once, until there is room again: whoever opens many is not to fill the log as well.
    fn refuse(&mut self) {
        self.metrics.rejected(Rejection::Connections);
        if !mem::replace(&mut self.full, true) {
            let (limit, open) = (self.limit, self.open.len());
            warn!(limit, open, "further connections are closed at once");
        }
    }

    /// Takes no further ones, and waits until those that are open have ended.
    pub(super) async fn close(mut self) {
        drop(self.listener);
        while self.open.join_next().await.is_some() {}
    }
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink};

    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_closed_until_there_is_room() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (mut port, stop) = (Port::new(listener, "one", 1, Metrics::off()), CancellationToken::new());
        let mut first = TcpStream::connect(addr).await.unwrap();
        let mut held = port.accept(&stop).await.unwrap();
        port.open.spawn(async move { drop(copy(&mut held, &mut sink()).await) });

        let mut second = TcpStream::connect(addr).await.unwrap();
        let mut word = [0];
        let refused = tokio::select! {
            _ = port.accept(&stop) => unreachable!("there is no room"),
            read = second.read(&mut word) => read,
        };
        assert!(matches!(refused, Ok(0) | Err(_)));

        first.shutdown().await.unwrap();
        assert!(port.open.join_next().await.is_some());
        let third = TcpStream::connect(addr).await.unwrap();
        let taken = port.accept(&stop).await.unwrap();
        assert_eq!(taken.peer_addr().unwrap(), third.local_addr().unwrap());
        stop.cancel();
        assert!(port.accept(&stop).await.is_none());
    }
}
