//! The check of a request against the reference: what the data does not know, a request may not carry.

use serde_json::{Map, Value};

use super::Field;

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

/// Checks an object against its fields, but for how long its lists are, and returns it with every value in its own type.
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
        "object[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
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
    use crate::reference::operations;

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
                    "object[]",
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
