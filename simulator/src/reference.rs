//! The operations of DingTalk as data: which one a request is, and (in `check`) what it may carry.

mod check;

use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::check::{Complaint, Problem, Types, check};

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
    /// The errors DingTalk documents for it.
    pub errors: Vec<DocumentedError>,
}

/// An error an operation may answer.
#[derive(Debug, Deserialize)]
pub struct DocumentedError {
    /// The HTTP status.
    pub http: u16,
    /// `code`, or `errcode` as text.
    pub code: String,
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
    /// `string`, `int32`, `int64`, `bool`, `string[]`, `object`, `object[]`, `map<string,string>` or `map<string,object>`.
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
    /// Most items of a list or of a comma-joined string. The world has these limits among its rules, not the check.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_parameter_is_decoded_after_the_path_is_split() {
        let route = Route::find("POST", "/v1.0/im/chat/chat%2F1/convertToOpenConversationId");
        let Route::Operation(operation, params) = route else { panic!("no operation") };
        assert_eq!(
            (operation.id.as_str(), params),
            ("group.chatid.to_open_conversation_id", vec!["chat/1".into()])
        );
    }
}
