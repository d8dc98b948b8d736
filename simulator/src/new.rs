//! The new face, `/v1.0` and `/v2.0`: token in a header, bare result objects, errors as HTTP status with a `code`.

mod cards;
mod codes;
mod failed;
mod messages;
pub(crate) mod roles;
pub(crate) mod scenes;
mod stream;
mod templates;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::{Answer, Call};
use crate::reference::{self, Complaint, Operation, Route, Types};
use crate::state::State;
use crate::world::{
    Caller, CreateGroup, MemberChange, OwnerKind, Refusal, SettingsPatch, UpdateGroup, World,
};

const TOKEN_HEADER: &str = "x-acs-dingtalk-access-token";

/// The answer to a request of this face.
pub(crate) fn answer(state: &mut State, call: &Call) -> Answer {
    let outcome = match &call.route {
        Route::Operation(operation, _) if operation.id == stream::OPEN => {
            stream::open(state, call, operation)
        }
        Route::Operation(operation, _) if operation.id == failed::LIST => {
            failed::list(state, call, operation)
        }
        Route::Operation(operation, params) => state.change(|world| serve(world, call, operation, params)),
        Route::WrongMethod(_) => Err(Failure::new(405, "", "Method Not Allowed")),
        Route::Unknown => return unknown_path(),
    };
    match outcome {
        Ok(result) => {
            let body = if result.is_null() { Bytes::new() } else { result.to_string().into() };
            Answer { request_id: Some(request_id()), body, ..Answer::json(StatusCode::OK, &Value::Null) }
        }
        Err(failure) => failure.into_answer(),
    }
}

/// An error as this face words it. An empty `code` is left out.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u16,
    code: String,
    message: String,
    required_scope: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Failure {
        Failure { status, code: code.to_owned(), message: message.to_owned(), required_scope: None }
    }

    pub(crate) fn into_answer(self) -> Answer {
        let id = request_id();
        let mut body = json!({"requestid": id, "message": self.message});
        if !self.code.is_empty() {
            body["code"] = json!(self.code);
        }
        if let Some(scope) = self.required_scope {
            body["accessdenieddetail"] = json!({"requiredScopes": [scope]});
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer { request_id: Some(id), code: Some(self.code), ..Answer::json(status, &body) }
    }
}

/// The access token of a request, where this face looks for it.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(TOKEN_HEADER)?.to_str().ok().filter(|token| !token.is_empty())
}

fn serve(world: &mut World, call: &Call, operation: &Operation, params: &[String]) -> Result<Value, Failure> {
    let caller = match operation.token {
        reference::TokenPlace::None => None,
        _ => Some(authenticate(world, call, operation)?),
    };
    let body = read_body(call, operation)?;
    let query = reference::check(&operation.query, Types::FromStrings, call.query.clone());
    let query = query.map_err(|complaint| complain(operation, &complaint))?;
    let result = match (operation.id.as_str(), caller) {
        ("auth.access_token.get", _) => access_token(world, typed(operation, body)?),
        ("auth.token.get_by_corp", _) => corp_token(world, &params[0], typed(operation, body)?),
        ("group.create", Some(caller)) => create_group(world, &caller, typed(operation, body)?),
        ("group.update", Some(caller)) => update_group(world, &caller, typed(operation, body)?),
        ("group.chatid.to_open_conversation_id", Some(caller)) => convert(world, &caller, &params[0]),
        ("scene.create", Some(caller)) => scenes::create(world, &caller, typed(operation, body)?),
        ("scene.update", Some(caller)) => scenes::update(world, &caller, typed(operation, body)?),
        ("scene.get_brief", Some(caller)) => scenes::get_brief(world, &caller, typed(operation, body)?),
        ("scene.get", Some(caller)) => scenes::get(world, &caller, typed(operation, body)?),
        ("scene.members.add", Some(caller)) => scenes::add_members(world, &caller, typed(operation, body)?),
        ("scene.members.remove", Some(caller)) => {
            scenes::remove_members(world, &caller, typed(operation, body)?)
        }
        ("scene.members.list", Some(caller)) => scenes::list_members(world, &caller, typed(operation, body)?),
        ("scene.members.list_cursor", Some(caller)) => {
            scenes::list_members_by_cursor(world, &caller, typed(operation, body)?)
        }
        ("group.admins.set", Some(caller)) => {
            roles::set_group_admins(world, &caller, typed(operation, body)?)
        }
        ("scene.admins.set", Some(caller)) => {
            roles::set_scene_admins(world, &caller, typed(operation, body)?)
        }
        ("scene.member.set_nick", Some(caller)) => {
            roles::set_nickname(world, &caller, typed(operation, body)?)
        }
        ("scene.members.mute.set", Some(caller)) => roles::set_mute(world, &caller, typed(operation, body)?),
        ("scene.mute.query", Some(caller)) => roles::get_mute(world, &caller, typed(operation, query)?),
        ("group.base_info.query", Some(caller)) => {
            scenes::get_base_info(world, &caller, typed(operation, body)?)
        }
        ("scene.disband", Some(caller)) => scenes::disband(world, &caller, typed(operation, body)?),
        ("scene.template_robot.get", Some(caller)) => {
            templates::get_robot(world, &caller, typed(operation, query)?)
        }
        ("template.apply", Some(caller)) => templates::apply(world, &caller, typed(operation, body)?),
        ("template.close", Some(caller)) => templates::close(world, &caller, typed(operation, body)?),
        ("topbox.create", Some(caller)) => cards::pin(world, &caller, typed(operation, body)?),
        ("topbox.close", Some(caller)) => cards::unpin(world, &caller, typed(operation, body)?),
        ("topbox.open_v1", Some(caller)) => cards::open(world, &caller, typed(operation, body)?),
        ("topbox.close_v1", Some(caller)) => cards::close(world, &caller, typed(operation, body)?),
        ("assistant.message.read_status", Some(caller)) => {
            messages::read_status(world, &caller, typed(operation, body)?)
        }
        _ => {
            return Err(Failure::new(
                501,
                "simulator.notServed",
                "the simulator does not serve this call yet",
            ));
        }
    };
    result.map_err(|refusal| refused(&operation.id, &refusal))
}

fn authenticate(world: &World, call: &Call, operation: &Operation) -> Result<Caller, Failure> {
    let Some(token) = token(&call.headers) else {
        let message = format!("缺少参数：{TOKEN_HEADER}");
        return Err(Failure::new(400, "AuthenticationFailed.MissingParameter", &message));
    };
    let Some(caller) = world.caller(token) else {
        return Err(Failure::new(400, "InvalidAuthentication", "不合法的access_token"));
    };
    match &operation.permission {
        Some(scope) if !world.permits(&caller, scope) => Err(Failure {
            required_scope: Some(scope.clone()),
            ..Failure::new(
                403,
                "Forbidden.AccessDenied.AccessTokenPermissionDenied",
                &format!("应用尚未开通所需的权限：[{scope}]"),
            )
        }),
        _ => Ok(caller),
    }
}

fn read_body(call: &Call, operation: &Operation) -> Result<Map<String, Value>, Failure> {
    let body = match &operation.content_type {
        Some(_) if call.body.is_empty() || !call.has_content_type("application/json") => {
            return Err(Failure::new(400, "Missingbody", "body is mandatory for this action."));
        }
        None if call.body.is_empty() => Map::new(),
        _ => call.json().ok_or_else(|| invalid("the body is not a JSON object"))?,
    };
    reference::check(&operation.body, Types::Exact, body).map_err(|complaint| complain(operation, &complaint))
}

/// What the reference does not describe, such as the objects in a map, may still be wrong.
fn typed<T: DeserializeOwned>(operation: &Operation, checked: Map<String, Value>) -> Result<T, Failure> {
    let wrong = |error: serde_json::Error| {
        Failure::new(400, codes::of_wrong(&operation.id, ""), &format!("输入参数错误: {error}"))
    };
    serde_json::from_value(Value::Object(checked)).map_err(wrong)
}

fn complain(operation: &Operation, complaint: &Complaint) -> Failure {
    let code = codes::of_complaint(&operation.id, complaint);
    Failure::new(400, code, &format!("输入参数错误: {complaint}"))
}

fn invalid(why: &str) -> Failure {
    Failure::new(400, "parameter.invalid", &format!("输入参数错误: {why}"))
}

fn refused(operation: &str, refusal: &Refusal) -> Failure {
    let (status, code, message) = codes::of_refusal(operation, refusal);
    Failure::new(status, code, &message)
}

fn unknown_path() -> Answer {
    let body = json!({"errcode": 404, "errmsg": "请求的URI地址不存在"});
    Answer {
        request_id: Some(request_id()),
        code: Some("404".to_owned()),
        ..Answer::json(StatusCode::OK, &body)
    }
}

fn request_id() -> String {
    Uuid::now_v7().to_string().to_uppercase()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessTokenBody {
    app_key: String,
    app_secret: String,
}

fn access_token(world: &mut World, body: AccessTokenBody) -> Result<Value, Refusal> {
    let issued = world.issue_token(&body.app_key, &body.app_secret, None)?;
    Ok(json!({"accessToken": issued.token, "expireIn": issued.seconds}))
}

#[derive(Deserialize)]
struct CorpTokenBody {
    client_id: String,
    client_secret: String,
}

fn corp_token(world: &mut World, corp_id: &str, body: CorpTokenBody) -> Result<Value, Refusal> {
    let issued = world.issue_token(&body.client_id, &body.client_secret, Some(corp_id))?;
    Ok(json!({"access_token": issued.token, "expires_in": issued.seconds}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateGroupBody {
    name: String,
    owner: String,
    #[serde(default)]
    owner_type: OwnerKind,
    #[serde(default)]
    icon: String,
    useridlist: Vec<String>,
    #[serde(default)]
    extidlist: Vec<String>,
    #[serde(default)]
    management_options: SettingsPatch,
    conversation_tag: Option<i64>,
}

fn create_group(world: &mut World, caller: &Caller, body: CreateGroupBody) -> Result<Value, Refusal> {
    const INTERNAL: i64 = 2;
    let group = world.create_group(
        caller,
        CreateGroup {
            name: body.name,
            owner: body.owner,
            owner_kind: body.owner_type,
            icon: body.icon,
            users: body.useridlist,
            contacts: body.extidlist,
            settings: body.management_options,
            conversation_tag: body.conversation_tag.unwrap_or(INTERNAL),
        },
    )?;
    Ok(json!({
        "chatid": group.chatid,
        "openConversationId": group.open_conversation_id,
        "conversationTag": group.conversation_tag,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateGroupBody {
    chatid: String,
    name: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    owner_type: OwnerKind,
    icon: Option<String>,
    management_options: Option<SettingsPatch>,
    #[serde(default, rename = "add_useridlist")]
    add_users: Vec<String>,
    #[serde(default, rename = "del_useridlist")]
    remove_users: Vec<String>,
    #[serde(default, rename = "add_extidlist")]
    add_contacts: Vec<String>,
    #[serde(default, rename = "del_extidlist")]
    remove_contacts: Vec<String>,
}

fn update_group(world: &mut World, caller: &Caller, body: UpdateGroupBody) -> Result<Value, Refusal> {
    let request = UpdateGroup {
        chatid: body.chatid,
        name: body.name,
        owner: body.owner,
        owner_kind: body.owner_type,
        icon: body.icon,
        settings: body.management_options,
        users: MemberChange { add: body.add_users, remove: body.remove_users },
        contacts: MemberChange { add: body.add_contacts, remove: body.remove_contacts },
    };
    world.update_group(caller, request)?;
    Ok(json!({"success": true}))
}

fn convert(world: &World, caller: &Caller, chatid: &str) -> Result<Value, Refusal> {
    let group = world.group(caller, chatid)?;
    Ok(json!({"openConversationId": group.open_conversation_id}))
}
