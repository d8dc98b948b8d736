//! Sends calls and says, in one line of JSON, how fast they were answered and what a process spent on them.
//!
//! Closed loop: each of `--connections` has `--in-flight` calls on their way at any time; with one of one it measures
//! latency alone. Open loop (`--rate`): calls are sent at fixed times, whatever became of those before, and latency is
//! counted from the time at which a call was meant to be sent.

use clap::Parser;
use dinggate_bench::{
    load::{self, Plan},
    say,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let result = load::run(Plan::parse()).await?;
    say(&serde_json::to_string(&result)?)?;
    Ok(())
}
