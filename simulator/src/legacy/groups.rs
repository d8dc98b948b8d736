//! Ordinary groups on the legacy face, with flat settings.

use serde::Deserialize;
use serde_json::{Value, json};

use super::without_empty;
use crate::world::{
    Caller, CreateGroup, INTERNAL, MemberChange, OwnerKind, Refusal, SettingsPatch, UpdateGroup, World,
};

#[derive(Deserialize)]
pub(super) struct CreateBody {
    name: String,
    owner: String,
    #[serde(default, rename = "ownerType")]
    owner_type: OwnerKind,
    #[serde(default)]
    icon: String,
    useridlist: Vec<String>,
    #[serde(default)]
    extidlist: Vec<String>,
    #[serde(rename = "conversationTag")]
    conversation_tag: Option<i64>,
    #[serde(flatten)]
    settings: SettingsPatch,
}

pub(super) fn create(world: &mut World, caller: &Caller, body: CreateBody) -> Result<Value, Refusal> {
    let conversation_tag = body.conversation_tag.unwrap_or(INTERNAL);
    no_contacts(conversation_tag, &body.extidlist)?;
    let request = CreateGroup {
        name: body.name,
        owner: body.owner,
        owner_kind: body.owner_type,
        icon: body.icon,
        users: body.useridlist,
        contacts: body.extidlist,
        settings: body.settings,
        conversation_tag,
    };
    let group = world.create_group(caller, request)?;
    Ok(json!({
        "chatid": group.chatid,
        "openConversationId": group.open_conversation_id,
        "conversationTag": group.conversation_tag,
    }))
}

#[derive(Deserialize)]
pub(super) struct UpdateBody {
    chatid: String,
    name: Option<String>,
    owner: Option<String>,
    #[serde(default, rename = "ownerType")]
    owner_type: OwnerKind,
    icon: Option<String>,
    #[serde(default)]
    add_useridlist: Vec<String>,
    #[serde(default)]
    del_useridlist: Vec<String>,
    #[serde(default)]
    add_extidlist: Vec<String>,
    #[serde(default)]
    del_extidlist: Vec<String>,
    #[serde(rename = "isBan")]
    is_ban: Option<bool>,
    #[serde(flatten)]
    settings: SettingsPatch,
}

pub(super) fn update(world: &mut World, caller: &Caller, body: UpdateBody) -> Result<Value, Refusal> {
    no_contacts(world.group(caller, &body.chatid)?.conversation_tag, &body.add_extidlist)?;
    let mut settings = body.settings;
    settings.chat_banned_type = settings.chat_banned_type.or(body.is_ban.map(u8::from));
    let request = UpdateGroup {
        chatid: body.chatid,
        name: body.name,
        owner: body.owner,
        owner_kind: body.owner_type,
        icon: body.icon,
        settings: Some(settings).filter(|settings| *settings != SettingsPatch::default()),
        users: MemberChange { add: body.add_useridlist, remove: body.del_useridlist },
        contacts: MemberChange { add: body.add_extidlist, remove: body.del_extidlist },
    };
    world.update_group(caller, request)?;
    Ok(json!({}))
}

/// The legacy pages keep external contacts out of internal groups; the new ones do not.
fn no_contacts(conversation_tag: i64, contacts: &[String]) -> Result<(), Refusal> {
    let refused = conversation_tag == INTERNAL && !contacts.is_empty();
    if refused { Err(Refusal::ContactsNotAllowed) } else { Ok(()) }
}

#[derive(Deserialize)]
pub(super) struct GetGroupQuery {
    chatid: String,
}

pub(super) fn get(world: &World, caller: &Caller, query: GetGroupQuery) -> Result<Value, Refusal> {
    let group = world.group(caller, &query.chatid)?;
    let mut info = json!(group.settings);
    info["chatid"] = json!(group.chatid);
    info["name"] = json!(group.name);
    info["owner"] = json!(group.owner);
    info["icon"] = json!(group.icon);
    info["useridlist"] = json!(group.members);
    info["extidlist"] = json!(group.external_members);
    info["agentidlist"] = json!([]);
    info["conversationTag"] = json!(group.conversation_tag);
    info["status"] = json!(if group.disbanded { 2 } else { 1 });
    Ok(json!({"chat_info": without_empty(info)}))
}

#[derive(Deserialize)]
pub(super) struct PrivateChatBody {
    chatid: String,
    is_prohibit: bool,
}

pub(super) fn set_private_chat(
    world: &mut World,
    caller: &Caller,
    body: PrivateChatBody,
) -> Result<Value, Refusal> {
    world.set_private_chat(caller, &body.chatid, body.is_prohibit)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct JoinLinkBody {
    chatid: Option<String>,
    #[serde(rename = "openConversationId")]
    open_conversation_id: Option<String>,
    userid: String,
}

pub(super) fn join_link(world: &World, caller: &Caller, body: JoinLinkBody) -> Result<Value, Refusal> {
    let chatid = match (&body.chatid, &body.open_conversation_id) {
        (Some(chatid), _) => chatid,
        (None, Some(id)) => world.chatid_of(id)?,
        (None, None) => return Err(Refusal::GroupUnknown),
    };
    let link = world.join_link(caller, chatid, &body.userid)?;
    Ok(json!({"result": link}))
}
