//! Scenario groups on the new face: some calls in snake_case, some in camelCase.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::world::{
    Caller, CreateScene, Group, OwnerKind, People, Refusal, SceneSettingsPatch, UpdateScene, World,
};

#[derive(Deserialize)]
pub(super) struct CreateBody {
    template_id: String,
    title: String,
    owner_user_id: String,
    #[serde(default)]
    icon: String,
    #[serde(default)]
    user_ids: Vec<String>,
    #[serde(default)]
    subadmin_ids: Vec<String>,
    #[serde(default)]
    management_options: SceneSettingsPatch,
    uuid: Option<String>,
}

pub(super) fn create(world: &mut World, caller: &Caller, body: CreateBody) -> Result<Value, Refusal> {
    let request = CreateScene {
        template_id: body.template_id,
        title: body.title,
        owner: body.owner_user_id,
        icon: body.icon,
        users: body.user_ids,
        admins: body.subadmin_ids,
        settings: body.management_options,
        uuid: body.uuid.filter(|uuid| !uuid.is_empty()),
    };
    let group = world.create_scene(caller, request)?;
    Ok(json!({"chat_id": group.chatid, "open_conversation_id": group.open_conversation_id}))
}

#[derive(Deserialize)]
pub(super) struct UpdateBody {
    open_conversation_id: String,
    title: Option<String>,
    owner_user_id: Option<String>,
    owner_union_id: Option<String>,
    icon: Option<String>,
    #[serde(default)]
    management_options: SceneSettingsPatch,
}

/// Which of two owners counts is not documented: the employee does.
pub(super) fn update(world: &mut World, caller: &Caller, body: UpdateBody) -> Result<Value, Refusal> {
    let employee = body.owner_user_id.map(|id| (OwnerKind::Employee, id));
    let request = UpdateScene {
        id: body.open_conversation_id,
        title: body.title,
        owner: employee.or(body.owner_union_id.map(|id| (OwnerKind::External, id))),
        icon: body.icon,
        settings: body.management_options,
    };
    world.update_scene(caller, request)?;
    Ok(json!({"success": true}))
}

#[derive(Deserialize)]
pub(super) struct MembersBody {
    open_conversation_id: String,
    #[serde(default)]
    user_ids: Vec<String>,
    #[serde(default)]
    union_ids: Vec<String>,
}

pub(super) fn add_members(world: &mut World, caller: &Caller, body: MembersBody) -> Result<Value, Refusal> {
    let people = People { users: body.user_ids, contacts: body.union_ids };
    world.add_members(caller, &body.open_conversation_id, people)?;
    Ok(json!({"success": true}))
}

pub(super) fn remove_members(
    world: &mut World,
    caller: &Caller,
    body: MembersBody,
) -> Result<Value, Refusal> {
    let people = People { users: body.user_ids, contacts: body.union_ids };
    world.remove_members(caller, &body.open_conversation_id, people)?;
    Ok(json!({"success": true}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BriefBody {
    open_conversation_id: String,
    cool_app_code: Option<String>,
}

/// The group URL is for apps that applied for it.
pub(super) fn get_brief(world: &World, caller: &Caller, body: BriefBody) -> Result<Value, Refusal> {
    no_cool_app(body.cool_app_code)?;
    let group = world.scene(caller, &body.open_conversation_id)?;
    Ok(json!({
        "success": true,
        "openConversationId": group.open_conversation_id,
        "title": group.name,
        "icon": group.icon,
        "ownerUserId": owner(group, OwnerKind::Employee),
        "templateId": group.template_id,
        "status": status(group),
        "groupUrl": "",
    }))
}

#[derive(Deserialize)]
pub(super) struct DetailBody {
    open_conversation_id: String,
    cool_app_code: Option<String>,
}

pub(super) fn get(world: &World, caller: &Caller, body: DetailBody) -> Result<Value, Refusal> {
    no_cool_app(body.cool_app_code)?;
    let group = world.scene(caller, &body.open_conversation_id)?;
    let mut options = options(group);
    for name in ["not_quit_when_emp_leave", "only_admin_can_add_mem"] {
        options[name] = json!(group.scene_settings.get(name).copied().unwrap_or_default().to_string());
    }
    Ok(json!({
        "success": true,
        "open_conversation_id": group.open_conversation_id,
        "title": group.name,
        "icon": group.icon,
        "owner_user_id": owner(group, OwnerKind::Employee),
        "owner_union_id": owner(group, OwnerKind::External),
        "template_id": group.template_id,
        "status": status(group),
        "group_url": "",
        "member_amount": group.members.len() + group.external_members.len(),
        "sub_admin_staff_ids": group.admins,
        "sub_admin_union_ids": group.external_admins,
        "management_options": options,
        "scene_data": "",
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListBody {
    open_conversation_id: String,
    cool_app_code: Option<String>,
    max_results: i64,
    #[serde(default)]
    next_token: String,
}

/// The last page has a `nextToken` too, as in DingTalk's own example: only `hasMore` tells the end.
pub(super) fn list_members(world: &World, caller: &Caller, body: ListBody) -> Result<Value, Refusal> {
    no_cool_app(body.cool_app_code)?;
    let size = usize::try_from(body.max_results).unwrap_or_default();
    let page = world.members(caller, &body.open_conversation_id, size, &body.next_token)?;
    Ok(json!({
        "success": true,
        "memberUserIds": ids(&page.users),
        "staffIdNickMap": names(&page.users),
        "unionIdList": ids(&page.contacts),
        "unionIdNickMap": names(&page.contacts),
        "hasMore": page.has_more,
        "nextToken": page.next,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CursorBody {
    open_conversation_id: String,
    cursor: String,
    size: i64,
}

pub(super) fn list_members_by_cursor(
    world: &World,
    caller: &Caller,
    body: CursorBody,
) -> Result<Value, Refusal> {
    let size = usize::try_from(body.size).unwrap_or_default();
    let page = world.members(caller, &body.open_conversation_id, size, &body.cursor)?;
    Ok(json!({
        "success": true,
        "memberUserIds": ids(&page.users),
        "hasMore": page.has_more,
        "nextCursor": page.next,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BaseInfoBody {
    open_conversation_id: String,
}

/// For groups without a template too. What `tag` holds is not documented; here it is the `conversationTag`.
pub(super) fn get_base_info(world: &World, caller: &Caller, body: BaseInfoBody) -> Result<Value, Refusal> {
    let group = world.open_group(caller, &body.open_conversation_id)?;
    Ok(json!({"success": true, "result": {
        "openConversationId": group.open_conversation_id,
        "title": group.name,
        "icon": group.icon,
        "memberCount": group.members.len() + group.external_members.len(),
        "tag": group.conversation_tag.to_string(),
    }}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisbandBody {
    open_conversation_id: String,
}

pub(super) fn disband(world: &mut World, caller: &Caller, body: DisbandBody) -> Result<Value, Refusal> {
    world.disband_scene(caller, &body.open_conversation_id)?;
    Ok(json!({"success": true}))
}

/// There are no cool apps in this world.
pub(super) fn no_cool_app(code: Option<String>) -> Result<(), Refusal> {
    if code.is_some_and(|code| !code.is_empty()) { Err(Refusal::CoolAppUnknown) } else { Ok(()) }
}

/// The owner's id of one kind, empty if it is of the other.
pub(crate) fn owner(group: &Group, kind: OwnerKind) -> &str {
    if group.owner_kind == kind { &group.owner } else { "" }
}

/// The six readable settings; numbers are strings here.
pub(crate) fn options(group: &Group) -> Value {
    let options =
        group.settings.snake_case().map(|(name, value)| (name.to_owned(), json!(value.to_string())));
    Value::Object(options.into_iter().collect())
}

pub(crate) fn ids(people: &[(String, String)]) -> Vec<&str> {
    people.iter().map(|(id, _)| id.as_str()).collect()
}

pub(crate) fn names(people: &[(String, String)]) -> Map<String, Value> {
    people.iter().map(|(id, name)| (id.clone(), json!(name))).collect()
}

fn status(group: &Group) -> u8 {
    if group.disbanded { 2 } else { 1 }
}
