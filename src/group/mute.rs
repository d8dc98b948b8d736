//! Silencing members of scenario groups; DingTalk offers it for no other kind.

use std::time::{Duration, SystemTime};

use super::{
    Groups, Request,
    bulk::{Verdicts, in_chunks},
    error::Error,
    model::{GroupRef, Kind, Member, Outcome, PlannedCall, split},
};
use crate::{
    dingtalk::Endpoint,
    operation::{
        id::{OpenConversationId, UserId},
        scene::{GetMuteStatus, MuteMembers},
    },
};

/// Whether somebody can speak in a group.
#[derive(Debug, Clone)]
pub struct Mute {
    /// The whole group is muted.
    pub group: bool,
    /// The member is muted.
    pub member: bool,
    /// Since when.
    pub start: Option<SystemTime>,
    /// Until when.
    pub end: Option<SystemTime>,
}

impl Groups {
    /// Mutes members for a while; doing it again starts the time anew.
    pub async fn mute(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
        duration: Duration,
    ) -> Result<Outcome<Verdicts>, Error> {
        self.change_mute(request, group, members, Some(duration)).await
    }

    /// Lets members speak again.
    pub async fn unmute(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
    ) -> Result<Outcome<Verdicts>, Error> {
        self.change_mute(request, group, members, None).await
    }

    async fn change_mute(
        &self,
        request: &Request,
        group: &GroupRef,
        members: Vec<Member>,
        duration: Option<Duration>,
    ) -> Result<Outcome<Verdicts>, Error> {
        let (_, open_id) = self.reach_scenario(request, group).await?;
        if request.validate_only {
            return Ok(Outcome::Planned(PlannedCall::chunked(
                &request.app,
                MuteMembers::SPEC,
                members.len(),
            )));
        }
        self.set_mute(request, &open_id, &members, duration).await.map(Outcome::Done)
    }

    async fn set_mute(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
        members: &[Member],
        duration: Option<Duration>,
    ) -> Result<Verdicts, Error> {
        let mute_duration =
            duration.map_or(0, |duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        let size = request.app.chunk_size(MuteMembers::SPEC);
        in_chunks(members, size, request.context.deadline, |chunk| async move {
            let (user_ids, union_ids) = split(chunk);
            let endpoint = MuteMembers {
                open_conversation_id,
                mute_status: u8::from(duration.is_some()),
                mute_duration,
                user_id_list: &user_ids,
                union_ids: &union_ids,
            };
            self.call_scene(request, open_conversation_id, &endpoint).await.map(drop)
        })
        .await
    }

    /// Whether a member can speak.
    pub async fn mute_status(
        &self,
        request: &Request,
        group: &GroupRef,
        member: &UserId,
    ) -> Result<Mute, Error> {
        let (_, open_id) = self.reach_scenario(request, group).await?;
        let endpoint = GetMuteStatus { open_conversation_id: &open_id, user_id: member };
        let status = self.call_scene(request, &open_id, &endpoint).await?;
        let own = status.user_mute_result;
        let time = |millis: Option<i64>| {
            let millis = millis.and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0)?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
        };
        Ok(Mute {
            group: status.group_mute_mode == Some(true),
            member: own.as_ref().is_some_and(|own| own.user_mute_mode == Some(true)),
            start: own.as_ref().and_then(|own| time(own.mute_start_time)),
            end: own.as_ref().and_then(|own| time(own.mute_end_time)),
        })
    }

    /// The handle and the id of a scenario group; other kinds are refused. Of a group of which the kind is not known
    /// DingTalk's answer to the call itself tells it.
    pub(super) async fn reach_scenario(
        &self,
        request: &Request,
        group: &GroupRef,
    ) -> Result<(GroupRef, OpenConversationId), Error> {
        let mut handle = self.directory.complete(&request.app, group, "group")?;
        if let Some(kind @ (Kind::Internal | Kind::Standard)) = handle.kind {
            return Err(Error::KindUnsupported { kind });
        }
        if handle.open_conversation_id.is_none() {
            handle = self.convert(request, &handle).await?;
        }
        let open_id = handle.open_conversation_id.clone().expect("a converted handle has it");
        Ok((handle, open_id))
    }
}
