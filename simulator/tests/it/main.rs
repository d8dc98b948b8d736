//! The simulator over real HTTP, as a client sees it.
#![allow(clippy::unwrap_used, reason = "clippy allows it in tests, not in the functions they share")]

mod cards;
mod control;
mod errors;
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
mod support;
mod templates;
mod tokens;
