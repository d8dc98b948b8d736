//! Interactive cards pinned in a group. The same calls serve one-to-one chats with a robot, which are no groups: what
//! only those need is left out.

mod pin;
mod unpin;

pub use pin::{CardData, CardSettings, PinCard, Platform};
pub use unpin::UnpinCard;

/// `conversationType` of a group. A one-to-one chat is 2 here, and was 0 in the first version of these calls.
pub const CONVERSATION_GROUP: u8 = 1;
