//! Which of DingTalk's fields have been sent, compared with the reference.

use std::collections::{BTreeMap, BTreeSet};

use dinggate::operation;
use dinggate_simulator::CallRecord;
use serde_json::Value;

use crate::operations::reference::{UNUSED, reference};

/// Operations that no RPC makes by itself: what is sent to get a token is configured, and failed pushes are asked for
/// after an absence (`pushes.rs` has a test of that).
const NOT_OF_RPCS: [&str; 2] = ["auth.", "events."];

/// The fields of each operation that were sent with a value.
#[derive(Default)]
pub struct Sent(BTreeMap<String, BTreeSet<String>>);

impl Sent {
    pub fn note(&mut self, calls: &[CallRecord]) {
        for call in calls {
            let operation = reference(&call.operation);
            let fields = self.0.entry(call.operation.clone()).or_default();
            for (place, given) in [("query", &call.query), ("body", &call.body)] {
                stated(&operation[place], given, "", fields);
            }
        }
    }

    /// The optional fields that no call had although they are not listed as unused, and those listed by mistake.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for spec in
            operation::ALL.iter().filter(|spec| !NOT_OF_RPCS.iter().any(|ids| spec.id.starts_with(ids)))
        {
            let reference = reference(spec.id);
            let sent = self.0.get(spec.id).cloned().unwrap_or_default();
            for place in ["query", "body"] {
                for field in optional(&reference[place], "") {
                    let unused = UNUSED.iter().any(|(id, name, _)| *id == spec.id && *name == field);
                    match (unused, sent.contains(&field)) {
                        (true, true) => faults.push(format!("{} sends {field}: it is used", spec.id)),
                        (false, false) => faults.push(format!("no RPC sends {} {field}", spec.id)),
                        _ => {}
                    }
                }
            }
        }
        faults
    }
}

/// The fields that are stated with something else than nothing and than the documented default.
fn stated(documented: &Value, given: &Value, at: &str, fields: &mut BTreeSet<String>) {
    for field in documented.as_array().into_iter().flatten() {
        let name = field["name"].as_str().expect("a name");
        let Some(value) = given.get(name) else { continue };
        let nothing = [Value::from(""), Value::from(0), Value::from(false), Value::from([0; 0])];
        let is_default = field.get("default").is_some_and(|default| default == value);
        let is_switch_off = field["default"].is_null() && nothing.contains(value);
        if !is_default && !is_switch_off {
            fields.insert(format!("{at}{name}"));
        }
        let below = format!("{at}{name}.");
        if field["type"] == "map<string,object>" {
            let values = value.as_object().into_iter().flat_map(|pairs| pairs.values());
            values.for_each(|value| stated(&field["fields"], value, &below, fields));
        } else {
            stated(&field["fields"], value, &below, fields);
        }
    }
}

/// The optional fields, those inside objects included.
fn optional(documented: &Value, at: &str) -> Vec<String> {
    let mut all = Vec::new();
    for field in documented.as_array().into_iter().flatten() {
        let name = format!("{at}{}", field["name"].as_str().expect("a name"));
        all.extend(optional(&field["fields"], &format!("{name}.")));
        if field["required"] != true {
            all.push(name);
        }
    }
    all
}
