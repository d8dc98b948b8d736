//! Events that DingTalk pushes over a connection of ours.
//!
//! Of all replicas one owns an app's events, by a lease. It keeps a connection open, and has a lease number with which
//! it writes: whoever lost the lease without knowing cannot write any more.

mod frame;
mod owner;
mod session;
mod socket;

pub(super) use self::owner::sure;
pub use self::{
    frame::{Asked, Frame, Taken, read},
    owner::Streams,
};
