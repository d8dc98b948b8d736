//! RPCs as data: requests written in JSON, sent and answered by the descriptors of the contract.

use std::{collections::BTreeMap, sync::LazyLock};

use prost::{Message as _, bytes::Bytes};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, MethodDescriptor, Value,
};
use serde_json::Value as Json;
use tonic::{Request, Status, transport::Channel};

use crate::{
    annotations::{methods, path_of},
    contract,
};

/// What placeholders such as `"$scene"` stand for.
pub type Names = BTreeMap<&'static str, Json>;

/// A method by its short name, such as `GroupService/CreateGroup`.
pub fn method(name: &str) -> MethodDescriptor {
    static METHODS: LazyLock<Vec<MethodDescriptor>> = LazyLock::new(methods);
    let found = METHODS.iter().find(|method| path_of(method) == format!("/dinggate.group.v1.{name}"));
    found.unwrap_or_else(|| panic!("no method {name}")).clone()
}

/// Makes the RPC.
pub async fn call(
    channel: &Channel,
    method: &MethodDescriptor,
    request: &DynamicMessage,
) -> Result<DynamicMessage, Status> {
    let request = Request::new(Bytes::from(request.encode_to_vec()));
    let answer = contract::call(channel, &path_of(method), request).await?;
    Ok(DynamicMessage::decode(method.output(), answer).expect("an answer of the contract"))
}

/// Makes the RPC of this name with a request that is meant to succeed.
pub async fn ask(channel: &Channel, name: &str, request: &Json) -> DynamicMessage {
    let method = method(name);
    let answer = call(channel, &method, &message(&method.input(), request)).await;
    answer.unwrap_or_else(|status| panic!("{name} {request}: {status:?}"))
}

/// The same with every placeholder filled in.
pub fn fill(json: &Json, names: &Names) -> Json {
    match json {
        Json::String(text) => names.get(text.as_str()).cloned().unwrap_or_else(|| json.clone()),
        Json::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        Json::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), fill(value, names))).collect())
        }
        other => other.clone(),
    }
}

/// A message by the names of its fields; a name that the contract does not have is an error.
pub fn message(descriptor: &MessageDescriptor, json: &Json) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (name, json) in json.as_object().unwrap_or_else(|| panic!("{descriptor:?} from {json}")) {
        let field =
            descriptor.get_field_by_name(name).unwrap_or_else(|| panic!("{descriptor:?} has no {name}"));
        message.set_field(&field, value(&field, json));
    }
    message
}

fn value(field: &FieldDescriptor, json: &Json) -> Value {
    match (field.kind(), json) {
        (Kind::Message(entry), Json::Object(pairs)) if field.is_map() => {
            let values = entry.map_entry_value_field();
            let pair = |(key, json): (&String, &Json)| (MapKey::String(key.clone()), value(&values, json));
            Value::Map(pairs.iter().map(pair).collect())
        }
        (kind, Json::Array(items)) => Value::List(items.iter().map(|item| single(&kind, item)).collect()),
        (kind, json) => single(&kind, json),
    }
}

fn single(kind: &Kind, json: &Json) -> Value {
    match (kind, json) {
        (Kind::Message(inner), json) => Value::Message(message(inner, json)),
        (Kind::Enum(values), Json::String(name)) => {
            let value = values.get_value_by_name(name).unwrap_or_else(|| panic!("{values:?} has no {name}"));
            Value::EnumNumber(value.number())
        }
        (Kind::String, Json::String(text)) => Value::String(text.clone()),
        (Kind::Bool, Json::Bool(flag)) => Value::Bool(*flag),
        (Kind::Int32, Json::Number(number)) => Value::I32(number.as_i64().unwrap().try_into().unwrap()),
        (Kind::Int64, Json::Number(number)) => Value::I64(number.as_i64().unwrap()),
        other => panic!("{other:?} do not go together"),
    }
}

/// The text in a field of an answer.
pub fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field).unwrap_or_else(|| panic!("no field {field}"));
    value.as_str().expect("text").to_owned()
}

/// The handle that an answer carries, as a request states it.
pub fn handle(answer: &DynamicMessage) -> Json {
    let field = |message: &DynamicMessage, name: &str| {
        message.get_field_by_name(name).unwrap().as_message().cloned().expect("a message")
    };
    let handle = field(&field(answer, "group"), "ref");
    let kind = handle.get_field_by_name("kind").unwrap().as_enum_number().unwrap();
    let kinds =
        ["GROUP_KIND_UNSPECIFIED", "GROUP_KIND_INTERNAL", "GROUP_KIND_STANDARD", "GROUP_KIND_SCENARIO"];
    serde_json::json!({
        "open_conversation_id": text(&handle, "open_conversation_id"),
        "chat_id": text(&handle, "chat_id"),
        "kind": kinds[usize::try_from(kind).unwrap()],
    })
}
