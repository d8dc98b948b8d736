//! How to talk to DingTalk: one generic call over two wire generations, with the token, the attempt and the
//! classification of what comes back. Knows no operation and no gRPC.

pub mod app;
pub mod breaker;
pub mod catalogue;
mod claim;
pub mod client;
pub mod endpoint;
pub mod error;
pub mod generation;
mod http;
pub mod limiter;
mod places;
mod provenance;
pub mod reason;
pub mod retry;
mod seen_through;
mod stream_endpoint;
pub mod token;
pub mod token_endpoint;
mod transport;
mod trouble;

pub use app::App;
pub use breaker::Circuit;
pub use claim::Claimed;
pub use client::{Client, Context, DingtalkConfig, Stats};
pub use endpoint::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec};
pub use error::{ApiError, Applied, Error};
pub use limiter::{Claimant, LimitsConfig, Priority};
pub use provenance::Provenance;
pub use reason::Reason;
pub use stream_endpoint::{OpenStream, StreamAddress};
pub use token::{Lasting, Lent, Standing, TokenState};
pub use trouble::Trouble;
