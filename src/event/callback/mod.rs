//! Events that DingTalk posts to us over HTTP.

pub mod crypto;
