//! What DingTalk keeps of its pushes.

mod list_failed;

pub use list_failed::{FailedPush, FailedPushes, ListFailedPushes};
