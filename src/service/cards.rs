//! `dinggate.group.v1.PinnedCardService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    convert,
    once::Once,
    rpc::{Apps, Rpc},
};
use crate::{
    group::{Fault, Groups, NewCard, Origin, Outcome},
    operation::topbox::Platform,
    pb::group::{
        self as pb, pin_card_request, pinned_card_service_server::PinnedCardService, unpin_card_request,
    },
};

/// The service.
#[derive(Debug, Clone)]
pub struct PinnedCardApi {
    apps: Apps,
    groups: Groups,
    once: Once,
}

impl PinnedCardApi {
    /// Serves these apps.
    pub fn new(apps: Apps, groups: Groups, once: Once) -> Self {
        Self { apps, groups, once }
    }
}

#[async_trait]
impl PinnedCardService for PinnedCardApi {
    async fn pin_card(
        &self,
        request: Request<pb::PinCardRequest>,
    ) -> Result<Response<pb::PinCardResponse>, Status> {
        let mut rpc = Rpc::new(&self.apps, request)?;
        let card = new_card(&rpc.message);
        if rpc.message.expire_time.is_some() && card.expires.is_none() {
            rpc.faults.extend(vec![Fault::new("expire_time", "is not a time between 1970 and 9999")]);
        }
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let group = convert::group_ref_of(&rpc.message.group);
            let out_track_id = card.out_track_id.clone();
            let outcome = groups.pin_card(&request, &group, card).await;
            let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(()) => Vec::new(),
                Outcome::Planned(calls) => convert::planned(calls),
            };
            Ok(pb::PinCardResponse { out_track_id, planned_calls })
        })
        .await
    }

    async fn unpin_card(
        &self,
        request: Request<pb::UnpinCardRequest>,
    ) -> Result<Response<pb::UnpinCardResponse>, Status> {
        let rpc = Rpc::new(&self.apps, request)?;
        let groups = self.groups.clone();
        rpc.write(&self.once, |rpc, request| async move {
            let (group, out_track_id) =
                (convert::group_ref_of(&rpc.message.group), rpc.message.out_track_id.clone());
            let origin = match rpc.message.origin.clone() {
                Some(unpin_card_request::Origin::CoolAppCode(code)) => Origin::CoolApp(code),
                Some(unpin_card_request::Origin::TemplateId(id)) => Origin::Template(id),
                // It has been reported.
                None => Origin::Template(String::new()),
            };
            let outcome = groups.unpin_card(&request, &group, origin, out_track_id).await;
            let planned_calls = match outcome.map_err(|error| rpc.failed(error))? {
                Outcome::Done(()) => Vec::new(),
                Outcome::Planned(calls) => convert::planned(calls),
            };
            Ok(pb::UnpinCardResponse { planned_calls })
        })
        .await
    }
}

fn new_card(message: &pb::PinCardRequest) -> NewCard {
    let member_params = message.member_params.iter().filter_map(|own| {
        let member = own.member.as_ref().and_then(convert::member)?;
        Some((member, convert::params(&own.params)))
    });
    let derived = if message.out_track_id.is_empty() { &message.request_id } else { &message.out_track_id };
    NewCard {
        origin: match message.origin.clone() {
            Some(pin_card_request::Origin::CoolAppCode(code)) => Origin::CoolApp(code),
            Some(pin_card_request::Origin::TemplateId(id)) => Origin::Template(id),
            // It has been reported.
            None => Origin::Template(String::new()),
        },
        out_track_id: derived.clone(),
        card_template_id: message.card_template_id.clone(),
        params: convert::params(&message.params),
        member_params: member_params.collect(),
        audience: convert::members(&message.audience),
        platforms: message.platforms().filter_map(platform).collect(),
        expires: message.expire_time.as_ref().and_then(convert::time),
        callback_route_key: Some(message.callback_route_key.clone()).filter(|key| !key.is_empty()),
        pull_member_params: message.pull_member_params,
    }
}

fn platform(platform: pb::Platform) -> Option<Platform> {
    match platform {
        pb::Platform::Unspecified => None,
        pb::Platform::Ios => Some(Platform::Ios),
        pb::Platform::Android => Some(Platform::Android),
        pb::Platform::Mac => Some(Platform::Mac),
        pb::Platform::Windows => Some(Platform::Win),
    }
}
