//! What is refused, where the fault is said to be, and with which words.

use std::fs;

use super::{FILE, Folder, SECRET, faults, loaded};

#[test]
fn files_of_other_systems_are_read() {
    let windows = format!("\u{feff}{}bad = 1\r\n", FILE.replace('\n', "\r\n"));
    assert!(faults(&windows)[0].starts_with("dinggate.toml:8: apps.the-orders.bad: unknown key `bad`"));
}

#[test]
fn a_bad_value_is_reported_with_its_line_its_path_and_what_is_allowed() {
    let duration = r#"must be a duration, such as "500ms", "10s" or "2m""#;
    let address = r#"must be an IP address and a port, such as "127.0.0.1:50051""#;
    let size = r#"must be a size, such as "4MiB""#;
    let number = "must be a whole number, 0 or more";
    let samplers = "unknown value `sometimes`, expected one of `always_on`, `always_off`, `traceidratio`, \
                    `parentbased_always_on`, `parentbased_always_off`, `parentbased_traceidratio`";
    for (section, setting, fault) in [
        ("server", r#"http_addr = "localhost:9090""#, address),
        ("server", r#"http_addr = "127.0.0.1""#, address),
        ("server", r#"http_addr = "127.0.0.1:65536""#, address),
        ("server", "http_addr = 9090", address),
        ("server", r#"default_deadline = "10""#, duration),
        ("server", r#"default_deadline = "-10s""#, duration),
        ("server", r#"default_deadline = "99999999999999999999y""#, duration),
        ("server", "default_deadline = 10", duration),
        ("server", r#"default_deadline = "500000000000y""#, "must be at most 365 days"),
        ("token", r#"refresh_ahead = "366d""#, "must be at most 365 days"),
        ("server", "default_deadline = {}", duration),
        ("server", r#"max_message_size = "large""#, size),
        ("server", "max_message_size = -1", size),
        ("server", "max_concurrent_requests = 1.5", number),
        ("server", "max_concurrent_requests = -1", number),
        ("server", r#"reflection = "yes""#, "must be true or false"),
        ("telemetry", r#"sampler_arg = "half""#, "must be a number"),
        ("telemetry", r#"sampler = "sometimes""#, samplers),
        ("telemetry", "service_name = 1", "must be a string"),
        (
            "telemetry",
            "log_filter = 'dinggate=loud=very'",
            "error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5",
        ),
        ("auth", r#"mode = "ldap""#, "unknown value `ldap`, expected one of `mtls`, `jwt`, `static`"),
        (
            "auth",
            r#"mode = ["none", "static"]"#,
            "must be \"none\" alone, or name the ways in which callers prove who they are",
        ),
        ("auth", "mode = []", "must be \"none\" alone, or name the ways in which callers prove who they are"),
        ("auth", "mode = 1", "invalid type: integer `1`, expected the name of a mode, or a list of names"),
        ("server", "max_concurrent_requests = 0", "must be at least 1"),
        ("dingtalk", "max_in_flight = 0", "must be 1 to 65535"),
        ("server", r#"default_deadline = "3m""#, "is longer than server.max_deadline"),
        ("dingtalk", r#"connect_timeout = "0s""#, "must be longer than zero"),
        ("dingtalk", r#"request_timeout = "0s""#, "must be longer than zero"),
        ("dingtalk", r#"max_response_size = "0B""#, "must be at least 1 byte"),
        ("limits", "egress_calls = 0", "must be at least 1"),
        ("limits", r#"egress_window = "0s""#, "must be longer than zero"),
        ("limits", "shares.orders = 0", "must be 1 to 1000"),
        ("limits", r#"shares."the.orders" = 1001"#, "must be 1 to 1000"),
        ("token", r#"backoff_min = "0s""#, "must be longer than zero"),
        ("token", r#"backoff_min = "1m""#, "is longer than token.backoff_max"),
        ("retry", r#"base = "3s""#, "is longer than retry.max"),
        ("retry", "max_attempts = 0", "must be at least 1"),
        ("retry", "budget = 1.5", "must be between 0 and 1"),
        ("breaker", "failures = 0", "must be at least 1"),
        ("breaker", r#"open = "0s""#, "must be longer than zero"),
        ("breaker", r#"open = "1m""#, "is longer than breaker.open_max"),
        ("cache", r#"default_staleness = "11m""#, "is longer than cache.max_age"),
        ("cache", r#"fed_staleness = "11m""#, "is longer than cache.max_age"),
        ("cache", r#"negative = "11m""#, "is longer than cache.max_age"),
        ("cache", r#"max_size = "much""#, size),
        ("cache", "enabled = 1", "must be true or false"),
        ("store", r#"prefix = "{a}""#, "must be a word without braces"),
        ("store", r#"timeout = "0s""#, "must be longer than zero"),
        ("store", "replicas = 0", "must be at least 1"),
        ("store", "replicas = -1", number),
        ("store", r#"kind = "disk""#, "unknown value `disk`, expected `memory` or `redis`"),
        ("store", r#"on_failure = "panic""#, "unknown value `panic`, expected `degrade` or `fail`"),
        ("telemetry", r#"otlp_endpoint = "http://""#, "must begin with http:// or https:// and name a host"),
        ("telemetry", "sampler_arg = 1.5", "must be between 0 and 1"),
    ] {
        let text = FILE.replace("[server]\ngrpc_addr = \"127.0.0.1:0\"", &format!("[{section}]\n{setting}"));
        let key = setting.split(' ').next().unwrap().replace('"', "");
        let found = faults(&text);
        let expected = format!("dinggate.toml:2: {section}.{key}: {fault}");
        assert!(found.contains(&expected), "no {expected} in {found:#?}");
    }
}

#[test]
fn a_bad_value_of_an_app_is_reported_likewise() {
    for (setting, fault) in [
        ("app_key = 5", "app_key: must be a string"),
        ("app_key = ''", "app_key: is missing: AppKey (Client ID) of the app in the developer console"),
        ("region = 'cn'", "region: unknown value `cn`, expected `com` or `io`"),
        ("api_url = 'api.dingtalk.com'", "api_url: relative URL without a base: \"api.dingtalk.com\""),
        ("api_url = 'https://host/v1.0'", "api_url: must be http or https, a host, and nothing after it"),
        ("oapi_url = 'ftp://host'", "oapi_url: must be http or https, a host, and nothing after it"),
        ("oapi_url = 'https://host/?a=1'", "oapi_url: must be http or https, a host, and nothing after it"),
        ("oapi_url = 'https://u:p@host'", "oapi_url: must be http or https, a host, and nothing after it"),
        (
            "limits = { a = 1 }",
            "limits: unknown key `a`, expected one of `per_second`, `per_second_of`, `per_month`",
        ),
        ("limits = { per_second = 0 }", "limits: must allow at least 1 call a second"),
        (
            "limits = { per_second_of = { 'group.gte' = 5 } }",
            "limits: unknown operation `group.gte`: docs/operations.md has the ids",
        ),
        ("token_endpoint = 'corp_token'", "corp_id: is missing: token_endpoint = \"corp_token\" needs it"),
        (
            "limit = { a = 1 }",
            "limit: unknown key `limit`, expected one of `alias`, `app_key`, `app_secret`, `app_secret_file`, `corp_id`, `region`, `api_url`, `oapi_url`, `token_endpoint`, `generation`, `expose_token`, `chunk_sizes`, `limits`",
        ),
    ] {
        let text = FILE.replace("app_key = \"dingkey\"\n", "") + setting + "\n";
        let text = if setting.starts_with("app_key") { text } else { text + "app_key = 'k'\n" };
        // A missing key is reported at the app's [[apps]].
        let place = if fault.starts_with("corp_id") { 4 } else { 7 };
        assert_eq!(faults(&text), [format!("dinggate.toml:{place}: apps.the-orders.{fault}")]);
    }
}

#[test]
fn the_faults_of_chunk_sizes_are_told_in_one_line() {
    let known = "`group.create`, `group.update`, `group.admins.set`";
    for (value, fault) in [
        ("40", r#"must be a table, such as { "group.update" = 20 }"#.to_owned()),
        (r#"{ "group.update" = -1 }"#, "must be a whole number, 0 or more".to_owned()),
        (r#"{ "group.update" = 0 }"#, "`group.update` must be 1 to 1000".to_owned()),
        (r#"{ group.update = 20 }"#, "must be a whole number, 0 or more".to_owned()),
        (
            r#"{ "group.get" = 5, "group.update" = 1001 }"#,
            format!("unknown operation `group.get`, expected one of {known}"),
        ),
        (r#"{ "group.get" = 5, "group.update" = 1001 }"#, "`group.update` must be 1 to 1000".to_owned()),
    ] {
        let found = faults(&format!("{FILE}chunk_sizes = {value}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("dinggate.toml:8: apps.the-orders.chunk_sizes: "), "{found:?}");
        assert!(found[0].contains(&fault), "no {fault} in {found:?}");
    }
}

#[test]
fn an_alias_is_a_name() {
    let text = "must be 1 to 63 of a-z, 0-9, - and _: it is the name callers use";
    for alias in ["Orders", "the orders", "a.b", "é", "#1"] {
        let path = if alias == "#1" { "#1" } else { alias };
        let found = faults(&FILE.replace("the-orders", alias));
        assert_eq!(found, [format!("dinggate.toml:5: apps.{path}.alias: {text}")]);
    }
    for (line, place) in [("alias = \"\"", 5), ("", 4)] {
        let found = faults(&FILE.replace("alias = \"the-orders\"", line));
        assert_eq!(found, [format!("dinggate.toml:{place}: apps.#1.alias: {text}")]);
    }
    assert_eq!(
        faults(&FILE.replace("\"the-orders\"", "5")),
        ["dinggate.toml:5: apps.#1.alias: must be a string"]
    );
}

#[test]
fn all_faults_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"[telemetry]
sampler_arg = 2
[foo]
bar = 1
[empty]
[server]
grpc_adr = "127.0.0.1:1"
drain_delay = 5
[[apps]]
app_secret = 7
[[apps]]
alias = "a"
app_key = "k"
app_secret = "S3cr3t-Of_The-App"
[[apps]]
alias = "a"
app_key = "k"
app_secret = "S3cr3t-Of_The-App"
[[apps]]
"#;
    let found = faults(text);
    let expected = [
        "dinggate.toml:2: telemetry.sampler_arg: must be between 0 and 1",
        "dinggate.toml:4: foo.bar: unknown key `foo`, expected one of `server`, `auth`, `audit`, `dingtalk`, `limits`, `token`, `retry`, `breaker`, `cache`, `store`, `events`, `telemetry` or [[apps]]",
        "dinggate.toml:5: empty: unknown key `empty`, expected one of `server`, `auth`, `audit`, `dingtalk`, `limits`, `token`, `retry`, `breaker`, `cache`, `store`, `events`, `telemetry` or [[apps]]",
        "dinggate.toml:7: server.grpc_adr: unknown key `grpc_adr`, expected one of `grpc_addr`, `http_addr`",
        "dinggate.toml:8: server.drain_delay: must be a duration",
        "dinggate.toml:9: apps.#1.alias: must be 1 to 63",
        "dinggate.toml:9: apps.#1.app_key: is missing",
        "dinggate.toml:10: apps.#1.app_secret: must be a string",
        "dinggate.toml:16: apps.#3.alias: is another app's alias already",
        "dinggate.toml:19: apps.#4.alias: must be 1 to 63",
        "dinggate.toml:19: apps.#4.app_key: is missing",
        "dinggate.toml:19: apps.#4.app_secret_file: is missing",
        "default: server.grpc_addr: is not loopback",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn sections_and_values_are_not_taken_for_each_other() {
    for (text, fault) in [
        ("server = 1", "dinggate.toml:1: server: is a section, not a value"),
        ("[[server]]\ngrpc_addr = 1", "dinggate.toml:1: server: is a section, not a value"),
        ("server.grpc_addr.port = 1", "dinggate.toml:1: server.grpc_addr.port: must be an IP address"),
        ("apps = 1", "dinggate.toml:1: apps: must be tables: [[apps]] in a file"),
        ("apps = [1]", "dinggate.toml:1: apps: must be tables: [[apps]] in a file"),
        ("[apps.orders]\napp_key = 'k'", "dinggate.toml:1: apps: must be tables: [[apps]] in a file"),
        ("[server]", "default: server.grpc_addr: is not loopback"),
        ("apps = []", "default: apps: there is none: at least one [[apps]]"),
    ] {
        let found = faults(text);
        assert!(found.iter().any(|found| found.starts_with(fault)), "no {fault} in {found:#?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_so_and_nothing_else() {
    let folder = Folder::new([0xff, 0xfe]);
    assert_eq!(
        folder.load(&[]).unwrap_err(),
        ["dinggate.toml: cannot be read: stream did not contain valid UTF-8"]
    );
    fs::write(folder.config(), "a.".repeat(100_000) + "a = 1").unwrap();
    assert!(folder.load(&[]).is_err());
    fs::remove_file(folder.config()).unwrap();
    assert_eq!(
        folder.load(&[]).unwrap_err(),
        ["dinggate.toml: cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn a_syntax_error_is_reported_by_its_line_and_nothing_else() {
    let secret = format!("\"{SECRET}\"");
    for (damaged, fault) in [
        (format!("\"{SECRET}"), "invalid basic string"),
        (SECRET.to_owned(), "string values must be quoted"),
        (format!("\"{SECRET}\\q\""), "missing escaped value"),
        (format!("{secret} {secret}"), "unexpected key or value"),
        (format!("{secret}\napp_secret = {secret}"), "duplicate key"),
        ("[".repeat(100_000), "recursion depth"),
    ] {
        let found = faults(&FILE.replace(&secret, &damaged));
        let place = if fault == "duplicate key" { 8 } else { 7 };
        let expected = format!("dinggate.toml:{place}: not TOML: ");
        assert!(found.len() == 1 && found[0].starts_with(&expected) && found[0].contains(fault), "{found:?}");
    }
}

#[test]
fn without_a_login_only_this_machine_may_call() {
    let open = FILE.replace("127.0.0.1:0", "0.0.0.0:0");
    let found = faults(&open);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("dinggate.toml:2: server.grpc_addr: is not loopback"), "{found:?}");
    assert!(found[0].contains("auth.insecure_allow_remote = true"), "{found:?}");
    loaded(&open, &[("DINGGATE__AUTH__INSECURE_ALLOW_REMOTE", "true")]);
}

#[test]
fn a_fault_is_one_line_whatever_it_quotes() {
    let found = faults(&(FILE.to_owned() + "region = \"a\\nb\\u001b[31m\"\n\"x\\ny\" = 1\n"));
    assert_eq!(found.len(), 2);
    assert!(found[0].contains(r"unknown value `a\nb\u{1b}[31m`, expected `com` or `io`"), "{found:?}");
    assert!(found[1].starts_with(r"dinggate.toml:9: apps.the-orders.x\ny: unknown key `x\ny`"), "{found:?}");
}
