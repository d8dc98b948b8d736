//! From one id of a group to the whole handle.

use super::{
    Groups, Request,
    error::Error,
    model::{GroupRef, Kind},
};
use crate::{dingtalk::Reason, operation::group::ResolveGroup};

impl Groups {
    /// The fullest handle there is, its ids held against each other and its kind told. What DingTalk has answered once
    /// is not asked for again.
    pub async fn resolve(&self, request: &Request, group: &GroupRef) -> Result<GroupRef, Error> {
        let mut handle = self.directory.complete(&request.app, group, "group")?;
        if handle.chat_id.is_none() {
            handle = self.directory.ask_others(&request.app, handle).await;
        }
        if handle.chat_id.is_some() && !self.directory.knows_both_ids(&request.app, &handle) {
            let by_chat_id = GroupRef { open_conversation_id: None, ..handle };
            self.convert(request, &by_chat_id).await?;
            handle = self.directory.complete(&request.app, group, "group")?;
        }
        if handle.kind.is_none() {
            handle.kind = Some(self.read_kind(request, &handle).await?);
            self.directory.learn(&request.app, &handle);
        }
        Ok(handle)
    }

    /// Asks whether the group has a template of this app, and only of one without it what else it is: read by its chat
    /// id, DingTalk calls a scenario group an internal one.
    async fn read_kind(&self, request: &Request, handle: &GroupRef) -> Result<Kind, Error> {
        let open_id = handle.open_conversation_id.as_ref().ok_or(Error::ChatIdUnknown)?;
        let refused = match self.read_brief(request, open_id).await {
            Ok(_) => return Ok(Kind::Scenario),
            Err(error) if error.reason() == Reason::GroupNotAccessible => error,
            Err(error) => return Err(error),
        };
        let Some(chat_id) = &handle.chat_id else { return Err(refused) };
        let tag = self.read_ordinary(request, chat_id).await?.conversation_tag;
        Kind::from_tag(tag).ok_or(refused)
    }

    /// The handle with the newer id. The ids of a group never change, so each is asked for once.
    pub(super) async fn convert(&self, request: &Request, group: &GroupRef) -> Result<GroupRef, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        let handle = self.directory.ask_others(&request.app, handle).await;
        let Some(chat_id) = &handle.chat_id else { return Err(Error::ChatIdUnknown) };
        if handle.open_conversation_id.is_some() {
            return Ok(handle);
        }
        let reply = self.call(request, &ResolveGroup { chat_id }).await?;
        let resolved = GroupRef { open_conversation_id: Some(reply.open_conversation_id), ..handle };
        self.directory.learn(&request.app, &GroupRef { kind: None, ..resolved.clone() });
        Ok(resolved)
    }
}
