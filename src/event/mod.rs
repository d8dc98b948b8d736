//! What DingTalk tells by itself: group events, as they come in and as they are kept.

pub mod callback;
mod model;
pub mod payload;

pub use self::model::{Change, Event};
