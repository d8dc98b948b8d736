//! What the log holds. Replicas of several versions may read what one has written: fields are only ever added, and
//! have a default.

use serde::{Deserialize, Serialize};

use super::model::{Change, Event};

/// The types of changes, to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs, reason = "named as the changes are")]
pub enum ChangeKind {
    MembersAdded,
    MembersRemoved,
    MemberQuit,
    OwnerChanged,
    TitleChanged,
    GroupDisbanded,
    Other,
}

impl Change {
    /// Its type.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::MembersAdded(_) => ChangeKind::MembersAdded,
            Self::MembersRemoved(_) => ChangeKind::MembersRemoved,
            Self::MemberQuit(_) => ChangeKind::MemberQuit,
            Self::OwnerChanged(_) => ChangeKind::OwnerChanged,
            Self::TitleChanged(_) => ChangeKind::TitleChanged,
            Self::GroupDisbanded => ChangeKind::GroupDisbanded,
            Self::Other(_) => ChangeKind::Other,
        }
    }
}

/// A stretch of time in which something may have been missed, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When the last event before was received.
    pub from: u64,
    /// When delivery was sure again.
    pub to: u64,
    /// Why.
    pub cause: Cause,
}

impl Gap {
    /// Events are overtaken by others that happened this much later, on the way here or into the log.
    const UNDER_WAY: u64 = 5_000;

    /// That everything is known up to a moment, but for what was still under way.
    pub(super) fn since(sure: u64, to: u64, cause: Cause) -> Self {
        Self { from: sure.saturating_sub(Self::UNDER_WAY), to: to.max(sure), cause }
    }
}

/// Why something may have been missed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// The connection to DingTalk came back without proof that nothing fell in between.
    Reconnected,
    /// Another replica took over the connection.
    OwnerChanged,
    /// DingTalk stopped pushing because its quota of pushes was used up.
    PushQuotaExhausted,
    /// The log was lost, or the end of it.
    LogLost,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Something happened.
    Event(Event),
    /// Something may have been missed.
    Gap(Gap),
}
