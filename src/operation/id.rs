//! DingTalk's identifiers, each a type of its own, so that none is passed for another.

use serde::{Deserialize, Serialize};

/// `openConversationId`, such as `cid…==`. Opaque; contains `/`, `+` and `=`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenConversationId(pub String);

/// `chatid`, such as `chat…`: the older id, which most calls on internal groups still want.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatId(pub String);

/// An employee of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

/// A person across organisations; external contacts are named by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnionId(pub String);

/// An uploaded file, here an avatar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaId(pub String);

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for UnionId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
