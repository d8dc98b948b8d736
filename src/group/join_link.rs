//! The link by which people join.

use super::{
    Groups, Request,
    directory::Path,
    error::{Error, Fault},
    model::{GroupRef, Kind, Member},
};
use crate::operation::group::GetJoinLink;

impl Groups {
    /// The link, in the name of a member; scenario groups have one of their own, for apps that DingTalk granted it.
    pub async fn join_link(
        &self,
        request: &Request,
        group: &GroupRef,
        inviter: Option<&Member>,
    ) -> Result<String, Error> {
        let handle = self.directory.complete(&request.app, group, "group")?;
        if handle.kind == Some(Kind::Scenario) {
            let (_, path) = self.reach(request, group, "group").await?;
            let Path::Scenario(open_id) = path else { return Err(Error::ChatIdUnknown) };
            let url = self.read_brief(request, &open_id).await?.group_url;
            return url.filter(|url| !url.is_empty()).ok_or(Error::JoinLinkNotGranted);
        }
        let Some(Member::User(userid)) = inviter else {
            let fault = Fault::new("inviter", "is required for internal and standard groups, by user_id");
            return Err(Error::Invalid(vec![fault]));
        };
        let (chatid, open_id) = (handle.chat_id.as_ref(), handle.open_conversation_id.as_ref());
        // The chat id is the documented one; the other is in the official SDK only.
        let open_conversation_id = open_id.filter(|_| chatid.is_none());
        Ok(self.call(request, &GetJoinLink { chatid, open_conversation_id, userid }).await?.result)
    }
}
