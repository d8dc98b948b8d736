//! Who manages a group beside its owner.

use super::{
    Groups, Request,
    bulk::{Verdicts, in_chunks},
    directory::Path,
    error::{Error, Fault},
    model::{GroupRef, Member, Outcome, PlannedCall, split},
};
use crate::{
    dingtalk::{Endpoint, Spec},
    operation::{group, id::OpenConversationId, role::Role, scene},
};

impl Groups {
    /// Makes members admins.
    pub async fn grant_admins(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        self.change_admins(request, "grant", group, members, Role::Admin).await
    }

    /// Makes admins ordinary members again.
    pub async fn revoke_admins(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        self.change_admins(request, "revoke", group, members, Role::Member).await
    }

    async fn change_admins(
        &self,
        request: &Request,
        job: &'static str,
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
        let spec = if ordinary { group::SetAdmins::SPEC } else { scene::SetAdmins::SPEC };
        if request.validate_only {
            return Ok(Outcome::Planned(PlannedCall::chunked(spec, members.len())));
        }
        let (groups, own_request, payload) =
            (self.clone(), request.clone(), (handle.clone(), members.clone()));
        let work = async move {
            let open_id = groups.open_id(&own_request, &handle).await?;
            groups.set_roles(&own_request, spec, &open_id, &members, role).await
        };
        self.changed.run(request, job, &payload, spec, work).await.map(Outcome::Done)
    }

    async fn set_roles(
        &self,
        request: &Request,
        spec: &'static Spec,
        open_conversation_id: &OpenConversationId,
        members: &[Member],
        role: Role,
    ) -> Result<Verdicts, Error> {
        let size = spec.max_members.unwrap_or(usize::MAX);
        in_chunks(members, size, request.context.deadline, |chunk| async move {
            let (user_ids, union_ids) = split(chunk);
            let (user_ids, union_ids) = (&user_ids[..], &union_ids[..]);
            if spec.id == group::SetAdmins::SPEC.id {
                let endpoint = group::SetAdmins { open_conversation_id, role, user_ids };
                self.call(request, &endpoint).await.map(drop)
            } else {
                let endpoint = scene::SetAdmins { open_conversation_id, role, user_ids, union_ids };
                self.call_scene(request, open_conversation_id, &endpoint).await.map(drop)
            }
        })
        .await
    }

    /// The newer id of a group; asked for once where only the older one is known.
    pub(super) async fn open_id(
        &self,
        request: &Request,
        handle: &GroupRef,
    ) -> Result<OpenConversationId, Error> {
        let resolved = self.resolve(request, handle).await?;
        resolved.open_conversation_id.ok_or(Error::ChatIdUnknown)
    }
}

/// People from outside the organisation, whom DingTalk has no field for.
fn outsiders(members: &[Member]) -> Vec<Fault> {
    let outside = members.iter().enumerate().filter(|(_, member)| matches!(member, Member::Union(_)));
    let text = "must be named by user_id: only employees can be admins of internal and standard groups";
    outside.map(|(i, _)| Fault::new(format!("members[{i}]"), text)).collect()
}
