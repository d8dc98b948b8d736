//! Cards pinned in a group. DingTalk cannot list them: who pins one keeps its id.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Groups, Request,
    error::Error,
    model::{GroupRef, Member, Outcome, PlannedCall, split},
};
use crate::{
    dingtalk::Endpoint,
    operation::{
        id::{OpenConversationId, UnionId, UserId},
        topbox::{CONVERSATION_GROUP, CardData, CardSettings, PinCard, Platform, UnpinCard},
    },
};

/// Values of a card's variables, or of a message's.
pub type Params = BTreeMap<String, String>;

/// A card to be made and pinned.
#[derive(Debug, Clone, Hash)]
pub struct NewCard {
    /// By what right the app acts in the group.
    pub origin: Origin,
    /// The caller's id of it: a repeat under the same id changes nothing.
    pub out_track_id: String,
    /// What it is made from.
    pub card_template_id: String,
    /// What everybody sees.
    pub params: Params,
    /// What single people see.
    pub member_params: Vec<(Member, Params)>,
    /// Who sees it; nobody stands for everybody.
    pub audience: Vec<Member>,
    /// The clients that show it; none stands for all.
    pub platforms: Vec<Platform>,
    /// When it goes away by itself.
    pub expires: Option<SystemTime>,
    /// The callback that hears what people do with it.
    pub callback_route_key: Option<String>,
    /// Whether the callback is asked for what single people see.
    pub pull_member_params: bool,
}

/// By what right an app acts in a group.
#[derive(Debug, Clone, Hash)]
pub enum Origin {
    /// The template in force there.
    Template(String),
    /// The cool app installed there.
    CoolApp(String),
}

impl Groups {
    /// Makes a card and pins it.
    pub async fn pin_card(
        &self,
        request: &Request,
        group: &GroupRef,
        card: NewCard,
    ) -> Result<Outcome<()>, Error> {
        let open_id = self.reach_open_id(request, group).await?;
        if request.validate_only {
            return Ok(Outcome::Planned(vec![PlannedCall::once(PinCard::SPEC)]));
        }
        self.pin(request, &open_id, &card).await.map(Outcome::Done)
    }

    async fn pin(
        &self,
        request: &Request,
        open_conversation_id: &OpenConversationId,
        card: &NewCard,
    ) -> Result<(), Error> {
        let (users, unions) = split(card.audience.iter().cloned());
        let (user_params, union_params) = card.private_data();
        let endpoint = PinCard {
            conversation_type: CONVERSATION_GROUP,
            open_conversation_id,
            group_template_id: card.origin.template_id(),
            cool_app_code: card.origin.cool_app_code(),
            out_track_id: &card.out_track_id,
            card_template_id: &card.card_template_id,
            card_data: CardData { card_param_map: &card.params },
            user_id_private_data_map: user_params,
            union_id_private_data_map: union_params,
            receiver_user_ids: &users,
            receiver_union_ids: &unions,
            platforms: &card.platforms,
            expired_time: card.expires.map(millis),
            callback_route_key: card.callback_route_key.as_deref(),
            card_settings: card.pull_member_params.then_some(CardSettings { pull_strategy: true }),
        };
        self.call_scene(request, open_conversation_id, &endpoint).await.map(drop)
    }

    /// Takes a card down.
    pub async fn unpin_card(
        &self,
        request: &Request,
        group: &GroupRef,
        origin: Origin,
        out_track_id: String,
    ) -> Result<Outcome<()>, Error> {
        let open_id = self.reach_open_id(request, group).await?;
        if request.validate_only {
            return Ok(Outcome::Planned(vec![PlannedCall::once(UnpinCard::SPEC)]));
        }
        let endpoint = UnpinCard {
            conversation_type: CONVERSATION_GROUP,
            open_conversation_id: &open_id,
            group_template_id: origin.template_id(),
            cool_app_code: origin.cool_app_code(),
            out_track_id: &out_track_id,
        };
        self.call_scene(request, &open_id, &endpoint).await?;
        Ok(Outcome::Done(()))
    }
}

impl NewCard {
    /// What single people see, by each kind of id.
    fn private_data(&self) -> (BTreeMap<&UserId, CardData<'_>>, BTreeMap<&UnionId, CardData<'_>>) {
        let (mut users, mut unions) = (BTreeMap::new(), BTreeMap::new());
        for (member, card_param_map) in &self.member_params {
            let data = CardData { card_param_map };
            match member {
                Member::User(id) => users.insert(id, data),
                Member::Union(id) => unions.insert(id, data),
            };
        }
        (users, unions)
    }
}

impl Origin {
    fn template_id(&self) -> Option<&str> {
        match self {
            Origin::Template(id) => Some(id),
            Origin::CoolApp(_) => None,
        }
    }

    fn cool_app_code(&self) -> Option<&str> {
        match self {
            Origin::CoolApp(code) => Some(code),
            Origin::Template(_) => None,
        }
    }
}

/// Unix time in milliseconds; what is before 1970 or absurdly late is as close to it as can be said.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
