//! dinggate.
pub mod dingtalk;
pub mod operation;
pub mod group;
pub mod pb;
pub mod service;
