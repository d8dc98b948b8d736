//! From one id of a group to the whole handle.

use super::{Groups, Request, error::Error, model::GroupRef};
use crate::operation::group::ResolveGroup;

impl Groups {
    /// The fullest handle there is. The ids of a group never change, so each is asked for once.
    pub async fn resolve(&self, request: &Request, group: &GroupRef) -> Result<GroupRef, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
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
