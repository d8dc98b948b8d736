//! `docs/reference.md`: the contract, file by file.

use std::fmt::Write as _;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor,
};

use crate::comments;

const HEAD: &str = "# Reference

<!-- Made from proto/ by `make docs`. Do not edit. -->

Every service, message and enum, in the words of the protos. Which operations of DingTalk an RPC makes:
[operations.md](operations.md).
";

pub fn page(pool: &DescriptorPool) -> String {
    let mut files: Vec<_> =
        pool.files().filter(|file| file.package_name().starts_with("dinggate.")).collect();
    // What all share comes first, then the services, the less used package last.
    files.sort_by_key(|file| {
        (
            !file.name().ends_with("/group.proto"),
            file.package_name().contains("admin"),
            file.name().to_owned(),
        )
    });
    let mut page = HEAD.to_owned();
    for file in &files {
        write_file(file, &mut page);
    }
    page
}

fn write_file(file: &FileDescriptor, page: &mut String) {
    let name = file.name().rsplit('/').next().unwrap_or_default();
    let title = file.services().next().map_or(name.to_owned(), |service| service.name().to_owned());
    let package = file.package_name();
    write!(page, "\n## {title}\n\nPackage `{package}`, file [{name}](../proto/{}).\n", file.name()).unwrap();
    text(&comments::of(file, comments::HEAD), page);
    let mut told = Vec::new();
    for service in file.services() {
        text(&comments::of(file, service.path()), page);
        for method in service.methods() {
            write_method(file, &method, page);
            told.extend([method.input(), method.output()]);
        }
    }
    for message in file.messages().filter(|message| !told.contains(message)) {
        write!(page, "\n### {}\n", message.name()).unwrap();
        text(&comments::of(file, message.path()), page);
        write_fields(file, &message, page);
    }
    for descriptor in file.enums() {
        write_enum(file, &descriptor, page);
    }
}

fn write_method(file: &FileDescriptor, method: &MethodDescriptor, page: &mut String) {
    write!(page, "\n### {}\n", method.name()).unwrap();
    text(&comments::of(file, method.path()), page);
    let answer = if method.is_server_streaming() { "Answer, a stream of" } else { "Answer:" };
    for (role, message) in [("Request:", method.input()), (answer, method.output())] {
        write!(page, "\n{role} `{}`\n", message.name()).unwrap();
        write_fields(file, &message, page);
    }
}

fn write_fields(file: &FileDescriptor, message: &MessageDescriptor, page: &mut String) {
    assert_eq!(message.parent_file(), *file, "a message stands in the file of its RPC");
    assert_eq!(
        message.child_messages().filter(|child| !child.is_map_entry()).count(),
        0,
        "nested messages are not told"
    );
    if message.fields().len() == 0 {
        page.push_str("\nNo fields.\n");
        return;
    }
    page.push_str("\n| Field | Type | Meaning |\n| --- | --- | --- |\n");
    let mut one_of_before = None;
    for field in message.fields() {
        let one_of = field.containing_oneof().filter(|one_of| !one_of.is_synthetic());
        if let Some(one_of) = one_of.clone().filter(|one_of| one_of_before.as_ref() != Some(one_of)) {
            let meaning = comments::cell(&comments::of(file, one_of.path()));
            writeln!(
                page,
                "| **{}** | one of the next {} | {meaning} |",
                one_of.name(),
                one_of.fields().len()
            )
            .unwrap();
        }
        let meaning = comments::cell(&comments::of(file, field.path()));
        writeln!(page, "| `{}` | {}{} | {meaning} |", field.name(), type_of(&field), behaviour(&field))
            .unwrap();
        one_of_before = one_of;
    }
}

fn write_enum(file: &FileDescriptor, descriptor: &EnumDescriptor, page: &mut String) {
    write!(page, "\n### {}\n", descriptor.name()).unwrap();
    text(&comments::of(file, descriptor.path()), page);
    page.push_str("\n| Value | Number | Meaning |\n| --- | --- | --- |\n");
    for value in descriptor.values() {
        let meaning = comments::cell(&comments::of(file, value.path()));
        writeln!(page, "| `{}` | {} | {meaning} |", value.name(), value.number()).unwrap();
    }
}

fn text(comment: &str, page: &mut String) {
    for paragraph in comments::paragraphs(comment) {
        write!(page, "\n{paragraph}\n").unwrap();
    }
}

fn type_of(field: &FieldDescriptor) -> String {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        return format!("map of {} to {}", kind(&key.kind()), kind(&value.kind()));
    }
    format!("{}{}", if field.is_list() { "list of " } else { "" }, kind(&field.kind()))
}

fn kind(kind: &Kind) -> String {
    let (package, name) = match kind {
        Kind::Message(message) => (message.package_name().to_owned(), message.name().to_owned()),
        Kind::Enum(descriptor) => (descriptor.package_name().to_owned(), descriptor.name().to_owned()),
        scalar => return format!("`{scalar:?}`").to_lowercase(),
    };
    if package.starts_with("dinggate.") {
        format!("[{name}](#{})", name.to_lowercase())
    } else {
        format!("`{package}.{name}`")
    }
}

/// `google.api.field_behavior`, where it says more than the default.
fn behaviour(field: &FieldDescriptor) -> &'static str {
    let pool = field.parent_message().parent_pool();
    let extension = pool.get_extension_by_name("google.api.field_behavior").expect("declared");
    let options = field.options();
    let values = options.get_extension(&extension);
    let first = values.as_list().and_then(|values| values.first()?.as_enum_number());
    match first {
        Some(2) => ", required",
        Some(3) => ", output only",
        _ => "",
    }
}
