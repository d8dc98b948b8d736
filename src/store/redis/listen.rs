//! Hearing what is published, on a connection that does nothing else.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;

use super::{
    PROBE,
    link::{Link, no_answer, unavailable},
};
use crate::store::Unavailable;

/// A connection that has been silent for this long is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(1);

/// Listens as long as it is polled, and comes back whenever it is cut off. What is heard is a message, or none where
/// some may have been missed.
pub(super) async fn listen(link: &Link, channel: &str, mut heard: impl FnMut(Option<&[u8]>)) {
    loop {
        // Why it ended is logged by whoever looks after the store as a whole.
        drop(hear(link, channel, &mut heard).await);
        sleep(PROBE).await;
    }
}

async fn hear(link: &Link, channel: &str, heard: &mut impl FnMut(Option<&[u8]>)) -> Result<(), Unavailable> {
    let (mut sink, mut stream) = link.listen(channel).await?.split();
    heard(None);
    loop {
        match timeout(SILENCE, stream.next()).await {
            Ok(Some(message)) => heard(Some(message.get_payload_bytes())),
            Ok(None) => return Ok(()),
            Err(_) => {
                let pong = timeout(SILENCE, sink.ping::<redis::Value>()).await;
                pong.map_err(|_| no_answer(SILENCE))?.map_err(unavailable)?;
            }
        }
    }
}
