//! `docs/telemetry.md`: what the gateway tells of itself.

use std::{fmt::Write as _, fs, path::Path};

use dinggate::metrics::definitions::{ALL, Kind};

/// (label, its values).
const LABELS: [(&str, &str); 16] = [
    ("app", "alias of the app"),
    ("caller", "name of a configured caller; `other` for any other name, `unknown` for none"),
    ("cause", "why events may have been missed"),
    ("code", "DingTalk's code as it came; `other` after the first 50 of a process"),
    ("generation", "`new` or `legacy`, of DingTalk's API"),
    ("operation", "id of the operation, as in [operations.md](operations.md)"),
    (
        "outcome",
        "`ok`; `refused`, `throttled`, `busy`, `unmapped`: DingTalk said so; `unreachable`: nothing was sent; `lost`, \
         `garbled`, `deadline`: no answer that can be used; `egress_blocked`: the address is barred; `request`: a \
         fault of the gateway",
    ),
    (
        "reason",
        "`overload`: `server.max_concurrent_requests`; `unauthenticated`, `forbidden`: identity and policy; \
         `connections`: `server.max_connections`, or 1,024 at an HTTP port; `handshake`: no TLS or no HTTP/2; \
         `callback`: a callback that is not DingTalk's, is none, or comes too slowly",
    ),
    (
        "result",
        "of the cache: `hit`, `stale` (older than usual, as accepted), `joined` (another's call), `miss`; of token \
         fetches: `ok`, `failed`",
    ),
    ("rpc_grpc_status_code", "as in the gRPC specification, such as `OK`"),
    ("rpc_method", "such as `CreateGroup`; `other` for health, reflection and names that do not exist"),
    ("rpc_service", "such as `dinggate.group.v1.GroupService`, or `other`"),
    ("source", "`dingtalk` refused the call, or the `gateway` did before it was sent"),
    ("type", "type of the event"),
    ("version", "of the gateway"),
    ("worker", "number of the thread: 0 serves no calls, the others are the `server.workers`"),
];

pub fn page(root: &Path) -> String {
    let mut page =
        "<!-- Made from src/metrics/definitions.rs and tests/docs/telemetry.* by `make docs`. Do not edit. \
                    -->\n\n"
            .to_owned();
    let text = fs::read_to_string(root.join("tests/docs/telemetry.md")).unwrap();
    let (before, after) = text.split_once("<!-- metrics -->\n").expect("a place for the metrics");
    page.push_str(before);
    page.push_str("| Metric | Type | Unit | Labels | What it says |\n| --- | --- | --- | --- | --- |\n");
    for definition in ALL {
        let kind = match definition.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<_> = definition.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, unit, help) = (definition.name, definition.unit, definition.help);
        writeln!(page, "| `{name}` | {kind} | {unit} | {} | {help} |", labels.join(", ")).unwrap();
    }
    page.push_str("\n| Label | Values |\n| --- | --- |\n");
    LABELS.iter().for_each(|(label, values)| writeln!(page, "| `{label}` | {values} |").unwrap());
    page.push_str(after);
    page
}

#[test]
fn every_label_is_explained() {
    for label in ALL.iter().flat_map(|definition| definition.labels) {
        assert!(LABELS.iter().any(|(name, _)| name == label), "{label}");
    }
    for (name, _) in LABELS {
        assert!(ALL.iter().any(|definition| definition.labels.contains(&name)), "{name}");
    }
}
