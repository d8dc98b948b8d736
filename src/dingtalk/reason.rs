//! Why a call failed, in the words of the contract. The proto enum `ErrorReason` has the same names; a test holds
//! the two together.

use serde::Deserialize;
use strum::{EnumIter, IntoStaticStr};

/// A reason of the frozen error domain `dinggate`. What each means to a caller is documented in
/// `proto/dinggate/group/v1/error_reason.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, IntoStaticStr, EnumIter)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "documented once, in error_reason.proto")]
pub enum Reason {
    FieldInvalid,
    CallerUnauthenticated,
    CallerNotAllowed,
    AppCredentialsRejected,
    AppPermissionMissing,
    OwnerOutOfScope,
    TemplateNotAccessible,
    GroupNotFound,
    GroupDisbanded,
    GroupNotReady,
    GroupNotAccessible,
    MemberNotFound,
    NotAMember,
    LimitReached,
    ContentRejected,
    ResourceNotFound,
    ResourceNotUsable,
    ActionNotAllowed,
    DuplicateRequest,
    DuplicateInProgress,
    AppRateLimited,
    PlatformRateLimited,
    MonthlyQuotaExhausted,
    EgressIpBlocked,
    EgressIpNotAllowed,
    UpstreamBusy,
    UpstreamUnreachable,
    UpstreamGarbled,
    UpstreamRefusedRequest,
    UpstreamUnmapped,
    OutcomeUnknown,
    CircuitOpen,
    ChatIdUnknown,
    KindUnsupported,
    JoinLinkNotGranted,
    RemovalGuard,
    RequestIdReused,
    ResumeTokenExpired,
    EventsDisabled,
    OwnerCannotBeRemoved,
    NotImplemented,
    ServerOverloaded,
    WatcherTooSlow,
    MessageTooLarge,
    DeadlineExceeded,
    Cancelled,
    ShuttingDown,
    StoreUnavailable,
    GatewayInternal,
}

impl Reason {
    /// The spelling in `google.rpc.ErrorInfo.reason`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
