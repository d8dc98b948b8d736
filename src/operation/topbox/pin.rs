//! `POST /v2.0/im/topBoxes`: makes an interactive card and pins it in a group. At most 10 cards are pinned in one
//! group. No call lists them: only who keeps `out_track_id` can close a card. A card of the same id is not changed
//! by new data.

use std::collections::BTreeMap;

use http::Method;
use serde::Serialize;

use crate::{
    dingtalk::{Auth, Empty, Endpoint, Generation, Params, Repeat, Spec},
    operation::{
        id::{OpenConversationId, UnionId, UserId},
        joined,
    },
};

/// The request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PinCard<'a> {
    /// [`CONVERSATION_GROUP`](super::CONVERSATION_GROUP).
    pub conversation_type: u8,
    /// Which group.
    pub open_conversation_id: &'a OpenConversationId,
    /// The template that the group lives by; required for groups that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_template_id: Option<&'a str>,
    /// The cool app; required for groups that are reached through one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cool_app_code: Option<&'a str>,
    /// The caller's id of the card, at most 64 characters: by it DingTalk recognises a repeat.
    pub out_track_id: &'a str,
    /// The template of the card, from the card builder.
    pub card_template_id: &'a str,
    /// What everybody sees.
    pub card_data: CardData<'a>,
    /// What single employees see.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user_id_private_data_map: BTreeMap<&'a UserId, CardData<'a>>,
    /// What single people from outside the organisation see.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub union_id_private_data_map: BTreeMap<&'a UnionId, CardData<'a>>,
    /// The employees who see the card; both lists empty: everybody.
    #[serde(rename = "receiverUserIdList", skip_serializing_if = "<[_]>::is_empty")]
    pub receiver_user_ids: &'a [UserId],
    /// The people from outside the organisation who see the card.
    #[serde(rename = "receiverUnionIdList", skip_serializing_if = "<[_]>::is_empty")]
    pub receiver_union_ids: &'a [UnionId],
    /// The clients that show it, joined by `|`; empty: all.
    #[serde(serialize_with = "joined::pipes", skip_serializing_if = "<[_]>::is_empty")]
    pub platforms: &'a [Platform],
    /// Unix time in milliseconds; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_time: Option<i64>,
    /// The registered callback that hears of clicks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_route_key: Option<&'a str>,
    /// How private data come to the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_settings: Option<CardSettings>,
}

/// The values of a card's variables.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardData<'a> {
    /// Strings only: a picture is its mediaId, everything else is written out.
    pub card_param_map: &'a BTreeMap<String, String>,
}

/// Settings of a card.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardSettings {
    /// True asks the callback for private data each time that somebody opens the conversation.
    pub pull_strategy: bool,
}

/// A client that can show a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Platform {
    Ios,
    Mac,
    Android,
    Win,
}

impl AsRef<str> for Platform {
    fn as_ref(&self) -> &str {
        match self {
            Platform::Ios => "ios",
            Platform::Mac => "mac",
            Platform::Android => "android",
            Platform::Win => "win",
        }
    }
}

impl Endpoint for PinCard<'_> {
    type Reply = Empty;
    const SPEC: &'static Spec = &Spec {
        id: "topbox.create",
        generation: Generation::New,
        method: Method::POST,
        path: "/v2.0/im/topBoxes",
        params: Params::Body,
        auth: Auth::Token,
        repeat: Repeat::Keyed,
        max_members: Some(100),
        permission: Some("qyapi_chat_manage"),
    };
}
