//! Many members at once: chunks of the size that DingTalk takes, an outcome for every member, and the honest halves of
//! a job that could not be finished.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{error::Error, model::Member};
use crate::dingtalk::{Applied, Reason};

/// Calls that may be spent on finding the member because of whom a chunk is refused.
const BISECTION_CALLS: usize = 10;

/// What became of one member.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It was done.
    Applied,
    /// There was nothing to do.
    Already,
    /// It was refused; nothing was changed for this member.
    Failed(Error),
    /// The job ended before.
    NotAttempted,
    /// It was sent, and nobody knows.
    Unknown(Error),
}

/// What became of all members, in the order in which they were named.
pub type Verdicts = Vec<(Member, Verdict)>;

/// Whether every member is settled: repeating the same request would change nothing more.
pub fn is_complete(verdicts: &Verdicts) -> bool {
    !verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::NotAttempted | Verdict::Unknown(_)))
}

/// Carries out `call` for chunks of `members`, as long as the next one can be expected to end before the deadline.
/// Fails only where nothing at all has happened: an error must not hide what was done.
pub(super) async fn in_chunks<Call, Answer>(
    members: &[Member],
    size: usize,
    deadline: Instant,
    mut call: Call,
) -> Result<Verdicts, Error>
where
    Call: FnMut(Vec<Member>) -> Answer,
    Answer: Future<Output = Result<(), Error>>,
{
    let mut queue: VecDeque<Vec<Member>> = members.chunks(size.max(1)).map(<[Member]>::to_vec).collect();
    let mut settled: HashMap<Member, Verdict> = HashMap::new();
    let mut bisection = BISECTION_CALLS;
    let mut slowest = Duration::ZERO;
    while let Some(chunk) = queue.pop_front() {
        let begin = Instant::now();
        if begin + slowest + slowest / 2 >= deadline && !settled.is_empty() {
            break;
        }
        let outcome = call(chunk.clone()).await;
        slowest = slowest.max(begin.elapsed());
        let error = match outcome {
            Ok(()) => {
                settled.extend(chunk.into_iter().map(|member| (member, Verdict::Applied)));
                continue;
            }
            Err(error) => error,
        };
        match blame(&error) {
            Blame::Member if chunk.len() > 1 && bisection >= 2 => {
                bisection -= 2;
                let (left, right) = chunk.split_at(chunk.len() / 2);
                queue.push_front(right.to_vec());
                queue.push_front(left.to_vec());
            }
            Blame::Member => {
                settled.extend(chunk.into_iter().map(|member| (member, Verdict::Failed(error.clone()))));
            }
            Blame::Call | Blame::Time if settled.is_empty() => return Err(error),
            Blame::Time => break,
            Blame::Call => {
                settled.extend(chunk.into_iter().map(|member| (member, Verdict::Failed(error.clone()))));
                break;
            }
            Blame::Nobody => {
                settled.extend(chunk.into_iter().map(|member| (member, Verdict::Unknown(error.clone()))));
                break;
            }
        }
    }
    let verdict = |member: &Member| settled.get(member).cloned().unwrap_or(Verdict::NotAttempted);
    Ok(members.iter().map(|member| (member.clone(), verdict(member))).collect())
}

/// Because of what a chunk failed.
enum Blame {
    /// One of its members: the others may go through.
    Member,
    /// The call itself: the next one would fare no better.
    Call,
    /// It was not sent any more.
    Time,
    /// It may have been carried out.
    Nobody,
}

fn blame(error: &Error) -> Blame {
    if error.may_be_applied() {
        return Blame::Nobody;
    }
    match error.reason() {
        Reason::MemberNotFound | Reason::NotAMember | Reason::FieldInvalid | Reason::ActionNotAllowed => {
            Blame::Member
        }
        Reason::DeadlineExceeded => Blame::Time,
        _ => Blame::Call,
    }
}

impl Error {
    fn may_be_applied(&self) -> bool {
        matches!(self, Error::Upstream { error, .. } if error.applied() == Applied::Maybe)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::sleep;

    use super::*;
    use crate::{
        dingtalk::{self, ApiError, Endpoint, Generation, catalogue},
        operation::{group::UpdateGroup, id::UserId},
    };

    fn people(count: usize) -> Vec<Member> {
        (0..count).map(|i| Member::User(UserId(i.to_string()))).collect()
    }

    fn number(member: &Member) -> usize {
        let Member::User(UserId(id)) = member else { panic!("only users here") };
        id.parse().expect("a number")
    }

    fn refused(code: &str) -> Error {
        let error = dingtalk::Error::Api(Box::new(ApiError {
            status: 400,
            code: code.to_owned(),
            sub_code: None,
            message: String::new(),
            request_id: None,
            required_scopes: Vec::new(),
            retry_after: None,
            row: catalogue::find(Generation::New, 400, code, None),
        }));
        Error::Upstream { spec: UpdateGroup::SPEC, error }
    }

    fn lost() -> Error {
        Error::Upstream { spec: UpdateGroup::SPEC, error: dingtalk::Error::Lost("reset".to_owned()) }
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    /// How often each verdict occurs: applied, failed, not attempted, unknown.
    fn tally(verdicts: &Verdicts) -> [usize; 4] {
        let count =
            |wanted: fn(&Verdict) -> bool| verdicts.iter().filter(|(_, verdict)| wanted(verdict)).count();
        [
            count(|verdict| matches!(verdict, Verdict::Applied)),
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            count(|verdict| matches!(verdict, Verdict::NotAttempted)),
            count(|verdict| matches!(verdict, Verdict::Unknown(_))),
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_people_are_25_calls_of_40() {
        let mut sizes = Vec::new();
        let everybody = people(1000);
        let verdicts = in_chunks(&everybody, 40, far(), |chunk| {
            sizes.push(chunk.len());
            async { Ok(()) }
        });
        let verdicts = verdicts.await.unwrap();
        assert_eq!(sizes, [40; 25]);
        assert_eq!(tally(&verdicts), [1000, 0, 0, 0]);
        assert!(is_complete(&verdicts));
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_unknown_person_is_found_and_the_others_go_through() {
        let mut calls = 0;
        let everybody = people(40);
        let verdicts = in_chunks(&everybody, 40, far(), |chunk| {
            calls += 1;
            let bad = chunk.iter().any(|member| number(member) == 17);
            async move { if bad { Err(refused("member.notFound")) } else { Ok(()) } }
        });
        let verdicts = verdicts.await.unwrap();
        assert!(calls <= 1 + BISECTION_CALLS, "{calls} calls");
        let [applied, failed, ..] = tally(&verdicts);
        assert_eq!(applied + failed, 40);
        assert!(failed <= 2 && matches!(verdicts[17].1, Verdict::Failed(_)), "{failed} failed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_the_first_call_is_the_answer() {
        let error = in_chunks(&people(100), 40, far(), |_| async { Err(refused("group.disbanded")) })
            .await
            .unwrap_err();
        assert_eq!(error.reason(), Reason::GroupDisbanded);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_after_something_happened_is_told_per_member() {
        let everybody = people(100);
        let verdicts = in_chunks(&everybody, 40, far(), |chunk| {
            let first = number(&chunk[0]) == 0;
            async move { if first { Ok(()) } else { Err(refused("Forbidden.AccessDenied.QpsLimitForApi")) } }
        });
        let verdicts = verdicts.await.unwrap();
        assert_eq!(tally(&verdicts), [40, 40, 20, 0]);
        assert!(!is_complete(&verdicts));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_unknown_and_ends_the_job() {
        let everybody = people(100);
        let verdicts = in_chunks(&everybody, 40, far(), |_| async { Err(lost()) }).await.unwrap();
        assert_eq!(tally(&verdicts), [0, 0, 60, 40]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_chunk_is_started_that_cannot_end_in_time() {
        let deadline = Instant::now() + Duration::from_secs(10);
        let everybody = people(400);
        let verdicts = in_chunks(&everybody, 40, deadline, |_| async {
            sleep(Duration::from_secs(3)).await;
            Ok(())
        });
        let verdicts = verdicts.await.unwrap();
        assert_eq!(tally(&verdicts), [80, 0, 320, 0], "after 6 s of 10 another 4.5 s do not fit");
        assert!(Instant::now() <= deadline);
    }

    proptest! {
        #[test]
        fn everybody_has_one_verdict_and_nobody_is_sent_twice_with_success(
            count in 1usize..200,
            size in 1usize..50,
            bad in proptest::collection::hash_set(0usize..200, 0..6),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (mut applied, mut calls) = (Vec::new(), 0);
            let verdicts = runtime.block_on(in_chunks(&people(count), size, far(), |chunk| {
                calls += 1;
                let numbers: Vec<_> = chunk.iter().map(number).collect();
                let refuse = numbers.iter().any(|number| bad.contains(number));
                if !refuse {
                    applied.extend(numbers);
                }
                async move { if refuse { Err(refused("member.notFound")) } else { Ok(()) } }
            })).unwrap();
            prop_assert_eq!(verdicts.len(), count);
            prop_assert!(calls <= count.div_ceil(size) + BISECTION_CALLS);
            for (member, verdict) in &verdicts {
                let sent = applied.iter().filter(|number| **number == super::tests::number(member)).count();
                prop_assert_eq!(sent, usize::from(matches!(verdict, Verdict::Applied)));
                prop_assert!(!bad.contains(&number(member)) || matches!(verdict, Verdict::Failed(_)));
            }
        }
    }
}
