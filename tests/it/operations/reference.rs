//! The golden requests against the reference of DingTalk's API.

use dinggate::dingtalk::{Repeat, Spec};
use serde_json::{Value, json};

use super::golden;

/// Fields of the reference that no request of the gateway has, and why.
pub const UNUSED: &[(&str, &str, &str)] = &[
    ("auth.gettoken_legacy", "corpid", "a credential of former times, in the SDK only"),
    ("auth.gettoken_legacy", "corpsecret", "a credential of former times, in the SDK only"),
    ("group.update_legacy", "isBan", "an older switch for the same thing as chatBannedType"),
    ("scene.members.add_legacy", "contact_staff_ids", "ids of customers, which the gateway does not know"),
    ("scene.members.remove_legacy", "contact_staff_ids", "ids of customers, which the gateway does not know"),
    ("scene.mute.query", "permissionCode", "in one version of the SDK only, without a meaning"),
    ("scene.get_brief", "coolAppCode", "for groups reached through a cool app, which have no template"),
    ("scene.members.list", "coolAppCode", "for groups reached through a cool app, which have no template"),
    ("template.apply_legacy", "apply_mode", "in the SDK only, without documented values"),
    ("template.close_legacy", "apply_mode", "in the SDK only, without documented values"),
    ("topbox.create", "robotCode", "for one-to-one chats, which are no groups"),
    ("topbox.create", "userId", "for one-to-one chats, which are no groups"),
    ("topbox.create", "unionId", "for one-to-one chats, which are no groups"),
    ("topbox.close", "robotCode", "for one-to-one chats, which are no groups"),
    ("topbox.close", "userId", "for one-to-one chats, which are no groups"),
    ("topbox.close", "unoinId", "for one-to-one chats, which are no groups"),
    ("assistant.message.read_status", "token", "for the webhooks of other robots, in the SDK only"),
];

/// The names under which requests list members.
const MEMBERS: [&str; 8] = [
    "useridlist",
    "add_useridlist",
    "userIds",
    "userids",
    "user_ids",
    "userIdList",
    "receiverUserIdList",
    "receiver_user_ids",
];

pub fn reference(id: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(dinggate_simulator::API_JSON).unwrap();
    all.into_iter()
        .find(|operation| operation["id"] == id)
        .unwrap_or_else(|| panic!("{id} is not in the reference"))
}

/// The golden request of an operation against what DingTalk documents of it.
pub fn compare(spec: &Spec) {
    let (id, golden, reference) = (spec.id, golden(spec.id).request, reference(spec.id));
    assert_eq!(reference["method"], spec.method.as_str(), "{id}");
    assert_eq!(reference["path"], spec.path, "{id}");
    assert_eq!(reference["generation"], spec.generation.as_str(), "{id}");
    assert_eq!(reference["permission"].as_str(), spec.permission, "{id}");
    assert_eq!(golden.host, reference["host"], "{id}");
    assert_eq!(golden.method, spec.method.as_str(), "{id}");
    assert!(fits(&golden.path, spec.path), "{id}: {} is not {}", golden.path, spec.path);
    let token = match reference["token"].as_str().unwrap() {
        "header" => golden.headers.contains_key("x-acs-dingtalk-access-token"),
        "query" => golden.query.contains_key("access_token"),
        _ => !golden.query.contains_key("access_token"),
    };
    assert!(token, "{id}: the token is not where it belongs");
    let json_body = reference["content_type"] == "application/json";
    assert_eq!(golden.body.is_some() && json_body, golden.headers.contains_key("content-type"), "{id}");
    let query = golden.query.into_iter().filter(|(name, _)| name != "access_token");
    let query = Value::Object(query.map(|(name, value)| (name, Value::String(value))).collect());
    fields(id, &reference["query"], &query);
    fields(id, &reference["body"], &golden.body.unwrap_or(json!({})));
    let bound = reference["body"].as_array().unwrap().iter().find_map(|field| {
        field["name"].as_str().filter(|name| MEMBERS.contains(name))?;
        field["max_items"].as_u64().or(field["suggested_max_items"].as_u64())
    });
    assert_eq!(spec.max_members.map(|most| most as u64), bound, "{id}");
    let is_keyed = spec.repeat == Repeat::Keyed;
    assert_eq!(
        reference["idempotency_key"].is_string(),
        is_keyed,
        "{id}: keyed means that DingTalk has a key"
    );
}

/// Whether a path is a template with its parameters filled in.
fn fits(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path
            .iter()
            .zip(&template)
            .all(|(part, shape)| part == shape || shape.starts_with('{') && !part.is_empty())
}

/// Every field that is sent is documented with its type; every documented one is sent, or listed as unused.
fn fields(id: &str, documented: &Value, sent: &Value) {
    let documented = documented.as_array().unwrap();
    for (name, value) in sent.as_object().unwrap() {
        let field = documented.iter().find(|field| field["name"] == *name);
        let field = field.unwrap_or_else(|| panic!("{id}: {name} is not documented"));
        let right = match (field["type"].as_str().unwrap(), field["format"].as_str()) {
            ("string", Some("json-object-string-or-object")) => is_text_map(value),
            ("string", _) => value.is_string(),
            ("bool", _) => value.is_boolean(),
            // In a query everything is text.
            ("int32" | "int64", _) => {
                value.as_str().map_or(value.is_i64(), |text| text.parse::<i64>().is_ok())
            }
            ("string[]", _) => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            ("map<string,string>", _) => is_text_map(value),
            ("object", _) => {
                fields(id, &field["fields"], value);
                true
            }
            ("map<string,object>", _) => {
                value.as_object().unwrap().values().for_each(|item| fields(id, &field["fields"], item));
                true
            }
            other => panic!("{id}: {name} has type {other:?}"),
        };
        assert!(right, "{id}: {name} = {value} is not {}", field["type"]);
        if let Some(allowed) = field["enum"].as_array() {
            assert!(allowed.contains(value), "{id}: {name} = {value} is not one of {allowed:?}");
        }
    }
    for field in documented {
        let name = field["name"].as_str().unwrap();
        let listed = UNUSED.iter().any(|(operation, unused, _)| *operation == id && *unused == name);
        assert_ne!(
            sent.get(name).is_some(),
            listed,
            "{id}: {name} must be in the golden request or in UNUSED"
        );
        assert!(!listed || field["required"] != true, "{id}: {name} is required");
    }
}

fn is_text_map(value: &Value) -> bool {
    value.as_object().is_some_and(|entries| !entries.is_empty() && entries.values().all(Value::is_string))
}

#[test]
fn what_is_listed_as_unused_is_documented() {
    for (id, unused, _) in UNUSED {
        let reference = reference(id);
        let mut documented =
            ["query", "body"].into_iter().flat_map(|place| reference[place].as_array().unwrap());
        assert!(documented.any(|field| field["name"] == *unused), "{id} has no {unused}");
    }
}
