//! A watcher that costs next to nothing: HTTP/2 as it comes, messages counted and not decoded, so that a thousand of
//! them leave the machine to the gateway.

use std::{net::SocketAddr, time::SystemTime};

use bytes::Bytes;
use h2::{RecvStream, client::SendRequest};
use http::{HeaderMap, Request};
use tokio::{net::TcpStream, task::JoinSet};

/// What gRPC puts before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A connection that several may share.
#[derive(Clone)]
pub struct Connection(SendRequest<Bytes>);

impl Connection {
    pub async fn open(addr: SocketAddr, tasks: &mut JoinSet<()>) -> Self {
        let stream = TcpStream::connect(addr).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a socket");
        let mut builder = h2::client::Builder::new();
        // For each stream what HTTP/2 begins with, and enough for all of them.
        builder.initial_connection_window_size(16 * 1024 * 1024);
        let (send, connection) = builder.handshake(stream).await.expect("it speaks HTTP/2");
        // It ends with the gateway, which is no concern of this task.
        tasks.spawn(async move { drop(connection.await) });
        Self(send)
    }

    /// Watches everything from now on.
    pub async fn watch(&self) -> Stream {
        let path = "http://dinggate/dinggate.group.v1.GroupEventService/WatchGroupEvents";
        let head = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        let head = head.body(()).expect("a request");
        let mut send = self.0.clone().ready().await.expect("room for one more stream");
        let (response, mut body) = send.send_request(head, false).expect("an open connection");
        // The message that has no fields has no bytes.
        body.send_data(Bytes::from_static(&[0; PREFIX]), true).expect("an open stream");
        let response = response.await.expect("an answer");
        assert!(!response.headers().contains_key("grpc-status"), "{response:?}");
        Stream(response.into_body())
    }
}

/// One stream of messages.
pub struct Stream(RecvStream);

impl Stream {
    /// Waits for bytes; none when there are no more. Whoever asks no more keeps the window closed.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, h2::Error> {
        let Some(chunk) = self.0.data().await.transpose()? else { return Ok(None) };
        self.0.flow_control().release_capacity(chunk.len())?;
        Ok(Some(chunk))
    }

    /// What comes when there is no more.
    pub async fn trailers(&mut self) -> Result<Option<HeaderMap>, h2::Error> {
        self.0.trailers().await
    }
}

/// Counts the messages of a stream without keeping any of it.
#[derive(Debug, Default)]
pub struct Counter {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that are there.
    begun: usize,
    /// Bytes of the message that are still to come.
    missing: usize,
}

impl Counter {
    /// How many messages end in this chunk.
    pub fn ended_in(&mut self, mut chunk: &[u8]) -> u64 {
        let mut ended = 0;
        while !chunk.is_empty() {
            if self.begun < PREFIX {
                self.prefix[self.begun] = chunk[0];
                self.begun += 1;
                chunk = &chunk[1..];
                if self.begun == PREFIX {
                    let length = self.prefix[1..].try_into().expect("four bytes");
                    self.missing = u32::from_be_bytes(length) as usize;
                }
            } else {
                let taken = self.missing.min(chunk.len());
                self.missing -= taken;
                chunk = &chunk[taken..];
            }
            if self.begun == PREFIX && self.missing == 0 {
                ended += 1;
                self.begun = 0;
            }
        }
        ended
    }
}

/// Microseconds since 1970.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_micros()).expect("not that far in the future")
}
