//! The code generated from `proto/`; read the protos instead.

#![allow(missing_docs, unreachable_pub, rustdoc::all, clippy::all, clippy::pedantic, clippy::unwrap_used)]

tonic::include_proto!("dinggate.group.v1");
