//! dinggate: a typed gRPC gateway to DingTalk's group-chat APIs.
//!
//! A call comes in at [`service`] (decode, check), becomes one function of [`group`] (what callers mean), which uses
//! one or more of [`operation`] (what DingTalk offers, as data), carried out by [`dingtalk`] (tokens, the two wire
//! generations, errors). [`identity`] says who calls. [`server`] wires it, [`config`] and
//! [`telemetry`] serve it, everybody counts with [`metrics`] and asks [`trace`] whether a call is recorded. Imports go in that
//! direction only; `ARCHITECTURE.md` has the map, and a test holds it.

pub mod audit;
mod causes;
pub mod config;
pub mod dingtalk;
pub mod event;
pub mod group;
pub mod identity;
pub mod metrics;
pub mod operation;
pub mod pb;
pub mod server;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod trace;
