//! What becomes of a write whose caller leaves.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use tokio::runtime::Handle;
use tracing::warn;

use super::{endpoint::Spec, error::Error};
use crate::trace::Follow as _;

/// A write that is on its way. Where it is dropped before its end it goes on in a task of its own: dropping it would not
/// undo it, only hide how it ended. Most writes are waited for, and cost no task.
pub(super) struct SeenThrough<T, W>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    spec: &'static Spec,
    /// Until it has ended.
    write: Option<Pin<Box<W>>>,
}

impl<T, W> SeenThrough<T, W>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    pub(super) fn new(spec: &'static Spec, write: W) -> Self {
        Self { spec, write: Some(Box::pin(write)) }
    }
}

impl<T, W> Future for SeenThrough<T, W>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let write = self.write.as_mut().expect("it is not waited for after its end");
        let outcome = ready!(write.as_mut().poll(cx));
        self.write = None;
        Poll::Ready(outcome)
    }
}

impl<T, W> Drop for SeenThrough<T, W>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    fn drop(&mut self) {
        let Some(write) = self.write.take().filter(|_| !thread::panicking()) else { return };
        // There is none where the process ends.
        let Ok(runtime) = Handle::try_current() else { return };
        let spec = self.spec;
        let unwatched = async move {
            if let Err(unheard) = write.await {
                warn!(operation = spec.id, error = %unheard, "a write failed after its caller left");
            }
        };
        runtime.spawn(unwatched.followed());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        sync::oneshot,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::{dingtalk::Endpoint as _, operation::assistant::SendAssistantMessage};

    const SECOND: Duration = Duration::from_secs(1);

    fn write() -> (impl Future<Output = Result<(), Error>>, oneshot::Receiver<()>) {
        let (end, ended) = oneshot::channel();
        let write = async {
            sleep(2 * SECOND).await;
            end.send(()).unwrap();
            Ok(())
        };
        (SeenThrough::new(SendAssistantMessage::SPEC, write), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_whose_caller_waits_ends_with_it() {
        let (write, mut ended) = write();
        write.await.unwrap();
        ended.try_recv().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_whose_caller_leaves_goes_on() {
        let (write, ended) = write();
        assert!(timeout(SECOND, write).await.is_err());
        ended.await.unwrap();
    }
}
