//! The legacy face, every path but `/v1.0` and `/v2.0`: token in the query, HTTP 200 whatever happens, `errcode`.

mod codes;
mod failed;
mod groups;
mod messages;
mod roles;
mod scenes;
mod templates;

use hyper::StatusCode;
use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call};
use crate::reference::{self, Complaint, Operation, Route, TokenPlace, Types};
use crate::state::State;
use crate::world::{Caller, Refusal, World};

const TOKEN_PARAMETER: &str = "access_token";

/// The answer to a request of this face.
pub(crate) fn answer(state: &mut State, call: &Call) -> Answer {
    let outcome = match &call.route {
        Route::Operation(operation, _) if operation.id == failed::LIST => {
            failed::list(state, call, operation)
        }
        Route::Operation(operation, _) => state.change(|world| serve(world, call, operation)),
        Route::WrongMethod("GET") => Err(Failure::new(43001, "需要GET请求")),
        Route::WrongMethod(_) => Err(Failure::new(43002, "需要POST请求")),
        Route::Unknown => Err(Failure::new(22, "Invalid method")),
    };
    match outcome {
        Ok(result) => Answer::json(StatusCode::OK, &result),
        Err(failure) => failure.into_answer(StatusCode::OK),
    }
}

/// An error as this face words it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Sent as a number where it reads as one.
    errcode: String,
    errmsg: String,
    /// `sub_code` and `sub_msg`: the real cause behind errcode 88 or 15.
    sub: Option<(String, String)>,
}

impl Failure {
    pub(crate) fn new(errcode: impl ToString, errmsg: &str) -> Failure {
        Failure { errcode: errcode.to_string(), errmsg: errmsg.to_owned(), sub: None }
    }

    /// The envelope in which a backing service, such as the one for tokens, reports.
    pub(crate) fn nested(errcode: impl ToString, sub_code: &str, sub_msg: &str) -> Failure {
        let errmsg = format!("ding talk error[subcode={sub_code},submsg={sub_msg}]");
        Failure { errcode: errcode.to_string(), errmsg, sub: Some((sub_code.to_owned(), sub_msg.to_owned())) }
    }

    pub(crate) fn into_answer(self, status: StatusCode) -> Answer {
        let errcode =
            self.errcode.parse::<i64>().map_or_else(|_| json!(self.errcode), |number| json!(number));
        let mut body = json!({"errcode": errcode, "errmsg": self.errmsg, "request_id": request_id()});
        let mut code = self.errcode;
        if let Some((sub_code, sub_msg)) = self.sub {
            code = format!("{code}/{sub_code}");
            body["sub_code"] = json!(sub_code);
            body["sub_msg"] = json!(sub_msg);
        }
        Answer { code: Some(code), ..Answer::json(status, &body) }
    }
}

/// The access token of a request, where this face looks for it.
pub(crate) fn token(query: &Map<String, Value>) -> Option<&str> {
    query.get(TOKEN_PARAMETER)?.as_str().filter(|token| !token.is_empty())
}

fn serve(world: &mut World, call: &Call, operation: &Operation) -> Result<Value, Failure> {
    let caller = match operation.token {
        TokenPlace::None => None,
        _ => Some(authenticate(world, call, operation)?),
    };
    let mut query = call.query.clone();
    if caller.is_some() {
        query.remove(TOKEN_PARAMETER);
    }
    let complain = |complaint| complain(operation, &complaint);
    let query = reference::check(&operation.query, Types::FromStrings, query).map_err(complain)?;
    let body = reference::check(&operation.body, Types::FromStrings, read_body(call, operation)?);
    let body = body.map_err(complain)?;
    let result = match (operation.id.as_str(), caller) {
        ("auth.gettoken_legacy", _) => gettoken(world, typed(query)?),
        ("group.get_legacy", Some(caller)) => groups::get(world, &caller, typed(query)?),
        ("group.private_chat.set_legacy", Some(caller)) => {
            groups::set_private_chat(world, &caller, typed(body)?)
        }
        ("group.qrcode.get_legacy", Some(caller)) => groups::join_link(world, &caller, typed(body)?),
        ("group.admins.set_legacy", Some(caller)) => roles::set_group_admins(world, &caller, typed(body)?),
        ("group.member.set_nick_legacy", Some(caller)) => roles::set_nickname(world, &caller, typed(body)?),
        ("template.apply_legacy", Some(caller)) => templates::apply(world, &caller, typed(body)?),
        ("template.close_legacy", Some(caller)) => templates::close(world, &caller, typed(body)?),
        ("scene.template_robot.get_legacy", Some(caller)) => {
            templates::get_robot(world, &caller, typed(body)?)
        }
        ("assistant.message.send_legacy", Some(caller)) => messages::send(world, &caller, typed(body)?),
        ("group.create_legacy", Some(caller)) => groups::create(world, &caller, typed(body)?),
        ("group.update_legacy", Some(caller)) => groups::update(world, &caller, typed(body)?),
        ("scene.create_legacy", Some(caller)) => scenes::create(world, &caller, typed(body)?),
        ("scene.update_legacy", Some(caller)) => scenes::update(world, &caller, typed(body)?),
        ("scene.members.add_legacy", Some(caller)) => scenes::add_members(world, &caller, typed(body)?),
        ("scene.members.remove_legacy", Some(caller)) => scenes::remove_members(world, &caller, typed(body)?),
        ("scene.members.list_legacy", Some(caller)) => scenes::list_members(world, &caller, typed(body)?),
        ("scene.get_legacy", Some(caller)) => scenes::get(world, &caller, typed(body)?),
        _ => return Err(Failure::new(22, "the simulator does not serve this call yet")),
    };
    result.map(|fields| done(operation, fields)).map_err(|refusal| refused(operation, &refusal))
}

fn authenticate(world: &World, call: &Call, operation: &Operation) -> Result<Caller, Failure> {
    let Some(token) = token(&call.query) else {
        return Err(Failure::nested(88, "40000", "access_token is blank"));
    };
    let Some(caller) = world.caller(token) else {
        return Err(Failure::nested(88, "40014", "不合法的access_token"));
    };
    match &operation.permission {
        Some(scope) if !world.permits(&caller, scope) => {
            Err(Failure::nested(88, "60011", &format!("没有调用该接口的权限: {scope}")))
        }
        _ => Ok(caller),
    }
}

/// `/chat/*` takes JSON only, `/topapi/*` also forms.
fn read_body(call: &Call, operation: &Operation) -> Result<Map<String, Value>, Failure> {
    if call.body.is_empty() {
        return Ok(Map::new());
    }
    if operation.path.starts_with("/topapi/") && call.has_content_type("application/x-www-form-urlencoded") {
        return Ok(call.form());
    }
    call.json().ok_or_else(|| Failure::new(43009, "POST body should be json"))
}

fn typed<T: DeserializeOwned>(checked: Map<String, Value>) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(checked)).map_err(|error| Failure::new(40035, &error.to_string()))
}

fn complain(operation: &Operation, complaint: &Complaint) -> Failure {
    let errcode = codes::of_complaint(&operation.id, complaint);
    Failure::new(errcode, &format!("不合法的参数: {complaint}"))
}

fn refused(operation: &Operation, refusal: &Refusal) -> Failure {
    let (errcode, errmsg) = codes::of_refusal(&operation.id, refusal);
    Failure::new(errcode, &errmsg)
}

/// A success: what is in every answer, as far as the reference has it in this one, and the fields of its own.
fn done(operation: &Operation, fields: Value) -> Value {
    let answers = |name: &str| operation.response.iter().any(|field| field.name == name);
    let mut answer = json!({"errcode": 0, "errmsg": "ok"});
    if answers("success") {
        answer["success"] = json!(true);
    } else if answers("succ") {
        answer["succ"] = json!(true);
    }
    if answers("request_id") {
        answer["request_id"] = json!(request_id());
    }
    if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, fields) {
        answer.extend(fields);
    }
    answer
}

/// 13 lower-case letters and digits, as in answers seen live.
fn request_id() -> String {
    let mut random = rand::rng();
    (0..13).map(|_| char::from(random.sample(Alphanumeric)).to_ascii_lowercase()).collect()
}

#[derive(Deserialize)]
struct GettokenQuery {
    appkey: String,
    appsecret: String,
}

fn gettoken(world: &mut World, query: GettokenQuery) -> Result<Value, Refusal> {
    let issued = world.issue_token(&query.appkey, &query.appsecret, None)?;
    Ok(json!({"access_token": issued.token, "expires_in": issued.seconds}))
}

/// The items of a comma-joined string.
fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// This face leaves out what is null or empty.
fn without_empty(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| *value != json!("") && *value != json!([]) && !value.is_null());
    }
    object
}
