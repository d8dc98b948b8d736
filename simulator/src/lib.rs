//! A stateful DingTalk over HTTP, for tests and laptops: it behaves like the real one down to the misspelt codes, and
//! knows nothing of its clients.
//!
//! `world` holds the state and its rules; `new` and `legacy` are the two HTTP faces of it, on one port; `reference`
//! is DingTalk's operation list as data, against which each request is checked; `quotas` has the limits and refuses
//! what exceeds them; `faults` spoils answers on demand; `push` tells apps what has changed; `log` remembers what came;
//! `control` is all of this over HTTP under `/_sim/`. [`Simulator`] starts and steers it.
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! use dinggate_simulator::{Fault, Options, Simulator};
//!
//! let dingtalk = Simulator::start(Options::default()).await?;
//! dingtalk.fail_next("group.create", 1, Fault::DropAfter);
//! println!("point the client under test at {}", dingtalk.url());
//! # Ok(())
//! # }
//! ```

mod call;
pub mod control;
mod faults;
mod legacy;
mod log;
mod new;
mod push;
mod quotas;
pub mod reference;
pub mod seed;
mod server;
mod shanghai;
mod simulator;
mod state;
mod world;

pub use faults::{ANY, Chance, Fault, Planned};
pub use log::{CallRecord, Counter, Tally};
pub use push::{
    Callback, CallbackError, CallbackRequest, Offline, PushCounters, PushRules, PushedEvent, Sharing,
    SignatureParameter, Silence, Spelling, State as PushState, TimestampParameter,
};
pub use quotas::{BanPage, Limit, Quotas};
pub use reference::API_JSON;
pub use seed::{Seed, SeedError};
pub use simulator::{Options, Simulator};
pub use world::{Group as GroupSnapshot, GroupChange, Message, Mute, OwnerKind, PinnedCard, Settings};
