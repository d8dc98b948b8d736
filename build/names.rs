//! How prost spells the names of the protos.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// A message of our own packages, for which there is generated code.
pub(crate) fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("dinggate.")
}

/// As prost spells it.
pub(crate) fn rust_name(name: &str) -> String {
    match name {
        "ref" | "type" | "enum" | "match" | "move" | "use" | "mod" | "self" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

/// The Rust path of a message; nested ones live in a module named after their parent.
pub(crate) fn rust_type(message: &MessageDescriptor) -> String {
    let mut modules = Vec::new();
    let mut parent = message.parent_message();
    while let Some(outer) = parent {
        modules.push(outer.name().to_snake_case());
        parent = outer.parent_message();
    }
    modules.reverse();
    modules.push(message.name().to_owned());
    rust_path(message.package_name(), &modules.join("::"))
}

/// The variant of a oneof: an enum in the module named after its message.
pub(crate) fn rust_variant(message: &MessageDescriptor, one_of: &str, field: &str) -> String {
    let ty = rust_type(message);
    let (module, name) = ty.rsplit_once("::").unwrap_or(("", &ty));
    let (one_of, variant) = (one_of.to_upper_camel_case(), field.to_upper_camel_case());
    format!("{module}::{}::{one_of}::{variant}", name.to_snake_case())
}

pub(crate) fn rust_path(package: &str, name: &str) -> String {
    format!("crate::pb::{}::{name}", package.replace('.', "::"))
}

/// What the values of a map are.
pub(crate) fn map_value(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) => entry.map_entry_value_field().kind(),
        other => other,
    }
}
