//! From the rules of a message to the ways to break each of them alone.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::{
    cel,
    valid::{field_rules, is_required, is_required_oneof, item, rules, seconds},
};

pub struct Violation {
    /// `string.max_len`, or the id of a rule in CEL.
    pub rule: String,
    /// The field that the answer must name, below the message: `.members[1]`.
    pub path: String,
    /// Breaks the rule in a valid message.
    pub commit: Box<dyn Fn(&mut DynamicMessage)>,
}

impl Violation {
    fn new(rule: &str, path: String, commit: impl Fn(&mut DynamicMessage) + 'static) -> Self {
        Self { rule: rule.to_owned(), path, commit: Box::new(commit) }
    }

    fn set(rule: &str, field: &FieldDescriptor, below: &str, value: Value) -> Self {
        let path = format!(".{}{below}", field.name());
        let field = field.clone();
        Self::new(rule, path, move |message| message.set_field(&field, value.clone()))
    }

    fn clear(rule: &str, field: &FieldDescriptor) -> Self {
        let path = format!(".{}", field.name());
        let field = field.clone();
        Self::new(rule, path, move |message| message.clear_field(&field))
    }

    fn cel(id: &str, at: &str, field: &str) -> Self {
        let entry = cel::entry(id);
        let (violate, field) = (entry.violate, field.to_owned());
        Self::new(id, format!("{at}{}", entry.path), move |message| violate(message, &field))
    }
}

/// One for each rule of the message and of its fields, not of the messages in them.
pub fn of(message: &MessageDescriptor) -> Vec<Violation> {
    let mut found: Vec<_> = cel::ids(&rules(message.parent_pool(), &message.options(), "message"))
        .map(|id| Violation::cel(&id, "", ""))
        .collect();
    for one_of in message.oneofs().filter(is_required_oneof) {
        let path = format!(".{}", one_of.name());
        found.push(Violation::new("oneof.required", path, move |message| {
            one_of.fields().for_each(|field| message.clear_field(&field));
        }));
    }
    for field in message.fields() {
        let rules = field_rules(&field);
        if is_required(&rules) {
            found.push(Violation::clear("required", &field));
        }
        for id in cel::ids(&rules) {
            found.push(Violation::cel(&id, &format!(".{}", field.name()), field.name()));
        }
        for (family, rule, bound) in typed(&rules) {
            found.extend(broken(&field, &family, &rule, &bound));
        }
    }
    found
}

/// The rules that depend on the type, as (`string`, `max_len`, 64).
fn typed(rules: &DynamicMessage) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (family, values) in
        rules.fields().filter(|(family, _)| !matches!(family.name(), "cel" | "required" | "ignore"))
    {
        for (rule, bound) in values.as_message().expect("typed rules are a message").fields() {
            found.push((family.name().to_owned(), rule.name().to_owned(), bound.clone()));
        }
    }
    found
}

fn broken(field: &FieldDescriptor, family: &str, rule: &str, bound: &Value) -> Vec<Violation> {
    let name = format!("{family}.{rule}");
    let set = |value| Violation::set(&name, field, "", value);
    let count = || usize::try_from(bound.as_u64().expect("a count")).unwrap();
    match (family, rule) {
        ("repeated", "min_items") => vec![set(items(field, count() - 1))],
        ("repeated", "max_items") => vec![set(items(field, count() + 1))],
        ("repeated", "unique") => vec![set(Value::List(vec![item(field); 2]))],
        ("repeated", "items") => {
            let rules = typed(bound.as_message().expect("the rules of an item"));
            let bad = rules.into_iter().flat_map(|(family, rule, bound)| {
                let name = format!("repeated.items.{family}.{rule}");
                let values = bad_values(&field.kind(), &family, &rule, &bound);
                values.into_iter().map(move |value| (name.clone(), value))
            });
            bad.map(|(name, bad)| Violation::set(&name, field, "[0]", Value::List(vec![bad]))).collect()
        }
        ("map", "max_pairs") => {
            let pair = |i| (MapKey::String(format!("k{i}")), Value::String("v".to_owned()));
            vec![set(Value::Map((0..=count()).map(pair).collect()))]
        }
        _ => bad_values(&field.kind(), family, rule, bound).into_iter().map(set).collect(),
    }
}

/// Values that break one rule on single values.
fn bad_values(kind: &Kind, family: &str, rule: &str, bound: &Value) -> Vec<Value> {
    let text = |length: u64| Value::String("x".repeat(usize::try_from(length).unwrap()));
    let bad = match (family, rule) {
        ("string", "min_len") => text(bound.as_u64().expect("a length") - 1),
        ("string", "max_len") => text(bound.as_u64().expect("a length") + 1),
        ("string", "pattern") => Value::String("a b".to_owned()),
        ("string", "uuid") => Value::String("not-a-uuid".to_owned()),
        ("enum", "defined_only") => Value::EnumNumber(9999),
        ("enum", "not_in") => {
            let refused = bound.as_list().expect("a list of numbers");
            return refused.iter().map(|number| Value::EnumNumber(number.as_i32().unwrap())).collect();
        }
        ("int32", "gte") => Value::I32(bound.as_i32().expect("a number") - 1),
        ("int32", "lte") => Value::I32(bound.as_i32().expect("a number") + 1),
        ("duration", "gte") => duration(kind, bound, -1),
        ("duration", "lte") => duration(kind, bound, 1),
        _ => panic!("{family}.{rule}: say here which value breaks this rule"),
    };
    vec![bad]
}

fn duration(kind: &Kind, bound: &Value, more: i64) -> Value {
    let bound = bound.as_message().and_then(|bound| bound.get_field_by_name("seconds")?.as_i64());
    let descriptor = kind.as_message().expect("a duration is a message");
    Value::Message(seconds(descriptor, bound.expect("seconds") + more))
}

/// A list of valid items that are all different.
fn items(field: &FieldDescriptor, count: usize) -> Value {
    let numbered = |i| {
        let mut item = item(field);
        assert!(number(&mut item, i), "{} holds no text to number", field.full_name());
        item
    };
    Value::List((0..count).map(numbered).collect())
}

/// Appends the number to the first text in the value; false if there is none.
fn number(value: &mut Value, i: usize) -> bool {
    match value {
        Value::String(text) => {
            text.push_str(&i.to_string());
            true
        }
        Value::Message(message) => message.fields_mut().any(|(_, value)| number(value, i)),
        _ => false,
    }
}
