//! Many events at a rate.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::state::Shared;
use crate::world::GroupChange;

/// Changes the title of a group `count` times, so many times a second; returns after the last, or when the group cannot
/// be changed any more.
pub(crate) async fn burst(shared: Arc<Shared>, chatid: String, count: u32, per_second: f64) {
    let Some(group) = shared.lock().world.any_group(&chatid).cloned() else { return };
    let start = Instant::now();
    for number in 1..=count {
        let title = Some(format!("{} {number}", group.name));
        let change = GroupChange { title, ..GroupChange::default() };
        if !shared.lock().change(|world| world.change_by_person(&chatid, &group.owner, &change)) {
            return;
        }
        let next = start + Duration::from_secs_f64(f64::from(number) / per_second);
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = sleep_until(next) => {}
        }
    }
}
