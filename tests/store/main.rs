//! The store: one suite of contract tests for memory and Redis, and what is true of Redis alone. Each run starts a
//! redis-server of its own.

#![allow(unreachable_pub, missing_docs, reason = "nobody imports a test")]
#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod support;

mod budgets;
mod facts;
mod leases;
mod log;
mod notices;
mod outage;
mod outcomes;
mod pushes;
mod sharing;
mod tls;
