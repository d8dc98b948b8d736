//! The gateway and the simulated DingTalk in one process, over real gRPC and HTTP.

#![allow(unreachable_pub, missing_docs, reason = "nobody imports a test")]
#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod rpc;
mod support;

mod admin;
mod annotations;
mod assistant;
mod audit;
mod bad_members;
mod cache;
mod cards;
mod cli;
mod contract;
mod errors;
mod events;
mod faults;
mod fields;
mod groups;
mod grpc_web;
mod health;
mod hostile;
mod identity;
mod incident;
mod legacy;
mod members;
mod metrics;
mod once;
mod operations;
mod pki;
mod pushes;
mod replicas;
mod resolve;
mod retries;
mod roles;
mod scenes;
mod secrets;
mod server_tls;
mod silence;
mod templates;
mod tls;
mod tokens;
mod trace;
mod validation;
mod workers;
