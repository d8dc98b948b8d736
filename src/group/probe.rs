//! What an app may do at DingTalk, found out by harmless reads of what does not exist. DingTalk looks at permissions
//! first, so a complaint about the group says that they are there.

use super::{Error, Groups, Request};
use crate::{
    dingtalk::{Endpoint, Reason, Spec, token_endpoint},
    operation::{
        assistant::ListMessageReaders,
        group::{GetGroup, GetJoinLink},
        id::{ChatId, OpenConversationId, UserId},
        scene::GetGroupBrief,
    },
};

/// The permission points that the operations need.
pub const PERMISSIONS: [&str; 5] =
    [BASE, "qyapi_chat_base_read", "qyapi_chat_manage", "qyapi_chat_read", "qyapi_robot_sendmsg"];

/// What fetching a token needs.
const BASE: &str = "qyapi_base";

/// No group, person, robot or message has this id.
const NOBODY: &str = "dinggate-probe";

/// What a probe says of a permission point.
#[derive(Debug, Clone)]
pub enum Finding {
    /// The app has it: the operation got past it.
    Granted(&'static Spec),
    /// The app lacks it.
    Missing(&'static Spec, Error),
    /// The answer left it open.
    Unknown(&'static Spec, Error),
    /// No operation can tell.
    Untried,
}

impl Groups {
    /// Tries a permission point with one read at most, after a token was fetched.
    pub async fn probe(&self, request: &Request, permission: &str) -> Finding {
        let (chat_id, id) = (ChatId(NOBODY.to_owned()), OpenConversationId(NOBODY.to_owned()));
        match permission {
            BASE => {
                let spec = token_endpoint::spec_of(&request.app);
                if spec.permission == Some(BASE) { Finding::Granted(spec) } else { Finding::Untried }
            }
            "qyapi_chat_read" => self.try_read(request, &GetGroup { chatid: &chat_id }).await,
            "qyapi_chat_base_read" => {
                let userid = &UserId(NOBODY.to_owned());
                let read = GetJoinLink { chatid: Some(&chat_id), open_conversation_id: None, userid };
                self.try_read(request, &read).await
            }
            "qyapi_chat_manage" => self.try_read(request, &GetGroupBrief { open_conversation_id: &id }).await,
            "qyapi_robot_sendmsg" => {
                let read = ListMessageReaders {
                    open_conversation_id: &id,
                    robot_code: NOBODY,
                    open_msg_id: NOBODY,
                    max_results: 1,
                    next_token: None,
                };
                self.try_read(request, &read).await
            }
            _ => Finding::Untried,
        }
    }

    async fn try_read<E: Endpoint>(&self, request: &Request, read: &E) -> Finding {
        match self.call(request, read).await {
            Ok(_) => Finding::Granted(E::SPEC),
            Err(error) => judge(E::SPEC, error),
        }
    }
}

/// Whether the refusal is about the permission, or about what does not exist.
fn judge(spec: &'static Spec, error: Error) -> Finding {
    match error.reason() {
        Reason::AppPermissionMissing => Finding::Missing(spec, error),
        Reason::GroupNotFound
        | Reason::GroupNotAccessible
        | Reason::TemplateNotAccessible
        | Reason::MemberNotFound
        | Reason::NotAMember
        | Reason::ResourceNotFound
        | Reason::ResourceNotUsable => Finding::Granted(spec),
        _ => Finding::Unknown(spec, error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::PERMISSIONS;
    use crate::operation;

    #[test]
    fn the_permission_points_are_those_of_the_operations() {
        let needed: BTreeSet<_> = operation::ALL.iter().filter_map(|spec| spec.permission).collect();
        assert_eq!(PERMISSIONS.to_vec(), needed.into_iter().collect::<Vec<_>>());
    }
}
