//! The simulator over real HTTP, as a client sees it.
#![allow(clippy::unwrap_used, reason = "clippy allows it in tests, not in the functions they share")]

mod callbacks;
mod cards;
mod client;
mod control;
mod errors;
mod events;
mod faults;
mod groups;
mod legacy;
mod messages;
mod quotas;
mod requests;
mod roles;
mod scenes;
mod server;
mod settings;
mod situations;
mod stream;
mod support;
mod templates;
mod tokens;
