//! What every write goes through: its work is done once for its `request_id`.

use prost::Message;
use tonic::{Response, Status};

use super::{
    check::Check,
    once::{Ended, Identity, Once, Refusal},
    rpc::{Rpc, Write},
    status,
};
use crate::group;

/// A failed job as its caller sees it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Status,
    /// Whether the same request can only ever end this way.
    pub(super) is_final: bool,
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Status {
        failure.status
    }
}

impl<M: Check + Write + Send + 'static> Rpc<M> {
    /// Ends the RPC with all its faults, or does its work; not again where that was done before under its
    /// `request_id`. Work that is only planned is done each time and not remembered.
    pub(super) async fn write<R, F>(
        mut self: Box<Self>,
        once: &Once,
        work: impl FnOnce(Box<Self>, group::Request) -> F + Send + 'static,
    ) -> Result<Response<R>, Status>
    where
        R: Message + Default,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
    {
        let mut request = self.admit()?;
        let Some(request_id) = request.request_id.clone().filter(|_| !request.validate_only) else {
            return Ok(Response::new(work(self, request).await?));
        };
        let (caller, app) = (&*request.context.claimant.caller, request.app.alias().to_owned());
        let identity = Identity::new(caller, &app, M::RPC, &request_id, &self.message.payload());
        let deadline = request.context.deadline;
        let work = move |claim| {
            request.context.claim = Some(claim);
            let entry = self.witness();
            let work = work(self, request);
            async move {
                let outcome = work.await;
                if let Some(entry) = entry {
                    entry.ended(outcome.as_ref().err().map(|failure| &failure.status));
                }
                encode(outcome)
            }
        };
        // In a place of its own, because most writes have no request_id, and would carry this around empty.
        let answer = Box::pin(once.run(identity, deadline, work)).await;
        let answer = answer.and_then(|answer| decode(&answer).ok_or(Refusal::InDoubt));
        answer.unwrap_or_else(|refusal| Err(status::refused(&app, &request_id, &refusal))).map(Response::new)
    }
}

/// An answer as it is kept.
#[derive(Clone, PartialEq, Message)]
struct Kept {
    #[prost(oneof = "Answer", tags = "1, 2")]
    answer: Option<Answer>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Answer {
    /// The response message.
    #[prost(bytes, tag = "1")]
    Response(Vec<u8>),
    #[prost(message, tag = "2")]
    Status(tonic_types::pb::Status),
}

fn encode<R: Message>(outcome: Result<R, Failure>) -> Ended {
    let (answer, is_final) = match outcome {
        Ok(response) => (Answer::Response(response.encode_to_vec()), true),
        Err(Failure { status, is_final }) => (Answer::Status(status::in_body(&status)), is_final),
    };
    Ended { answer: Kept { answer: Some(answer) }.encode_to_vec().into(), is_final }
}

/// None for what is no answer of ours.
fn decode<R: Message + Default>(kept: &[u8]) -> Option<Result<R, Status>> {
    match Kept::decode(kept).ok()?.answer? {
        Answer::Response(response) => Some(Ok(R::decode(&response[..]).ok()?)),
        Answer::Status(status) => Some(Err(status::of_body(status))),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;
    use crate::{dingtalk::Reason, pb::group as pb};

    #[test]
    fn an_answer_is_kept_whole() {
        let response = pb::DeleteGroupResponse { deleted: true, planned_calls: Vec::new() };
        let ended = encode(Ok(response.clone()));
        assert!(ended.is_final);
        assert_eq!(decode::<pb::DeleteGroupResponse>(&ended.answer).unwrap().unwrap(), response);

        let status = status::plain(Reason::OutcomeUnknown, "nobody knows");
        let ended =
            encode::<pb::DeleteGroupResponse>(Err(Failure { status: status.clone(), is_final: true }));
        let kept = decode::<pb::DeleteGroupResponse>(&ended.answer).unwrap().unwrap_err();
        assert_eq!((kept.code(), kept.message()), (status.code(), status.message()));
        assert_eq!(kept.details(), status.details());
        assert_eq!(kept.get_details_error_info().unwrap().reason, "OUTCOME_UNKNOWN");
    }

    #[test]
    fn bytes_of_another_make_are_no_answer() {
        assert!(decode::<pb::DeleteGroupResponse>(b"").is_none());
        assert!(decode::<pb::DeleteGroupResponse>(b"\xff\xff").is_none());
    }
}
