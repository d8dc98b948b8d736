//! `impl Common` for every request that names an app: the fields that all requests have, and what an error says the
//! request was about. `impl Write` for those with a `request_id`.

use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

use crate::{
    Result,
    names::{is_ours, map_value, rust_name, rust_type, rust_variant},
};

const GROUP: &str = "dinggate.group.v1.Group";
const GROUP_REF: &str = "dinggate.group.v1.GroupRef";
const MEMBER_REF: &str = "dinggate.group.v1.MemberRef";

/// Fields that name something other than a group or a person, and what `errors.json` calls that.
const RESOURCES: [(&str, &str); 10] = [
    ("robot_code", "robot"),
    ("card_template_id", "card template"),
    ("out_track_id", "card"),
    ("open_message_id", "message"),
    ("cool_app_code", "cool app"),
    ("template_id", "group template"),
    ("scenario.template_id", "group template"),
    ("template.template_id", "message template"),
    ("photo.media_id", "picture"),
    ("request_id", "request"),
];

pub(crate) fn generate(pool: &DescriptorPool) -> Result<String> {
    let mut code = String::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let request = method.input();
        if is_ours(&request) && request.get_field_by_name("app").is_some() {
            writeln!(code, "impl Common for {} {{\n{}}}", rust_type(&request), getters(&request))?;
        }
        if request.get_field_by_name("request_id").is_some() {
            let rpc = format!("{}/{}", method.parent_service().full_name(), method.name());
            writeln!(code, "impl Write for {} {{\n{}}}", rust_type(&request), write(&rpc))?;
        }
    }
    Ok(code)
}

/// What differs from the defaults of the trait.
fn getters(request: &MessageDescriptor) -> String {
    let mut code = "fn app(&self) -> &str { &self.app }\n".to_owned();
    if request.get_field_by_name("request_id").is_some() {
        code.push_str("fn request_id(&self) -> &str { &self.request_id }\n");
    }
    if request.get_field_by_name("validate_only").is_some() {
        code.push_str("fn validate_only(&self) -> bool { self.validate_only }\n");
    }
    let on_groups = request.package_name() == "dinggate.group.v1";
    code.push_str(&format!("const ON_GROUPS: bool = {on_groups};\n"));
    let groups = group_refs(request, "self");
    if !groups.is_empty() {
        code.push_str(&format!(
            "fn groups(&self) -> Vec<&crate::pb::group::GroupRef> {{ let mut found = Vec::new(); {groups} found }}\n"
        ));
    }
    match request.get_field_by_name("group").as_ref().and_then(message_name).as_deref() {
        Some(GROUP_REF) => code.push_str("fn group(&self) -> Option<&str> { id_of(&self.group) }\n"),
        Some(GROUP) => {
            code.push_str("fn group(&self) -> Option<&str> { id_of(&self.group.as_ref()?.r#ref) }\n");
        }
        _ => {}
    }
    let members = request.get_field_by_name("members").filter(|members| members.is_list());
    if members.is_some_and(|members| message_name(&members).as_deref() == Some(MEMBER_REF)) {
        code.push_str("fn members(&self) -> Option<usize> { Some(self.members.len()) }\n");
    }
    if let Some(owner) = owner(request) {
        code.push_str(&format!("fn owner(&self) -> Option<&str> {{ person(&{owner}) }}\n"));
    }
    if let Some(people) = people(request) {
        code.push_str(&format!("fn people(&self) -> &'static str {{ {people} }}\n"));
    }
    let resources: String =
        RESOURCES.iter().filter_map(|(path, kind)| resource(request, path, kind)).collect();
    if !resources.is_empty() {
        code.push_str(&format!("fn resources(&self) -> Vec<(&'static str, &str)> {{ vec![{resources}] }}\n"));
    }
    code
}

/// Statements that put every handle of a group inside a message, at any depth, into `found`.
fn group_refs(message: &MessageDescriptor, place: &str) -> String {
    let mut code = String::new();
    for field in message.fields() {
        let kind = if field.is_map() { map_value(&field) } else { field.kind() };
        let Some(inner) = kind.as_message().filter(|inner| is_ours(inner)) else { continue };
        let below = match inner.full_name() {
            GROUP_REF => "found.push(one);".to_owned(),
            _ => group_refs(inner, "one"),
        };
        if below.is_empty() {
            continue;
        }
        let slot = rust_name(field.name());
        code.push_str(
            &if let Some(one_of) = field.containing_oneof().filter(|one_of| !one_of.is_synthetic()) {
                let (slot, variant) =
                    (rust_name(one_of.name()), rust_variant(message, one_of.name(), field.name()));
                format!("if let Some({variant}(one)) = &{place}.{slot} {{ {below} }}\n")
            } else if field.is_map() {
                format!("for one in {place}.{slot}.values() {{ {below} }}\n")
            } else if field.is_list() {
                format!("for one in &{place}.{slot} {{ {below} }}\n")
            } else {
                format!("if let Some(one) = &{place}.{slot} {{ {below} }}\n")
            },
        );
    }
    code
}

fn write(rpc: &str) -> String {
    format!(
        "const RPC: &'static str = {rpc:?};
fn payload(&self) -> Vec<u8> {{ let mut own = self.clone(); own.request_id.clear(); own.encode_to_vec() }}\n"
    )
}

/// The pair for what is at this path, if the request can have it; an empty id where it is another case of a oneof.
fn resource(request: &MessageDescriptor, path: &str, kind: &str) -> Option<String> {
    let (name, below) = path.split_once('.').unwrap_or((path, ""));
    let field = request.get_field_by_name(name)?;
    let Some(one_of) = field.containing_oneof() else {
        return Some(format!("({kind:?}, &self.{path}[..]), "));
    };
    let (slot, variant) = (rust_name(one_of.name()), rust_variant(request, one_of.name(), name));
    let id = if below.is_empty() { "id".to_owned() } else { format!("id.{below}") };
    let given = format!("if let Some({variant}(id)) = &self.{slot} {{ &{id}[..] }} else {{ \"\" }}");
    Some(format!("({kind:?}, {given}), "))
}

/// The place of the owner that a request names: its own field, or one of the group in it.
fn owner(request: &MessageDescriptor) -> Option<&'static str> {
    let group = || request.get_field_by_name("group")?.kind().as_message().cloned();
    if names_owner(request) {
        Some("self.owner")
    } else if group().is_some_and(|group| names_owner(&group)) {
        Some("self.group.as_ref()?.owner")
    } else {
        None
    }
}

fn names_owner(message: &MessageDescriptor) -> bool {
    message.get_field_by_name("owner").as_ref().and_then(message_name).as_deref() == Some(MEMBER_REF)
}

/// The expression for the field whose people DingTalk would know or not: the first that is filled, or else the last.
/// A list of people goes before a single person, and both before people inside a message.
fn people(request: &MessageDescriptor) -> Option<String> {
    let fields = request.fields().filter(|field| field.containing_oneof().is_none());
    let mut fields: Vec<_> = fields.filter_map(|field| Some((directness(&field)?, field))).collect();
    fields.sort_by_key(|(directness, field)| (*directness, field.number()));
    let mut fields = fields.into_iter().rev().map(|(_, field)| field);
    let last = format!("{:?}", path_to_people(&fields.next()?));
    Some(fields.fold(last, |rest, field| {
        let slot = rust_name(field.name());
        let filled = if field.is_list() {
            format!("!self.{slot}.is_empty()")
        } else {
            format!("self.{slot}.is_some()")
        };
        format!("if {filled} {{ {:?} }} else {{ {rest} }}", path_to_people(&field))
    }))
}

/// How directly a field names people: 0 is a list of them; none if it does not.
fn directness(field: &FieldDescriptor) -> Option<u8> {
    let message = field.kind().as_message().filter(|_| !field.is_map()).cloned()?;
    match message.full_name() {
        MEMBER_REF if field.is_list() => Some(0),
        MEMBER_REF => Some(1),
        _ => message.fields().any(|inner| message_name(&inner).as_deref() == Some(MEMBER_REF)).then_some(2),
    }
}

/// As callers spell it. In a group it is the owner: its other people are not for callers to set.
fn path_to_people(field: &FieldDescriptor) -> String {
    match message_name(field).as_deref() {
        Some(GROUP) => format!("{}.owner", field.name()),
        _ => field.name().to_owned(),
    }
}

fn message_name(field: &FieldDescriptor) -> Option<String> {
    field.kind().as_message().map(|message| message.full_name().to_owned())
}
