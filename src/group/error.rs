//! What can go wrong with a job.

use super::model::Kind;
use crate::dingtalk::{self, Applied, Reason, Repeat, Spec};

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the field, as callers spell it.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Fault {
    /// A fault at a field.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Fault { field: field.into(), description: description.into() }
    }
}

/// A failed job.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The request itself is at fault; nothing was sent.
    #[error("the request is invalid")]
    Invalid(Vec<Fault>),
    /// An upstream call failed.
    #[error("{} failed: {error}", spec.id)]
    Upstream {
        /// Which operation.
        spec: &'static Spec,
        /// How.
        error: dingtalk::Error,
    },
    /// The job needs the chat id of a group that only its open conversation id is known of.
    #[error("the chat id of this group is not known, and DingTalk cannot be asked for it")]
    ChatIdUnknown,
    /// DingTalk does not let anybody at the group yet that it has just created.
    #[error("DingTalk has created the group and is not ready to serve it yet: {0}")]
    GroupNotReady(Box<Error>),
    /// The group is gone.
    #[error("the group is disbanded")]
    GroupDisbanded,
    /// DingTalk does not offer the job for this kind of group.
    #[error("DingTalk does not offer this for groups of kind {kind}")]
    KindUnsupported {
        /// Which kind.
        kind: Kind,
    },
    /// DingTalk does not tell the link of a scenario group to this app.
    #[error("DingTalk does not tell this app the group's link")]
    JoinLinkNotGranted,
    /// The owner is not removed; hand the group over first.
    #[error("the owner cannot be removed: make somebody else the owner first")]
    OwnerCannotBeRemoved,
    /// More people would be removed than the caller allows.
    #[error("{to_remove} people would be removed, and at most {max_removals} may be; nothing was written")]
    RemovalGuard {
        /// How many would come.
        to_add: usize,
        /// How many would go.
        to_remove: usize,
        /// How many may.
        max_removals: usize,
    },
}

impl Error {
    /// What callers are told.
    pub fn reason(&self) -> Reason {
        match self {
            Error::Invalid(_) => Reason::FieldInvalid,
            Error::Upstream { spec, error } if is_unknown(spec.repeat, error) => Reason::OutcomeUnknown,
            Error::Upstream { error, .. } => error.reason(),
            Error::ChatIdUnknown => Reason::ChatIdUnknown,
            Error::GroupNotReady(_) => Reason::GroupNotReady,
            Error::GroupDisbanded => Reason::GroupDisbanded,
            Error::KindUnsupported { .. } => Reason::KindUnsupported,
            Error::JoinLinkNotGranted => Reason::JoinLinkNotGranted,
            Error::OwnerCannotBeRemoved => Reason::OwnerCannotBeRemoved,
            Error::RemovalGuard { .. } => Reason::RemovalGuard,
        }
    }

    /// Whether the same request can only ever end this way, so that the outcome is kept for its `request_id`. What
    /// is unknown stays unknown: trying again is what must not happen.
    pub fn is_final(&self) -> bool {
        let acts_again = matches!(self, Error::Upstream { spec, .. } if spec.repeat == Repeat::Once);
        acts_again && self.reason() == Reason::OutcomeUnknown
    }
}

/// A write that acts again when repeated and may have been carried out has an unknown outcome, whatever went wrong.
/// One that sets a state can be repeated, so its caller is told what went wrong instead; only a deadline and the refusal
/// of a repeat say that nothing was changed, and must not say so when that is not known.
fn is_unknown(repeat: Repeat, error: &dingtalk::Error) -> bool {
    match repeat {
        Repeat::Read => false,
        Repeat::Set => matches!(
            error,
            dingtalk::Error::DeadlineExceeded { applied: Applied::Maybe } | dingtalk::Error::Unsettled { .. }
        ),
        Repeat::Keyed | Repeat::Once => error.applied() == Applied::Maybe,
    }
}
