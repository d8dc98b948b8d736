//! The operations of DingTalk as data, and the check of a request against it: what the data does not know, a request
//! may not carry.

use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The operation reference as embedded: a JSON array, one object per operation.
pub const API_JSON: &str = include_str!("../reference/api.json");

/// The id under which requests to paths outside the reference are counted and logged.
pub const UNKNOWN: &str = "unknown";

/// One upstream operation.
#[derive(Debug, Deserialize)]
pub struct Operation {
    /// The id of the reference, such as `group.create`.
    pub id: String,
    /// Which face of DingTalk serves it.
    pub generation: Generation,
    /// The HTTP method.
    pub method: String,
    /// The path; `{name}` stands for a parameter.
    pub path: String,
    /// The parameters in the path.
    pub path_params: Vec<Field>,
    /// Where the access token goes.
    pub token: TokenPlace,
    /// The content type of the request body; none where there is no body.
    pub content_type: Option<String>,
    /// The query parameters, without the access token.
    pub query: Vec<Field>,
    /// The fields of the request body.
    pub body: Vec<Field>,
    /// The fields of a successful answer.
    pub response: Vec<Field>,
    /// The permission point an app needs.
    pub permission: Option<String>,
}

/// DingTalk's two REST generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// `api.dingtalk.com`.
    New,
    /// `oapi.dingtalk.com`.
    Legacy,
}

/// Where a request carries the access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenPlace {
    /// Nowhere: the token endpoints.
    None,
    /// The header `x-acs-dingtalk-access-token`.
    Header,
    /// The query parameter `access_token`.
    Query,
}

/// A field of a request or an answer.
#[derive(Debug, Deserialize)]
pub struct Field {
    /// The exact wire name.
    pub name: String,
    /// `string`, `int32`, `int64`, `bool`, `string[]`, `object`, `map<string,string>` or `map<string,object>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a request without it is refused.
    #[serde(default)]
    pub required: bool,
    /// The allowed values, where they are few.
    #[serde(default, rename = "enum")]
    pub allowed: Vec<Value>,
    /// The fields of an `object`.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Fewest characters (code points) of a string.
    #[serde(default)]
    pub min_len: Option<usize>,
    /// Most characters (code points) of a string.
    #[serde(default)]
    pub max_len: Option<usize>,
    /// Most items of a list or of a comma-joined string.
    #[serde(default)]
    pub max_items: Option<usize>,
    /// Largest number.
    #[serde(default)]
    pub max: Option<i64>,
    /// How a string is made up: `csv`, `pipe-joined`, `json-object-string-or-object`.
    #[serde(default)]
    pub format: Option<String>,
    /// Names joined by `|`, at least one of which must be given.
    #[serde(default)]
    pub one_of: Option<String>,
}

/// All operations of the reference.
pub fn operations() -> &'static [Operation] {
    static OPERATIONS: LazyLock<Vec<Operation>> =
        LazyLock::new(|| serde_json::from_str(API_JSON).expect("the embedded reference is valid"));
    &OPERATIONS
}

/// Whether `id` can be asked for: an operation of the reference, or [`UNKNOWN`].
pub(crate) fn is_known(id: &str) -> bool {
    id == UNKNOWN || operations().iter().any(|operation| operation.id == id)
}

/// What the reference says about a method and path.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// An operation, with the decoded parameters of the path.
    Operation(&'static Operation, Vec<String>),
    /// The path exists, with this method.
    WrongMethod(&'static str),
    /// No such path.
    Unknown,
}

impl Route {
    pub(crate) fn find(method: &str, path: &str) -> Route {
        let mut route = Route::Unknown;
        for operation in operations() {
            let Some(params) = path_params(&operation.path, path) else { continue };
            if operation.method == method {
                return Route::Operation(operation, params);
            }
            route = Route::WrongMethod(&operation.method);
        }
        route
    }

    pub(crate) fn operation_id(&self) -> &'static str {
        match self {
            Route::Operation(operation, _) => &operation.id,
            Route::WrongMethod(_) | Route::Unknown => UNKNOWN,
        }
    }
}

fn path_params(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(params),
            (Some(name), Some(value)) if name.starts_with('{') && !value.is_empty() => {
                params.push(percent_decode_str(value).decode_utf8().ok()?.into_owned());
            }
            (Some(name), Some(value)) if name == value => {}
            _ => return None,
        }
    }
}

/// What is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) field: String,
    pub(crate) problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    Missing,
    Unknown,
    Wrong(String),
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.problem {
            Problem::Missing => write!(f, "{} is missing", self.field),
            Problem::Unknown => write!(f, "{} is not a parameter of this call", self.field),
            Problem::Wrong(why) => write!(f, "{} {why}", self.field),
        }
    }
}

/// How strictly the types of values are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Types {
    /// A number is a JSON number, a boolean a JSON boolean.
    Exact,
    /// Numbers and booleans may come as strings: query strings, forms, and the bodies of the official legacy SDK.
    FromStrings,
}

/// Checks an object against its fields and returns it with every value in its own type.
pub(crate) fn check(
    fields: &[Field],
    types: Types,
    given: Map<String, Value>,
) -> Result<Map<String, Value>, Complaint> {
    check_object(fields, types, given, "")
}

fn check_object(
    fields: &[Field],
    types: Types,
    given: Map<String, Value>,
    at: &str,
) -> Result<Map<String, Value>, Complaint> {
    let mut checked = Map::new();
    for (name, value) in given {
        let path = format!("{at}{name}");
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            return Err(Complaint { field: path, problem: Problem::Unknown });
        };
        checked.insert(name, check_value(field, types, value, &path)?);
    }
    for field in fields {
        let missing = match &field.one_of {
            Some(names) => names.split('|').all(|name| is_blank(checked.get(name))),
            None => field.required && is_blank(checked.get(&field.name)),
        };
        if missing {
            return Err(Complaint { field: format!("{at}{}", field.name), problem: Problem::Missing });
        }
    }
    Ok(checked)
}

fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn check_value(field: &Field, types: Types, value: Value, path: &str) -> Result<Value, Complaint> {
    let value = if types == Types::FromStrings { from_string(&field.kind, value) } else { value };
    let wrong = |why: String| Complaint { field: path.to_owned(), problem: Problem::Wrong(why) };
    match (field.kind.as_str(), value) {
        ("object", Value::Object(object)) if !field.fields.is_empty() => {
            check_object(&field.fields, types, object, &format!("{path}.")).map(Value::Object)
        }
        (kind, value) => {
            if !has_kind(field, kind, &value) {
                return Err(wrong(format!("must be {kind}")));
            }
            bounds(field, &value).map_err(wrong)?;
            Ok(value)
        }
    }
}

fn from_string(kind: &str, value: Value) -> Value {
    let Value::String(text) = value else { return value };
    match (kind, text.as_str()) {
        ("bool", "true") => Value::Bool(true),
        ("bool", "false") => Value::Bool(false),
        ("int32" | "int64", digits) => digits.parse::<i64>().map_or(Value::String(text), Value::from),
        _ => Value::String(text),
    }
}

fn has_kind(field: &Field, kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string() || (value.is_object() && is_json_object(field)),
        "int32" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "int64" => value.is_i64(),
        "bool" => value.is_boolean(),
        "string[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        "map<string,string>" => value.as_object().is_some_and(|map| map.values().all(Value::is_string)),
        "object" | "map<string,object>" => value.is_object(),
        _ => false,
    }
}

fn is_json_object(field: &Field) -> bool {
    field.format.as_deref() == Some("json-object-string-or-object")
}

fn bounds(field: &Field, value: &Value) -> Result<(), String> {
    if !field.allowed.is_empty() && !field.allowed.contains(value) {
        let allowed: Vec<String> = field.allowed.iter().map(Value::to_string).collect();
        return Err(format!("must be one of {}", allowed.join(", ")));
    }
    let characters = value.as_str().map(|text| text.chars().count());
    let items = match value {
        Value::Array(items) => Some(items.len()),
        Value::String(text) if field.format.as_deref() == Some("csv") => Some(text.split(',').count()),
        _ => None,
    };
    if let (Some(characters), Some(min)) = (characters, field.min_len)
        && characters < min
    {
        return Err(format!("must have at least {min} characters"));
    }
    if let (Some(characters), Some(max)) = (characters, field.max_len)
        && characters > max
    {
        return Err(format!("must have at most {max} characters"));
    }
    if let (Some(items), Some(max)) = (items, field.max_items)
        && items > max
    {
        return Err(format!("must have at most {max} items"));
    }
    if let (Some(number), Some(max)) = (value.as_i64(), field.max)
        && number > max
    {
        return Err(format!("must be at most {max}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_body(id: &str, types: Types, body: Value) -> Result<Map<String, Value>, String> {
        let operation = operations().iter().find(|operation| operation.id == id).unwrap();
        check(&operation.body, types, body.as_object().unwrap().clone())
            .map_err(|complaint| complaint.to_string())
    }

    #[test]
    fn every_type_of_the_reference_is_known_to_the_check() {
        fn walk(fields: &[Field]) {
            for field in fields {
                let known = [
                    "string",
                    "int32",
                    "int64",
                    "bool",
                    "string[]",
                    "object",
                    "map<string,string>",
                    "map<string,object>",
                ];
                assert!(known.contains(&field.kind.as_str()), "{}: {}", field.name, field.kind);
                walk(&field.fields);
            }
        }
        for operation in operations() {
            walk(&operation.query);
            walk(&operation.body);
        }
    }

    #[test]
    fn a_path_parameter_is_decoded_after_the_path_is_split() {
        let route = Route::find("POST", "/v1.0/im/chat/chat%2F1/convertToOpenConversationId");
        let Route::Operation(operation, params) = route else { panic!("no operation") };
        assert_eq!(
            (operation.id.as_str(), params),
            ("group.chatid.to_open_conversation_id", vec!["chat/1".into()])
        );
    }

    #[test]
    fn a_body_is_refused_for_the_first_thing_the_reference_does_not_say() {
        let update = |body| check_body("group.update", Types::Exact, body).unwrap_err();
        assert_eq!(update(json!({"name": "x"})), "chatid is missing");
        assert_eq!(update(json!({"chatid": ""})), "chatid is missing");
        assert_eq!(update(json!({"chatId": "c"})), "chatId is not a parameter of this call");
        assert_eq!(update(json!({"chatid": 7})), "chatid must be string");
        assert_eq!(update(json!({"chatid": "c", "name": null})), "name must be string");
        assert_eq!(
            update(json!({"chatid": "c", "add_useridlist": ["a", 1]})),
            "add_useridlist must be string[]"
        );
        let options = |options| update(json!({"chatid": "c", "managementOptions": options}));
        assert_eq!(
            options(json!({"searchble": 1})),
            "managementOptions.searchble is not a parameter of this call"
        );
        assert_eq!(options(json!({"searchable": "1"})), "managementOptions.searchable must be int32");
        assert_eq!(options(json!({"searchable": 2})), "managementOptions.searchable must be one of 0, 1");
    }

    #[test]
    fn lengths_count_code_points() {
        let name =
            |name: String| check_body("group.update", Types::Exact, json!({"chatid": "c", "name": name}));
        assert!(name("群".repeat(20)).is_ok());
        assert!(name("😀".repeat(20)).is_ok());
        assert_eq!(name("群".repeat(21)).unwrap_err(), "name must have at most 20 characters");
        assert_eq!(name(String::new()).unwrap_err(), "name must have at least 1 characters");
    }

    #[test]
    fn legacy_scalars_may_be_strings_and_come_out_typed() {
        let body = json!({"chatid": "c", "is_prohibit": "true"});
        let checked = check_body("group.private_chat.set_legacy", Types::FromStrings, body).unwrap();
        assert_eq!(checked["is_prohibit"], json!(true));
        let body = json!({"chatid": "c", "is_prohibit": "yes"});
        let error = check_body("group.private_chat.set_legacy", Types::FromStrings, body).unwrap_err();
        assert_eq!(error, "is_prohibit must be bool");
    }

    #[test]
    fn one_of_two_names_is_enough() {
        let check = |body| check_body("group.qrcode.get_legacy", Types::FromStrings, body);
        assert!(check(json!({"openConversationId": "cid", "userid": "u"})).is_ok());
        assert_eq!(check(json!({"userid": "u"})).unwrap_err(), "chatid is missing");
    }
}
