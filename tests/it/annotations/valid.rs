//! Messages that keep all rules, made from the rules alone.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value,
};

use super::cel;

/// What else must be stated: optional in the contract, but not for each kind of group.
const STATED: [&str; 1] = ["dinggate.group.v1.GetJoinLinkRequest.inviter"];

/// What `buf.validate.field`, `.message` or `.oneof` says of something with these options.
pub fn rules(pool: &DescriptorPool, options: &DynamicMessage, extension: &str) -> DynamicMessage {
    let extension = pool.get_extension_by_name(&format!("buf.validate.{extension}")).expect("declared");
    options.get_extension(&extension).as_message().expect("rules are a message").clone()
}

pub fn field_rules(field: &FieldDescriptor) -> DynamicMessage {
    rules(field.parent_message().parent_pool(), &field.options(), "field")
}

pub fn is_required(rules: &DynamicMessage) -> bool {
    rules.get_field_by_name("required").is_some_and(|value| value.as_bool() == Some(true))
}

/// The oneof that a field is part of; `optional` fields are not.
fn one_of(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|one_of| !one_of.is_synthetic())
}

pub fn is_required_oneof(one_of: &OneofDescriptor) -> bool {
    is_required(&rules(one_of.parent_message().parent_pool(), &one_of.options(), "oneof"))
}

/// A rule such as `string.min_len`, where it is set.
fn rule(rules: &DynamicMessage, family: &str, name: &str) -> Option<Value> {
    let family = rules.get_field_by_name(family).filter(|_| rules.has_field_by_name(family))?;
    let family = family.as_message()?;
    family.get_field_by_name(name).filter(|_| family.has_field_by_name(name)).map(|value| value.into_owned())
}

/// The least that is valid: what must be stated, and the first of a oneof.
pub fn message(descriptor: &MessageDescriptor) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let stated = match one_of(&field) {
            Some(one_of) => is_required_oneof(&one_of) && one_of.fields().next().as_ref() == Some(&field),
            None => must_be_stated(&field),
        };
        if stated {
            message.set_field(&field, value(&field));
        }
    }
    cel::mend(&mut message, "");
    message
}

fn must_be_stated(field: &FieldDescriptor) -> bool {
    let rules = field_rules(field);
    is_required(&rules)
        || rule(&rules, "string", "min_len").is_some()
        || rule(&rules, "repeated", "min_items").is_some()
        || rule(&rules, "enum", "not_in").is_some()
        || STATED.contains(&field.full_name())
}

/// A valid value of a field; of a list, one item.
pub fn value(field: &FieldDescriptor) -> Value {
    if field.is_list() { Value::List(vec![item(field)]) } else { single(&field.kind(), &field_rules(field)) }
}

/// A valid item of a list.
pub fn item(field: &FieldDescriptor) -> Value {
    let rules = rule(&field_rules(field), "repeated", "items");
    let rules = rules.and_then(|rules| rules.as_message().cloned());
    single(&field.kind(), &rules.unwrap_or_else(|| field_rules(field)))
}

fn single(kind: &Kind, rules: &DynamicMessage) -> Value {
    match kind {
        Kind::String => {
            let least = rule(rules, "string", "min_len").and_then(|least| least.as_u64()).unwrap_or(1);
            Value::String("x".repeat(usize::try_from(least).unwrap()))
        }
        Kind::Enum(descriptor) => {
            let stated = descriptor.values().find(|value| value.number() != 0);
            Value::EnumNumber(stated.expect("a second value").number())
        }
        Kind::Message(descriptor) if descriptor.full_name() == "google.protobuf.Duration" => {
            Value::Message(seconds(descriptor, 60))
        }
        Kind::Message(descriptor) => Value::Message(message(descriptor)),
        other => panic!("no valid value is known for {other:?}"),
    }
}

/// A duration or a time.
pub fn seconds(descriptor: &MessageDescriptor, seconds: i64) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_name("seconds", Value::I64(seconds));
    message
}
