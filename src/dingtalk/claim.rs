//! The claim on a `request_id` under which calls are made.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::error::{Applied, Error};
use crate::store::{Outcomes, Owner};

/// A key that its holder has claimed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Claimed {
    outcomes: Arc<dyn Outcomes>,
    key: Arc<str>,
    owner: Owner,
}

impl Claimed {
    /// A claim that was granted.
    pub fn new(outcomes: Arc<dyn Outcomes>, key: Arc<str>, owner: Owner) -> Self {
        Self { outcomes, key, owner }
    }

    /// Tells the store that something is about to be sent that acts again when repeated: whoever finds the claim
    /// abandoned after that does not send it again.
    pub(super) async fn sending(&self, deadline: Instant) -> Result<(), Error> {
        match timeout_at(deadline, self.outcomes.sent(&self.key, self.owner)).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Error::ClaimLost),
            Ok(Err(unavailable)) => Err(Error::Store(unavailable)),
            Err(_) => Err(Error::DeadlineExceeded { applied: Applied::No }),
        }
    }
}
