//! `impl Check` for every `buf.validate` rule of every request. A rule that this file does not know fails the build.

use std::{collections::BTreeSet, error::Error, fmt::Write as _};

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};

use crate::{
    Result,
    names::{is_ours, map_value, rust_name, rust_path, rust_type, rust_variant},
};

/// The one pattern in use: no white space and no control characters.
const NO_SPACE: &str = r"^[^\p{Z}\p{Cc}]*$";

/// Generates `impl Check` for each message that a request can contain.
pub(crate) struct Checks {
    pool: DescriptorPool,
    field_rules: ExtensionDescriptor,
    message_rules: ExtensionDescriptor,
    oneof_rules: ExtensionDescriptor,
}

impl Checks {
    pub(crate) fn new(pool: DescriptorPool) -> Result<Self> {
        let extension =
            |name: &str| pool.get_extension_by_name(name).ok_or(format!("{name} is not declared"));
        let field_rules = extension("buf.validate.field")?;
        let message_rules = extension("buf.validate.message")?;
        let oneof_rules = extension("buf.validate.oneof")?;
        Ok(Self { pool, field_rules, message_rules, oneof_rules })
    }

    pub(crate) fn generate(&self) -> Result<String> {
        let mut code = String::new();
        for message in self.request_messages() {
            self.message(&message, &mut code)?;
        }
        Ok(code)
    }

    /// Every message of ours that can be reached from the input of an RPC.
    fn request_messages(&self) -> Vec<MessageDescriptor> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        let mut open: Vec<_> =
            self.pool.services().flat_map(|s| s.methods().map(|m| m.input()).collect::<Vec<_>>()).collect();
        while let Some(message) = open.pop() {
            if !is_ours(&message) || !seen.insert(message.full_name().to_owned()) {
                continue;
            }
            for field in message.fields() {
                let value_kind = if field.is_map() { map_value(&field) } else { field.kind() };
                open.extend(value_kind.as_message().cloned());
            }
            found.push(message);
        }
        found.sort_by_key(|message| message.full_name().to_owned());
        found
    }

    fn message(&self, message: &MessageDescriptor, code: &mut String) -> Result<()> {
        let mut body = String::new();
        for field in message.fields() {
            body.push_str(&self.field(message, &field)?);
        }
        for one_of in message.oneofs().filter(|one_of| !one_of.is_synthetic()) {
            if self.oneof_required(&one_of)? {
                let (name, slot) = (one_of.name(), rust_name(one_of.name()));
                let names = one_of.fields().map(|f| f.name().to_owned()).collect::<Vec<_>>().join(", ");
                let text = format!("must be one of {names}");
                writeln!(body, "if self.{slot}.is_none() {{ out.add(&at.field({name:?}), {text:?}); }}")?;
            }
        }
        for id in self.message_cel(message)? {
            writeln!(body, "rules::{}(self, at, out);", id.replace('.', "_"))?;
        }
        let ty = rust_type(message);
        writeln!(
            code,
            "impl Check for {ty} {{ fn check(&self, at: &At<'_>, out: &mut Violations) {{\n{body}}} }}"
        )?;
        Ok(())
    }

    /// The checks of one field; none where it has no rules.
    fn field(&self, message: &MessageDescriptor, field: &FieldDescriptor) -> Result<String> {
        let rules = self.rules(field)?;
        let (slot, name) = (rust_name(field.name()), field.name());
        let here = format!("let at = at.field({name:?});");
        if field.is_map() || field.is_list() {
            let (whole, each) = (rules.collection(field)?, rules.each(field)?);
            return Ok(if whole.is_empty() && each.is_empty() {
                String::new()
            } else {
                format!("{{ let value = &self.{slot}; {here} {whole} {each} }}\n")
            });
        }
        let checks = rules.value(field)?;
        let one_of = field.containing_oneof().filter(|one_of| !one_of.is_synthetic());
        if let Some(one_of) = one_of {
            if checks.is_empty() {
                return Ok(String::new());
            }
            let (slot, variant) = (rust_name(one_of.name()), rust_variant(message, one_of.name(), name));
            return Ok(format!("if let Some({variant}(value)) = &self.{slot} {{ {here} {checks} }}\n"));
        }
        if field.supports_presence() {
            let missing = if rules.required() { "out.add(&at, \"is required\");" } else { "" };
            return Ok(if checks.is_empty() && missing.is_empty() {
                String::new()
            } else {
                format!(
                    "{{ {here} match &self.{slot} {{ Some(value) => {{ {checks} }} None => {{ {missing} }} }} }}\n"
                )
            });
        }
        if rules.required() {
            return Err(unknown(field.full_name(), "required", "on a field without presence"));
        }
        let guard = if rules.ignore_zero() { "if !is_zero(value)" } else { "" };
        Ok(if checks.is_empty() {
            String::new()
        } else {
            format!("{{ let value = &self.{slot}; {here} {guard} {{ {checks} }} }}\n")
        })
    }

    fn rules(&self, field: &FieldDescriptor) -> Result<Rules> {
        let options = field.options();
        let rules = options.get_extension(&self.field_rules);
        let rules = rules.as_message().cloned().ok_or("buf.validate.field is not a message")?;
        Ok(Rules(rules))
    }

    fn oneof_required(&self, one_of: &prost_reflect::OneofDescriptor) -> Result<bool> {
        let options = one_of.options();
        let rules = options.get_extension(&self.oneof_rules);
        let rules = rules.as_message().ok_or("buf.validate.oneof is not a message")?;
        Ok(rules.get_field_by_name("required").is_some_and(|v| v.as_bool() == Some(true)))
    }

    fn message_cel(&self, message: &MessageDescriptor) -> Result<Vec<String>> {
        let options = message.options();
        let rules = options.get_extension(&self.message_rules);
        let rules = rules.as_message().ok_or("buf.validate.message is not a message")?;
        cel_ids(rules)
    }
}

/// The rules of one field.
struct Rules(DynamicMessage);

impl Rules {
    fn required(&self) -> bool {
        self.0.get_field_by_name("required").is_some_and(|v| v.as_bool() == Some(true))
    }

    fn ignore_zero(&self) -> bool {
        self.0.get_field_by_name("ignore").is_some_and(|v| v.as_enum_number() == Some(1))
    }

    /// Checks on a single value, `value`, at `at`.
    fn value(&self, field: &FieldDescriptor) -> Result<String> {
        let mut code = self.typed(&field.kind(), field.full_name())?;
        for id in cel_ids(&self.0)? {
            write!(code, "rules::{}(value, &at, out);", id.replace('.', "_"))?;
        }
        if field.kind().as_message().is_some_and(is_ours) {
            code.push_str("value.check(&at, out);");
        }
        Ok(code)
    }

    /// Checks on a whole list or map.
    fn collection(&self, field: &FieldDescriptor) -> Result<String> {
        let mut code = String::new();
        for (name, rule) in self.set_rules()? {
            for (key, value) in fields_of(&rule) {
                match (name.as_str(), key.as_str()) {
                    ("repeated", "min_items") => write!(code, "min_items(value.len(), {value}, &at, out);")?,
                    ("repeated", "max_items") => write!(code, "max_items(value.len(), {value}, &at, out);")?,
                    ("repeated", "unique") => write!(code, "unique(value, &at, out);")?,
                    ("repeated", "items") => {}
                    ("map", "max_pairs") => write!(code, "max_items(value.len(), {value}, &at, out);")?,
                    _ => return Err(unknown(field.full_name(), &name, &key)),
                }
            }
        }
        if self.required() {
            code.push_str("min_items(value.len(), 1, &at, out);");
        }
        for id in cel_ids(&self.0)? {
            write!(code, "rules::{}(value, &at, out);", id.replace('.', "_"))?;
        }
        Ok(code)
    }

    /// Checks on each item of a list. Maps of messages are not in use.
    fn each(&self, field: &FieldDescriptor) -> Result<String> {
        if field.is_map() {
            let nested = map_value(field).as_message().is_some_and(is_ours);
            let refused = || unknown(field.full_name(), "map", "values that are messages");
            return if nested { Err(refused()) } else { Ok(String::new()) };
        }
        let repeated = self.set_rules()?.into_iter().find(|(name, _)| name == "repeated");
        let items = repeated.filter(|(_, repeated)| repeated.has_field_by_name("items"));
        let items =
            items.and_then(|(_, repeated)| repeated.get_field_by_name("items")?.as_message().cloned());
        let mut checks = match items {
            Some(items) => Rules(items).typed(&field.kind(), field.full_name())?,
            None => String::new(),
        };
        if field.kind().as_message().is_some_and(is_ours) {
            checks.push_str("value.check(&at, out);");
        }
        Ok(if checks.is_empty() {
            checks
        } else {
            format!("for (i, value) in value.iter().enumerate() {{ let at = at.index(i); {checks} }}")
        })
    }

    /// The rules that depend on the type: `string`, `enum`, ...
    fn set_rules(&self) -> Result<Vec<(String, DynamicMessage)>> {
        Ok(self
            .0
            .fields()
            .filter(|(field, _)| !matches!(field.name(), "cel" | "required" | "ignore"))
            .filter_map(|(field, value)| Some((field.name().to_owned(), value.as_message()?.clone())))
            .collect())
    }

    fn typed(&self, kind: &Kind, of: &str) -> Result<String> {
        let mut code = String::new();
        for (name, rule) in self.set_rules()? {
            for (key, value) in fields_of(&rule) {
                match (name.as_str(), key.as_str()) {
                    ("string", "min_len") => write!(code, "min_len(value, {value}, &at, out);")?,
                    ("string", "max_len") => write!(code, "max_len(value, {value}, &at, out);")?,
                    ("string", "uuid") => write!(code, "uuid(value, &at, out);")?,
                    ("string", "pattern") if value.as_str() == Some(NO_SPACE) => {
                        code.push_str("no_space(value, &at, out);");
                    }
                    ("enum", "defined_only") => {
                        let ty = kind.as_enum().ok_or("defined_only is for enums")?;
                        let path = rust_path(ty.parent_file().package_name(), ty.name());
                        write!(code, "defined({path}::try_from(*value).is_ok(), &at, out);")?;
                    }
                    ("enum", "not_in") => write!(code, "not_in(*value, &{value}, &at, out);")?,
                    ("int32" | "int64", "gt" | "gte" | "lte") => {
                        write!(code, "{key}(i64::from(*value), {value}, &at, out);")?;
                    }
                    ("duration", "gt" | "gte" | "lte") => {
                        let bound = value.as_message().ok_or("a duration is a message")?;
                        let part =
                            |name| bound.get_field_by_name(name).map(|v| v.to_string()).unwrap_or_default();
                        let (seconds, nanos) = (part("seconds"), part("nanos"));
                        write!(code, "duration_{key}(value, {seconds}, {nanos}, &at, out);")?;
                    }
                    _ => return Err(unknown(of, &name, &key)),
                }
            }
        }
        Ok(code)
    }
}

fn fields_of(rule: &DynamicMessage) -> Vec<(String, Value)> {
    rule.fields().map(|(field, value)| (field.name().to_owned(), value.clone())).collect()
}

fn cel_ids(rules: &DynamicMessage) -> Result<Vec<String>> {
    let cel = rules.get_field_by_name("cel").ok_or("cel is not declared")?;
    let cel = cel.as_list().ok_or("cel is not a list")?;
    cel.iter()
        .map(|rule| {
            let id = rule.as_message().and_then(|rule| rule.get_field_by_name("id"));
            id.and_then(|id| id.as_str().map(ToOwned::to_owned)).ok_or_else(|| "a CEL rule without id".into())
        })
        .collect()
}

fn unknown(of: &str, name: &str, key: &str) -> Box<dyn Error> {
    format!("{of}: build/check.rs does not know the rule {name}.{key}").into()
}
