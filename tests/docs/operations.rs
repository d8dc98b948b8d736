//! `docs/operations.md`: which RPC makes which operations of DingTalk.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use dinggate::{
    dingtalk::{Auth, Repeat, Spec},
    operation,
};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use prost_types::method_options::IdempotencyLevel;

use crate::{
    calls::{CALLS, OWN},
    comments,
};

const HEAD: &str = "# Operations

<!-- Made from src/operation, proto/ and tests/docs/calls.rs by `make docs`. Do not edit. -->

Which of DingTalk's operations an RPC can make, which permission point the app needs for each, and what the RPC costs.

- **Metered calls** count against the month. Fetching a token does not.
- **Generation** is that of DingTalk's API: `new` is at `api.*`, `legacy` at `oapi.*`. Where both have the operation, the
  twin that ends in `_legacy` is for apps with `generation = \"legacy\"`.
- **Idempotent** is about the RPC as a whole, **Repeat** about one operation: what it does a second time.
  *read* changes nothing; *set* sets a state, so a second time changes nothing more; *keyed* is recognised by DingTalk by
  a key in it; *once* acts again.

If a handle lacks the id that an operation takes, an RPC on a group makes one `group.chatid.to_open_conversation_id`
first, once per group.
";

const COLUMNS: &str = "Operation | Generation | Method and path | Permission | Repeat |";

pub fn page(pool: &DescriptorPool) -> String {
    let (mut page, later) = (HEAD.to_owned(), not_served());
    let mut services: Vec<_> = pool.services().collect();
    services.sort_by_key(|service| service.package_name().contains("admin"));
    for service in services {
        write!(page, "\n## {}\n\n| RPC | Metered calls | Idempotent | {COLUMNS}\n", service.name()).unwrap();
        page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        service.methods().for_each(|method| write_rpc(&method, &later, &mut page));
    }
    let tokens = operation::ALL.iter().filter(|spec| spec.auth == Auth::None).copied();
    write_operations("Tokens", "An app uses one of these, as its `token_endpoint` says.", tokens, &mut page);
    let own = operation::ALL.iter().filter(|spec| OWN.contains(&spec.id)).copied();
    write_operations(
        "By the gateway itself",
        "Only where events are taken by callback, after all replicas were away for more than 30 seconds: one call for \
         every 200 events whose push failed. No other call is made unasked.",
        own,
        &mut page,
    );
    let reached: BTreeSet<_> =
        CALLS.iter().filter(|(rpc, _)| !later.contains(*rpc)).flat_map(|(_, made)| *made).collect();
    let rest = operation::ALL
        .iter()
        .filter(|spec| spec.auth != Auth::None && !reached.contains(&spec.id) && !OWN.contains(&spec.id))
        .copied();
    write_operations(
        "Not reachable yet",
        "In the table of operations, but no RPC makes them.",
        rest,
        &mut page,
    );
    page
}

fn write_rpc(method: &MethodDescriptor, later: &BTreeSet<String>, page: &mut String) {
    let name = format!("{}/{}", method.parent_service().name(), method.name());
    let comment = comments::of(&method.parent_file(), method.path());
    let cost = comments::labelled(&comment, "Upstream:").expect("each RPC says what it costs");
    let served = if later.contains(&name) { ", not served yet" } else { "" };
    let (_, made) = CALLS.iter().find(|(rpc, _)| *rpc == name).expect("a test of its own says so");
    let mut about = format!("`{}`{served} | {cost} | {}", method.name(), idempotence(method, &comment));
    for id in *made {
        let spec = operation::ALL.iter().find(|spec| spec.id == *id).expect("a test of its own says so");
        writeln!(page, "| {about} | {} |", row(spec)).unwrap();
        about = " |  | ".to_owned();
    }
    if made.is_empty() {
        writeln!(page, "| {about} | – | – | – | – | – |").unwrap();
    }
}

/// What the comment says; the RPCs that only read need not say it.
fn idempotence(method: &MethodDescriptor, comment: &str) -> String {
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    let reads = options.idempotency_level() == IdempotencyLevel::NoSideEffects;
    let said = comments::labelled(comment, "Idempotent:");
    said.unwrap_or_else(|| if reads { "Changes nothing." } else { "–" }.to_owned())
}

fn write_operations(title: &str, text: &str, specs: impl Iterator<Item = &'static Spec>, page: &mut String) {
    let rows: Vec<_> = specs.map(|spec| format!("| {} |\n", row(spec))).collect();
    if !rows.is_empty() {
        write!(page, "\n## {title}\n\n{text}\n\n| {COLUMNS}\n| --- | --- | --- | --- | --- |\n").unwrap();
        page.push_str(&rows.concat());
    }
}

fn row(spec: &Spec) -> String {
    let repeat = match spec.repeat {
        Repeat::Read => "read",
        Repeat::Set => "set",
        Repeat::Keyed => "keyed",
        Repeat::Once => "once",
    };
    let permission = spec.permission.map_or("–".to_owned(), |point| format!("`{point}`"));
    let (id, generation) = (spec.id, spec.generation.as_str());
    format!("`{id}` | {generation} | `{} {}` | {permission} | {repeat}", spec.method, spec.path)
}

/// The RPCs that answer NOT_IMPLEMENTED, as `Service/Method`: where the code says so.
fn not_served() -> BTreeSet<String> {
    const MARK: &str = "not_implemented(\"dinggate.";
    let mut found = BTreeSet::new();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service")).expect("the services")
    {
        let code = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        for rest in code.split(MARK).skip(1) {
            let rpc = rest.split('"').next().unwrap_or_default();
            found.insert(rpc.rsplit('.').next().unwrap_or_default().to_owned());
        }
    }
    found
}
