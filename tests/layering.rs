//! Who may import whom. Each rule is one sentence, and a wrong import fails with it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// (files below these folders, must not contain any of these, because)
const RULES: [(&[&str], &[&str], &str); 20] = [
    (
        &["src/dingtalk"],
        &[
            "crate::operation",
            "crate::group",
            "crate::service",
            "crate::pb",
            "crate::server",
            "crate::config",
        ],
        "dingtalk/ knows how to talk to DingTalk: no operation, no job, no gRPC",
    ),
    (
        &["src/operation"],
        &["crate::group", "crate::service", "crate::pb", "crate::server", "crate::config"],
        "operation/ is the wire as data: it knows dingtalk/ only",
    ),
    (
        &["src/group"],
        &["crate::service", "crate::pb", "crate::server", "crate::config"],
        "group/ says what callers mean, in its own words: it does not know who asks or how",
    ),
    (
        &["src/event"],
        &["crate::service", "crate::pb", "crate::server", "crate::config", "crate::telemetry", "tonic"],
        "event/ takes what DingTalk pushes and keeps it: it does not know who watches or how",
    ),
    (
        &["src/dingtalk", "src/operation", "src/group"],
        &["crate::event"],
        "what callers do does not wait for what DingTalk pushes",
    ),
    (
        &["src/service"],
        &["crate::server", "crate::config", "crate::telemetry"],
        "service/ is wired by the server, it does not wire",
    ),
    (
        &["src/audit"],
        &["crate::", "tonic", "anyhow"],
        "the audit log writes lines: it does not know what they say",
    ),
    (&["src/causes"], &["crate::"], "everybody may tell why, so causes.rs knows nobody"),
    (
        &["src/identity"],
        &[
            "crate::dingtalk",
            "crate::operation",
            "crate::group",
            "crate::service",
            "crate::pb",
            "crate::server",
            "crate::config",
            "crate::telemetry",
            "crate::store",
        ],
        "identity/ says who calls and what they may do: it does not know what an RPC is about",
    ),
    (
        &["src/store"],
        &[
            "crate::dingtalk",
            "crate::operation",
            "crate::group",
            "crate::event",
            "crate::service",
            "crate::pb",
            "crate::server",
            "crate::config",
            "crate::telemetry",
        ],
        "store/ keeps names and bytes: it does not know what they mean",
    ),
    (
        &[
            "src/dingtalk",
            "src/operation",
            "src/group",
            "src/event",
            "src/identity",
            "src/service",
            "src/server",
            "src/config",
            "src/telemetry",
            "src/main",
        ],
        &["redis::"],
        "Redis appears under store/ only",
    ),
    (
        &[
            "src/dingtalk",
            "src/operation",
            "src/group",
            "src/event",
            "src/identity",
            "src/store",
            "src/config",
            "src/telemetry",
        ],
        &["tonic::Status", "tonic::Code", "tonic_types", "crate::pb"],
        "gRPC codes and messages appear under service/ only",
    ),
    (
        &[
            "src/operation",
            "src/group",
            "src/event",
            "src/identity",
            "src/service",
            "src/config",
            "src/server",
            "src/store",
            "src/telemetry",
        ],
        &["reqwest"],
        "the HTTP client appears under dingtalk/ only",
    ),
    (
        &[
            "src/dingtalk",
            "src/operation",
            "src/group",
            "src/event",
            "src/identity",
            "src/service",
            "src/store",
            "src/server",
            "src/telemetry",
            "src/sandbox",
        ],
        &["std::env::var", "env::vars"],
        "environment variables are read in config.rs only",
    ),
    (
        &[
            "src/dingtalk",
            "src/operation",
            "src/group",
            "src/event",
            "src/identity",
            "src/service",
            "src/store",
            "src/config",
            "src/telemetry",
        ],
        &["anyhow"],
        "a library layer has error types of its own; anyhow is for main.rs and server.rs",
    ),
    (
        &["src/trace"],
        &["crate::", "opentelemetry_sdk"],
        "everybody may ask whether a call is recorded, so trace.rs knows nobody, and not who records",
    ),
    (
        &["src/metrics"],
        &[
            "crate::dingtalk",
            "crate::operation",
            "crate::event",
            "crate::group",
            "crate::identity",
            "crate::service",
            "crate::pb",
            "crate::server",
            "crate::config",
            "crate::store",
            "crate::telemetry",
            "opentelemetry_sdk",
        ],
        "everybody may count, so metrics/ knows nobody, and not who reads",
    ),
    (
        &["src/dingtalk", "src/operation", "src/group", "src/service", "src/store", "src/config"],
        &["opentelemetry_sdk", "prometheus::"],
        "who counts does not know who reads",
    ),
    (
        &["src/dingtalk", "src/operation", "src/group", "src/store"],
        &["crate::telemetry"],
        "nobody below the server sets up telemetry",
    ),
    (
        &["simulator/src"],
        &["dinggate::", "use dinggate;"],
        "the simulator cannot repeat the gateway's mistakes, because it knows nothing of it",
    ),
];

/// Exceptions: (file, word, why).
const ALLOWED: [(&str, &str, &str); 4] = [
    ("src/telemetry.rs", "anyhow", ENVIRONMENT),
    ("src/telemetry/traces.rs", "anyhow", ENVIRONMENT),
    ("src/telemetry/meters.rs", "anyhow", ENVIRONMENT),
    (
        "src/identity/fetch.rs",
        "reqwest",
        "issuers publish their keys over HTTP, and DingTalk has no part in it",
    ),
];
const ENVIRONMENT: &str =
    "called by main and server only, and what can fail there is the environment's affair";

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The files that a name stands for: `src/config` is `src/config.rs` and everything in `src/config/`.
fn files(name: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<_> =
        Some(root.join(format!("{name}.rs"))).filter(|file| file.exists()).into_iter().collect();
    if root.join(name).is_dir() {
        sources(&root.join(name), &mut found);
    }
    assert!(!found.is_empty(), "{name} is not there: adapt the rules");
    found
}

/// The code of a file, without comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_go_in_one_direction() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for (folders, words, because) in RULES {
        for file in folders.iter().flat_map(|folder| files(folder)) {
            let name = file.strip_prefix(root).expect("below the root").display().to_string();
            let code = code(&file);
            for word in words.iter().filter(|word| code.contains(**word)) {
                if !name.ends_with("tests.rs")
                    && !ALLOWED.iter().any(|(file, allowed, _)| *file == name && allowed == word)
                {
                    broken.push(format!("{name} contains {word}: {because}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn operations_do_not_import_each_other() {
    let operations: Vec<_> =
        files("src/operation").into_iter().filter(|file| file.file_stem() != Some("mod".as_ref())).collect();
    for file in &operations {
        let code = code(file);
        for sibling in operations.iter().filter(|other| other.parent() == file.parent()) {
            let stem = sibling.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            assert!(
                !code.contains(&format!("super::{stem}")),
                "{}: what two operations share moves up",
                file.display()
            );
        }
    }
}
