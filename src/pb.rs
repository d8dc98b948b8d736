//! The code generated from `proto/`; read the protos instead.

#![allow(missing_docs, unreachable_pub, rustdoc::all, clippy::all, clippy::pedantic, clippy::unwrap_used)]

/// The encoded `FileDescriptorSet`, custom options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

mod codec;

/// The packages.
pub mod dinggate {
    /// `dinggate.group.v1`
    pub mod group {
        /// Group work.
        pub mod v1 {
            tonic::include_proto!("dinggate.group.v1");
        }
    }
    /// `dinggate.admin.v1`
    pub mod admin {
        /// Tokens, quota, introspection.
        pub mod v1 {
            tonic::include_proto!("dinggate.admin.v1");
        }
    }
}

pub use dinggate::{admin::v1 as admin, group::v1 as group};
