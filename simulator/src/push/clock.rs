//! Sees to it that what is due is done in time.

use std::future::pending;
use std::sync::Arc;

use tokio::time::sleep_until;

use crate::state::Shared;

/// Until the simulator stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let wake = shared.lock().pushes.waker();
    loop {
        let next = shared.lock().run_due();
        let due = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = wake.notified() => {}
            () = due => {}
        }
    }
}
