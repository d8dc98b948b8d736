//! The rules that stand as CEL in the protos, by id: how to keep and how to break each.

use prost_reflect::{DynamicMessage, Kind, MapKey, ReflectMessage as _, Value};

use super::valid;

pub struct Rule {
    pub id: &'static str,
    /// Makes a message keep the rule, if it has a say in that.
    mend: fn(&mut DynamicMessage),
    /// Breaks the rule. The name is that of the field with the rule; empty where the message has it.
    pub violate: fn(&mut DynamicMessage, &str),
    /// The field that the answer names, below the message or field with the rule.
    pub path: &'static str,
}

pub const RULES: &[Rule] = &[
    Rule {
        id: "group_ref.has_id",
        mend: |group| {
            if !is_set(group, "open_conversation_id") && !is_set(group, "chat_id") {
                set_text(group, "chat_id", "chat1");
            }
        },
        violate: |group, _| {
            group.clear_field_by_name("open_conversation_id");
            group.clear_field_by_name("chat_id");
        },
        path: "",
    },
    Rule { id: "members.unique", mend: nothing, violate: twice, path: "[1]" },
    Rule { id: "member_params.unique", mend: nothing, violate: twice, path: "[1]" },
    Rule {
        id: "member.user_id_only",
        mend: nothing,
        violate: |request, field| set_text(inner(request, field), "union_id", "union1"),
        path: "",
    },
    Rule {
        id: "create_group.title_length",
        mend: nothing,
        violate: |request, _| set_text(request, "title", &"x".repeat(21)),
        path: ".title",
    },
    Rule {
        id: "create_group.admins_are_members",
        mend: |request| {
            if is_set(request, "scenario") {
                let admins = inner(request, "scenario").get_field_by_name("admins").unwrap().into_owned();
                request.set_field_by_name("members", admins);
            }
        },
        violate: |request, _| {
            request.clear_field_by_name("members");
            set_valid(inner(request, "scenario"), "admins");
        },
        path: ".scenario.admins",
    },
    Rule {
        id: "update_group.title_length",
        mend: |request| {
            if is_set(request, "update_mask") && !is_set(inner(request, "update_mask"), "paths") {
                set_paths(request, "title");
            }
            if is_set(request, "group") && !is_set(inner(request, "group"), "title") {
                set_text(inner(request, "group"), "title", "x");
            }
        },
        violate: |request, _| {
            set_paths(request, "title");
            inner(request, "group").clear_field_by_name("title");
        },
        path: ".group.title",
    },
    Rule {
        id: "update_group.mask_paths",
        mend: nothing,
        violate: |request, _| set_paths(request, "nonsense"),
        path: ".paths[0]",
    },
    Rule {
        id: "pin_card.out_track_id",
        mend: |request| {
            if !is_set(request, "out_track_id") && !is_set(request, "request_id") {
                set_text(request, "out_track_id", "x");
            }
        },
        violate: |request, _| {
            request.clear_field_by_name("out_track_id");
            request.clear_field_by_name("request_id");
        },
        path: ".out_track_id",
    },
    Rule {
        id: "expire_time.future",
        mend: nothing,
        violate: |request, field| inner(request, field).set_field_by_name("seconds", Value::I64(1)),
        path: "",
    },
    Rule {
        id: "template_content.keys_distinct",
        mend: nothing,
        violate: |content, _| {
            let pair = || (MapKey::String("k".to_owned()), Value::String("v".to_owned()));
            content.set_field_by_name("params", Value::Map([pair()].into()));
            content.set_field_by_name("media_ids", Value::Map([pair()].into()));
        },
        path: "",
    },
];

pub fn entry(id: &str) -> &'static Rule {
    let entry = RULES.iter().find(|rule| rule.id == id);
    entry.unwrap_or_else(|| panic!("{id}: say here how this rule is kept and broken"))
}

/// The ids of the CEL rules among the rules of a message or field.
pub fn ids(rules: &DynamicMessage) -> impl Iterator<Item = String> {
    let cel = rules.get_field_by_name("cel").expect("declared").into_owned();
    let id = |rule: &Value| rule.as_message()?.get_field_by_name("id")?.as_str().map(ToOwned::to_owned);
    let ids: Vec<_> = cel.as_list().expect("a list").iter().map(|rule| id(rule).expect("an id")).collect();
    ids.into_iter()
}

/// Makes the message, and all it holds, keep its CEL rules but for one.
pub fn mend(message: &mut DynamicMessage, but: &str) {
    let descriptor = message.descriptor();
    let rules = valid::rules(descriptor.parent_pool(), &descriptor.options(), "message");
    ids(&rules).filter(|id| id != but).for_each(|id| (entry(&id).mend)(message));
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(inner) => mend(inner, but),
            Value::List(items) => {
                items.iter_mut().filter_map(Value::as_message_mut).for_each(|item| mend(item, but))
            }
            _ => {}
        }
    }
}

fn nothing(_: &mut DynamicMessage) {}

fn is_set(message: &DynamicMessage, field: &str) -> bool {
    message.has_field_by_name(field)
}

fn set_text(message: &mut DynamicMessage, field: &str, text: &str) {
    message.set_field_by_name(field, Value::String(text.to_owned()));
}

fn set_paths(request: &mut DynamicMessage, path: &str) {
    inner(request, "update_mask")
        .set_field_by_name("paths", Value::List(vec![Value::String(path.to_owned())]));
}

fn set_valid(message: &mut DynamicMessage, field: &str) {
    let field = message.descriptor().get_field_by_name(field).expect("a field");
    message.set_field(&field, valid::value(&field));
}

/// The message in a field, a valid one if there was none.
fn inner<'m>(message: &'m mut DynamicMessage, field: &str) -> &'m mut DynamicMessage {
    if !is_set(message, field) {
        set_valid(message, field);
    }
    message.get_field_by_name_mut(field).and_then(Value::as_message_mut).expect("a message")
}

/// A list with the same item twice.
fn twice(request: &mut DynamicMessage, field: &str) {
    let field = request.descriptor().get_field_by_name(field).expect("a field");
    assert!(matches!(field.kind(), Kind::Message(_)));
    request.set_field(&field, Value::List(vec![valid::item(&field); 2]));
}
