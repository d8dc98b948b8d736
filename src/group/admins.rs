//! Who manages a group beside its owner.

use super::{
    Groups, Request,
    bulk::{Verdicts, in_chunks},
    directory::Path,
    error::{Error, Fault},
    model::{GroupRef, Member, Outcome, PlannedCall, split},
    twins,
};
use crate::{
    dingtalk::{Endpoint, Spec},
    operation::{group::SetAdmins, role::Role, scene},
};

impl Groups {
    /// Makes members admins.
    pub async fn grant_admins(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        self.change_admins(request, group, members, Role::Admin).await
    }

    /// Makes admins ordinary members again.
    pub async fn revoke_admins(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        self.change_admins(request, group, members, Role::Member).await
    }

    async fn change_admins(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
        role: Role,
    ) -> Result<Outcome<Verdicts>, Error> {
        let (handle, path) = self.reach(request, group, "group").await?;
        let ordinary = matches!(path, Path::Ordinary(_));
        let faults = if ordinary { outsiders(&members) } else { Vec::new() };
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let newer = if ordinary { SetAdmins::SPEC } else { scene::SetAdmins::SPEC };
        let spec = twins::of(&request.app, newer);
        if request.validate_only {
            return Ok(Outcome::Planned(PlannedCall::chunked(&request.app, spec, members.len())));
        }
        let work = self.set_roles(request, &handle, &path, spec, &members, role);
        self.changing(request, &handle, work).await.map(Outcome::Done)
    }

    async fn set_roles(
        &self,
        request: &Request,
        handle: &GroupRef,
        path: &Path,
        spec: &'static Spec,
        members: &[Member],
        role: Role,
    ) -> Result<Verdicts, Error> {
        let size = request.app.chunk_size(spec);
        in_chunks(members, size, request.context.deadline, |chunk| async move {
            let (user_ids, union_ids) = split(chunk);
            let (user_ids, union_ids) = (&user_ids[..], &union_ids[..]);
            match path {
                Path::Ordinary(chat_id) => self.send_admins(request, handle, chat_id, role, user_ids).await,
                Path::Scenario(open_conversation_id) => {
                    let endpoint = scene::SetAdmins { open_conversation_id, role, user_ids, union_ids };
                    self.call_scene(request, open_conversation_id, &endpoint).await.map(drop)
                }
            }
        })
        .await
    }
}

/// People from outside the organisation, whom DingTalk has no field for.
fn outsiders(members: &[Member]) -> Vec<Fault> {
    let outside = members.iter().enumerate().filter(|(_, member)| matches!(member, Member::Union(_)));
    let text = "must be named by user_id: only employees can be admins of internal and standard groups";
    outside.map(|(i, _)| Fault::new(format!("members[{i}]"), text)).collect()
}
