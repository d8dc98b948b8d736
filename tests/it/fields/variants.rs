//! Requests that differ from a given one in one field.

use std::collections::BTreeSet;

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};

/// Whether callers state it: what is `OUTPUT_ONLY` they do not.
fn is_input(field: &FieldDescriptor) -> bool {
    let pool = field.parent_message().parent_pool().clone();
    let behaviors = pool.get_extension_by_name("google.api.field_behavior").expect("declared");
    let options = field.options();
    let output_only = Value::EnumNumber(3);
    !options.get_extension(&behaviors).as_list().is_some_and(|list| list.contains(&output_only))
}

/// Whether it is a message of ours with fields of its own.
fn is_made_of_fields(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("dinggate.") && message.fields().len() > 0
}

fn join(field: &FieldDescriptor, below: &str) -> String {
    if below.is_empty() { field.name().to_owned() } else { format!("{}.{below}", field.name()) }
}

/// Every field that a request can state, such as `group.settings.manage`.
pub fn fields_of(message: &MessageDescriptor) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for field in message.fields().filter(is_input) {
        match field.kind() {
            Kind::Message(inner) if !field.is_map() && is_made_of_fields(&inner) => {
                all.extend(fields_of(&inner).iter().map(|below| join(&field, below)));
            }
            _ => {
                all.insert(field.name().to_owned());
            }
        }
    }
    all
}

/// The field that differs and the request: one for each field that is stated, and for each switch.
pub fn variants(message: &DynamicMessage) -> Vec<(String, DynamicMessage)> {
    let mut all = Vec::new();
    for field in message.descriptor().fields().filter(is_input) {
        let is_switch = field.kind() == Kind::Bool && field.cardinality() != Cardinality::Repeated;
        if !message.has_field(&field) && !is_switch {
            continue;
        }
        for (below, value) in changed(&field, &message.get_field(&field)) {
            let mut other = message.clone();
            match value {
                Some(value) => other.set_field(&field, value),
                None => other.set_field(&sibling(&field), Value::Message(DynamicMessage::new(inner(&field)))),
            }
            all.push((join(&field, &below), other));
        }
    }
    all
}

/// Other values of a field, and which field below it differs. None: the message says nothing but which of a oneof it is.
fn changed(field: &FieldDescriptor, value: &Value) -> Vec<(String, Option<Value>)> {
    match value {
        Value::Map(pairs) => {
            let mut pairs = pairs.clone();
            let first = pairs.values_mut().next().expect("a pair");
            *first = Value::String(format!("{}1", first.as_str().expect("text")));
            vec![(String::new(), Some(Value::Map(pairs)))]
        }
        Value::List(items) => items
            .iter()
            .enumerate()
            .flat_map(|(i, item)| {
                let swap = move |(below, other): (String, Option<Value>)| {
                    let mut items = items.clone();
                    items[i] = other.expect("no list of empty messages");
                    (below, Some(Value::List(items)))
                };
                changed_single(field, item).into_iter().map(swap).collect::<Vec<_>>()
            })
            .collect(),
        single => changed_single(field, single),
    }
}

fn changed_single(field: &FieldDescriptor, value: &Value) -> Vec<(String, Option<Value>)> {
    let other = match value {
        Value::Message(message) if is_made_of_fields(&message.descriptor()) => {
            let below = variants(message).into_iter();
            return below.map(|(path, other)| (path, Some(Value::Message(other)))).collect();
        }
        Value::Message(message) => match message.descriptor().full_name() {
            "google.protobuf.FieldMask" => Some(Value::Message(without_first_path(message))),
            "google.protobuf.Duration" | "google.protobuf.Timestamp" => {
                Some(Value::Message(a_second_less(message)))
            }
            _ => None,
        },
        // Without it a repeat is another request; another one would be none that is the same.
        Value::String(_) if field.name() == "request_id" => Some(Value::String(String::new())),
        Value::String(text) => Some(Value::String(format!("{text}1"))),
        Value::Bool(flag) => Some(Value::Bool(!flag)),
        Value::I32(number) => Some(Value::I32(number - 1)),
        Value::EnumNumber(number) => Some(Value::EnumNumber(next(field, *number))),
        other => panic!("{}: how is {other:?} changed?", field.full_name()),
    };
    vec![(String::new(), other)]
}

/// The next value of an enum; after the last one the first that says something.
fn next(field: &FieldDescriptor, number: i32) -> i32 {
    let Kind::Enum(values) = field.kind() else { panic!("no enum") };
    if values.get_value(number + 1).is_some() { number + 1 } else { 1 }
}

fn without_first_path(mask: &DynamicMessage) -> DynamicMessage {
    let mut mask = mask.clone();
    let paths = mask.get_field_by_name_mut("paths").and_then(Value::as_list_mut).expect("paths");
    paths.remove(0);
    mask
}

fn a_second_less(time: &DynamicMessage) -> DynamicMessage {
    let mut time = time.clone();
    let seconds = time.get_field_by_name("seconds").and_then(|value| value.as_i64()).expect("seconds");
    time.set_field_by_name("seconds", Value::I64(seconds - 1));
    time
}

fn inner(field: &FieldDescriptor) -> MessageDescriptor {
    let Kind::Message(inner) = sibling(field).kind() else { panic!("no message") };
    inner
}

/// Another empty message of the same oneof.
fn sibling(field: &FieldDescriptor) -> FieldDescriptor {
    let one_of =
        field.containing_oneof().unwrap_or_else(|| panic!("{}: cannot be changed", field.full_name()));
    let is_empty = |other: &FieldDescriptor| {
        matches!(other.kind(), Kind::Message(message) if message.fields().len() == 0) && other != field
    };
    one_of.fields().find(is_empty).expect("two kinds without fields")
}

/// Takes out what is different each time: when it was read, and what an error was called upstream.
pub fn timeless(message: &mut DynamicMessage) {
    for field in message.descriptor().fields() {
        let Kind::Message(inner) = field.kind() else { continue };
        if inner.full_name() == "google.protobuf.Timestamp" {
            message.clear_field(&field);
        } else if inner.full_name() == "google.rpc.Status" && message.has_field(&field) {
            let status = message.get_field_mut(&field).as_message_mut().expect("a message");
            status.clear_field_by_name("details");
        }
    }
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(inner) => timeless(inner),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(timeless),
            _ => {}
        }
    }
}
