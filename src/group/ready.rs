//! Right after a scenario group is created, DingTalk may refuse calls on it for some seconds. Such a refusal is
//! followed by another try, for groups that a replica of this gateway has just created and as long as the deadline allows.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Groups, Request,
    error::Error,
    model::{GroupRef, Kind},
};
use crate::{
    dingtalk::{Applied, Endpoint, Reason},
    operation::id::OpenConversationId,
};

/// The pause before the second try; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

impl Groups {
    /// Calls an operation on a scenario group; one that succeeds shows that it is one.
    pub(super) async fn call_scene<E: Endpoint>(
        &self,
        request: &Request,
        group: &OpenConversationId,
        endpoint: &E,
    ) -> Result<E::Reply, Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.call(request, endpoint).await {
                Err(error) if looks_unready(&error) => error,
                Err(error) => return Err(error),
                Ok(reply) => {
                    let open_conversation_id = Some(group.clone());
                    let kind = Some(Kind::Scenario);
                    let said = GroupRef { open_conversation_id, kind, chat_id: None };
                    self.directory.learn(&request.app, &said);
                    return Ok(reply);
                }
            };
            if !self.directory.is_new(&request.app, group).await {
                return Err(error);
            }
            if Instant::now() + pause >= request.context.deadline {
                return Err(Error::GroupNotReady(Box::new(error)));
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
}

/// DingTalk has no code of its own for it: each operation says in its own way that it cannot see the group.
fn looks_unready(error: &Error) -> bool {
    let Error::Upstream { error, .. } = error else { return false };
    let certain = error.applied() == Applied::No;
    certain
        && matches!(
            error.reason(),
            Reason::GroupNotReady
                | Reason::GroupNotFound
                | Reason::GroupNotAccessible
                | Reason::TemplateNotAccessible
        )
}
