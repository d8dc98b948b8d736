//! Errors that the gRPC framework makes by itself, of requests that reach no RPC of ours.

use tonic::{Code, Status};

use super::{Draft, Reason};

/// Of a method that is not there the framework says nothing at all.
const NO_SUCH_RPC: &str =
    "there is no such RPC here: is its name right, and is the client newer than the gateway?";

/// What the gRPC framework says, as an error of its own, of requests that it cannot read.
const MALFORMED: [&str; 5] =
    ["failed to decode", "EOF decoding", "Error decompressing", "protocol error", "Missing request message"];

/// Gives an error of the gRPC framework itself (an unknown method, a message that is too large) the code and reason
/// that the contract has for it.
pub(in crate::service) fn of_framework(status: &Status) -> Status {
    let message = match (status.code(), status.message()) {
        (Code::Unimplemented, "") => NO_SUCH_RPC.to_owned(),
        (_, message) => message.to_owned(),
    };
    let reason = match status.code() {
        Code::Unimplemented => Reason::NotImplemented,
        // Too large as it is, or when decompressed.
        Code::OutOfRange | Code::ResourceExhausted => Reason::MessageTooLarge,
        Code::DeadlineExceeded => Reason::DeadlineExceeded,
        Code::Cancelled => Reason::Cancelled,
        Code::Internal if MALFORMED.iter().any(|text| message.contains(text)) => Reason::FieldInvalid,
        Code::Unavailable => Reason::ShuttingDown,
        _ => Reason::GatewayInternal,
    };
    // Two sentences of the framework: of the message as it came, and of the message as it would be unpacked.
    let limit = ["the limit is: ", "size limit, of "]
        .iter()
        .find_map(|words| message.rsplit_once(words)?.1.split(' ').next().map(ToOwned::to_owned));
    let mut draft = Draft::new(reason, message);
    if let (Reason::MessageTooLarge, Some(limit)) = (reason, limit) {
        draft.note("limit", limit);
    }
    draft.finish()
}
