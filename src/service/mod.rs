//! The gRPC surface: decode, check, call one function of `group/`, encode.

mod access;
mod admin;
mod assistant;
mod audit;
mod caller;
mod cards;
mod check;
mod convert;
mod cost;
mod events;
mod groups;
mod layers;
mod members;
mod once;
mod page;
mod quota;
mod rpc;
mod status;
mod templates;
mod token;
mod write;

pub use admin::AdminApi;
pub use assistant::AssistantApi;
pub use caller::Callers;
pub use cards::PinnedCardApi;
pub use events::{EventApi, EventServer};
pub use groups::GroupApi;
pub use layers::{Limits, Stack};
pub use members::MemberApi;
pub use once::Once;
pub use quota::QuotaApi;
pub use rpc::Apps;
pub use templates::TemplateApi;
pub use token::TokenApi;
