//! Events under load and under faults: what the simulated DingTalk pushes, and what comes to those who watch.

pub mod crowd;
pub mod flood;
mod ledger;
mod raw;
pub mod rolling;
mod watchers;

use serde_json::{Value, json};

use crate::{
    callers::{connect, create_groups},
    site::Site,
};

/// What every gateway of these proofs is configured to.
const SECTIONS: &str = "[events]\nmode = \"stream\"\nretention_count = 200000\n";
const LIMITS: &str = "per_second = 1000, per_month = 0";

/// How much.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub flood: flood::Scale,
    pub crowd: crowd::Scale,
    pub rolling: rolling::Scale,
}

pub const FULL: Scale = Scale { flood: flood::FULL, crowd: crowd::FULL, rolling: rolling::FULL };
pub const QUICK: Scale = Scale { flood: flood::QUICK, crowd: crowd::QUICK, rolling: rolling::QUICK };

/// What is pushed while nobody is connected comes again for some seconds, and some of it twice.
fn push_again() -> Value {
    json!({ "redelivery_ms": [500, 1000, 2000, 4000], "duplicates": 0.02 })
}

/// A group that events can be about, once the gateway listens: its chat id.
async fn group(site: &Site) -> String {
    site.dingtalk.until("the event stream is open", |pushes| pushes.opened > pushes.closed).await;
    create_groups(&mut connect(site.addresses()[0]), 1).await.remove(0).chat_id
}
