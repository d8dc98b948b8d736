//! Pinned cards, which only the new face has.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Caller, CardPlace, OwnerKind, PinnedCard, Refusal, World};

const GROUP: i64 = 1;
const PLATFORMS: [&str; 4] = ["ios", "mac", "android", "win"];

/// Where a card is, as both calls name it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    conversation_type: i64,
    open_conversation_id: Option<String>,
    group_template_id: Option<String>,
    cool_app_code: Option<String>,
    robot_code: Option<String>,
    user_id: Option<String>,
    // The misspelling is what closing a card really calls it.
    #[serde(alias = "unoinId")]
    union_id: Option<String>,
}

impl Place {
    fn read(self) -> Result<CardPlace, Refusal> {
        let given = |value: Option<String>| value.filter(|text| !text.is_empty());
        if self.conversation_type == GROUP {
            let id = given(self.open_conversation_id).ok_or(Refusal::Missing("openConversationId"))?;
            // There are no cool apps in this world.
            return match (given(self.group_template_id), given(self.cool_app_code)) {
                (_, Some(_)) => Err(Refusal::CoolAppUnknown),
                (template_id @ Some(_), None) => Ok(CardPlace::Group { id, template_id }),
                (None, None) => Err(Refusal::Missing("coolAppCode")),
            };
        }
        let robot_code = given(self.robot_code).ok_or(Refusal::Missing("robotCode"))?;
        let user = given(self.user_id).map(|id| (OwnerKind::Employee, id));
        let person = user.or(given(self.union_id).map(|id| (OwnerKind::External, id)));
        let (kind, person) = person.ok_or(Refusal::Missing("userId"))?;
        Ok(CardPlace::Chat { robot_code, kind, person })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CardData {
    card_param_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PinBody {
    #[serde(flatten)]
    place: Place,
    out_track_id: String,
    card_template_id: String,
    card_data: CardData,
    #[serde(default)]
    user_id_private_data_map: BTreeMap<String, CardData>,
    #[serde(default)]
    union_id_private_data_map: BTreeMap<String, CardData>,
    #[serde(default)]
    receiver_user_id_list: Vec<String>,
    #[serde(default)]
    receiver_union_id_list: Vec<String>,
    #[serde(default)]
    platforms: String,
    expired_time: Option<i64>,
}

fn check_platforms(joined: &str) -> Result<(), Refusal> {
    let mut platforms = joined.split('|').filter(|name| !name.is_empty());
    let unknown = platforms.any(|name| !PLATFORMS.contains(&name));
    if unknown { Err(Refusal::Invalid("platforms")) } else { Ok(()) }
}

pub(super) fn pin(world: &mut World, caller: &Caller, body: PinBody) -> Result<Value, Refusal> {
    check_platforms(&body.platforms)?;
    let place = body.place.read()?;
    let private = body.user_id_private_data_map.into_iter().chain(body.union_id_private_data_map);
    let card = PinnedCard {
        out_track_id: body.out_track_id,
        card_template_id: body.card_template_id,
        params: body.card_data.card_param_map,
        private_params: private.map(|(id, data)| (id, data.card_param_map)).collect(),
        receivers: body.receiver_user_id_list,
        external_receivers: body.receiver_union_id_list,
        expires_at_ms: body.expired_time,
    };
    world.pin_card(caller, &place, card)?;
    Ok(json!({"success": true}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnpinBody {
    #[serde(flatten)]
    place: Place,
    out_track_id: String,
}

pub(super) fn unpin(world: &mut World, caller: &Caller, body: UnpinBody) -> Result<Value, Refusal> {
    let place = body.place.read()?;
    world.unpin_card(caller, &place, &body.out_track_id)?;
    Ok(json!({"success": true}))
}

/// Where a card is, as both calls of the archived version name it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchivedPlace {
    #[serde(default = "group_v1")]
    conversation_type: i64,
    open_conversation_id: Option<String>,
    cool_app_code: Option<String>,
    robot_code: Option<String>,
    #[serde(default)]
    receiver_user_id_list: Vec<String>,
}

/// The archived version counts kinds of conversations from 0.
fn group_v1() -> i64 {
    1
}

impl ArchivedPlace {
    fn read(&self) -> Result<CardPlace, Refusal> {
        let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        match self.conversation_type {
            0 => {
                let robot_code = given(&self.robot_code).ok_or(Refusal::Missing("robotCode"))?;
                let person =
                    self.receiver_user_id_list.first().ok_or(Refusal::Missing("receiverUserIdList"))?;
                Ok(CardPlace::Chat { robot_code, kind: OwnerKind::Employee, person: person.clone() })
            }
            _ => {
                let id = given(&self.open_conversation_id).ok_or(Refusal::Missing("openConversationId"))?;
                // There are no cool apps in this world.
                let cool_app = given(&self.cool_app_code);
                cool_app.map_or(Ok(()), |_| Err(Refusal::CoolAppUnknown))?;
                Ok(CardPlace::Group { id, template_id: None })
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenBody {
    #[serde(flatten)]
    place: ArchivedPlace,
    out_track_id: String,
    #[serde(default)]
    platforms: String,
    expired_time: Option<i64>,
}

/// Pins a card that another API has made. There is none of it here, so every id is taken for such a card.
pub(super) fn open(world: &mut World, caller: &Caller, body: OpenBody) -> Result<Value, Refusal> {
    check_platforms(&body.platforms)?;
    let place = body.place.read()?;
    let in_group = matches!(place, CardPlace::Group { .. });
    let card = PinnedCard {
        out_track_id: body.out_track_id,
        card_template_id: String::new(),
        params: BTreeMap::new(),
        private_params: BTreeMap::new(),
        receivers: if in_group { body.place.receiver_user_id_list } else { Vec::new() },
        external_receivers: Vec::new(),
        expires_at_ms: body.expired_time,
    };
    world.pin_card(caller, &place, card)?;
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CloseBody {
    #[serde(flatten)]
    place: ArchivedPlace,
    out_track_id: String,
}

pub(super) fn close(world: &mut World, caller: &Caller, body: CloseBody) -> Result<Value, Refusal> {
    world.unpin_card(caller, &body.place.read()?, &body.out_track_id)?;
    Ok(Value::Null)
}
