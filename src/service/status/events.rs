//! Why there is nothing to watch or list, and why a watcher ends.

use std::time::Duration;

use tonic::Status;

use super::{Draft, Reason};
use crate::event::{Cursor, Ended, ReadError, Refusal};

/// The answer to who wants events and gets none.
pub(in crate::service) fn refused(app: &str, refusal: &Refusal) -> Status {
    let mut draft = match refusal {
        Refusal::Unreadable(error) => return unreadable(app, error, None),
        Refusal::Disabled => Draft::new(Reason::EventsDisabled, refusal.to_string()),
        Refusal::TooMany => Draft::new(Reason::ServerOverloaded, refusal.to_string()),
        Refusal::Closed => Draft::new(Reason::ShuttingDown, refusal.to_string()),
    };
    draft.note("app", app);
    if let Refusal::TooMany = refusal {
        draft.details.set_retry_info(Some(Duration::from_secs(1)));
    }
    draft.finish()
}

/// The end of a watcher, with the place where to go on.
pub(in crate::service) fn ended(app: &str, why: &Ended, cursor: Cursor) -> Status {
    let (reason, text) = match why {
        Ended::Unreadable(error) => return unreadable(app, error, Some(cursor)),
        Ended::TooSlow => (Reason::WatcherTooSlow, "events came faster than they were read"),
        Ended::Closed => (Reason::ShuttingDown, "the gateway is stopping: watch again from the token"),
    };
    over(reason, text, app, cursor)
}

/// The deadline of a watcher.
pub(in crate::service) fn late(app: &str, cursor: Cursor) -> Status {
    over(Reason::DeadlineExceeded, "the deadline of this call is over", app, cursor)
}

fn over(reason: Reason, text: &str, app: &str, cursor: Cursor) -> Status {
    let mut draft = Draft::new(reason, text);
    draft.note("app", app);
    draft.note("resume_token", cursor.token(app));
    draft.finish()
}

fn unreadable(app: &str, error: &ReadError, cursor: Option<Cursor>) -> Status {
    let reason = match error {
        ReadError::Expired { .. } => Reason::ResumeTokenExpired,
        ReadError::Unavailable(_) => Reason::StoreUnavailable,
    };
    let mut draft = Draft::new(reason, error.to_string());
    draft.note("app", app);
    match (error, cursor) {
        (ReadError::Expired { oldest }, _) => draft.note("oldest_token", oldest.token(app)),
        (ReadError::Unavailable(_), cursor) => {
            draft.details.set_retry_info(Some(Duration::from_secs(1)));
            if let Some(cursor) = cursor {
                draft.note("resume_token", cursor.token(app));
            }
        }
    }
    draft.finish()
}
