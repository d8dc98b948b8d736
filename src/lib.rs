//! dinggate.
pub mod dingtalk;
