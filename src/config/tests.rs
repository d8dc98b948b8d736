//! What is accepted, what is refused and with which words, and that no secret is ever among them.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::{prelude::*, sample::select};
use secrecy::ExposeSecret as _;
use toml::Table;

use super::*;
use crate::{
    dingtalk::app::AppConfig,
    server::AuthMode,
    telemetry::{LogFormat, SamplerName},
};

const SECRET: &str = "S3cr3t-Of_The-App";
const FILE: &str = r#"[server]
grpc_addr = "127.0.0.1:0"

[[apps]]
alias = "the-orders"
app_key = "dingkey"
app_secret = "S3cr3t-Of_The-App"
"#;

/// A folder with a configuration file, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(file: impl AsRef<[u8]>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            Self(std::env::temp_dir().join(format!("dinggate-config-{}-{number}", std::process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.config(), file).unwrap();
        folder
    }

    fn config(&self) -> PathBuf {
        self.0.join("dinggate.toml")
    }

    /// Loads the file under these variables. Every outcome is looked through for the secret on the way.
    fn load(&self, variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let sources =
            Sources { file: Some(self.config()), environment: ours(variables), command_line: Vec::new() };
        assert!(!format!("{sources:?}").contains(SECRET));
        let loaded = sources.load();
        assert!(!format!("{loaded:?}").contains(SECRET), "{loaded:?}");
        match loaded {
            Ok(loaded) => {
                assert!(!loaded.to_string().contains(SECRET), "{loaded}");
                Ok(loaded)
            }
            Err(faults) => Err(self.lines(&faults)),
        }
    }

    /// The faults, the folder left out.
    fn lines(&self, faults: &Faults) -> Vec<String> {
        let text = faults.to_string().replace(&format!("{}/", self.0.display()), "");
        assert!(!text.contains(SECRET), "{text}");
        let mut lines = text.lines().map(|line| line.trim_start().to_owned());
        let count = lines.next().unwrap();
        let lines: Vec<_> = lines.collect();
        assert_eq!(count, format!("the configuration has {} fault(s):", lines.len()), "a line for each");
        lines
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The secret of the one app of a file under a variable.
fn secret_under(folder: &Folder, variable: &str, value: &str) -> String {
    let mut loader = Loader::default();
    loader.file(&folder.config());
    loader.variable(variable, OsStr::new(value));
    let app = loader.apps.into_values().next().expect("the file has an app");
    load::secret(&app.config).expect("a readable secret").expect("a secret").expose_secret().to_owned()
}

/// The faults of a file.
fn faults(text: &str) -> Vec<String> {
    Folder::new(text).load(&[]).unwrap_err()
}

/// The faults of a good file under one variable.
fn faults_under(variable: &str, value: &str) -> Vec<String> {
    Folder::new(FILE).load(&[(variable, value)]).unwrap_err()
}

fn loaded(text: &str, variables: &[(&str, &str)]) -> Loaded {
    Folder::new(text).load(variables).unwrap()
}

/// How `dinggate config` shows a value.
fn line(loaded: &Loaded, path: &str) -> Option<String> {
    loaded.to_string().lines().find(|line| line.starts_with(&format!("{path} = "))).map(ToOwned::to_owned)
}

/// The keys that are allowed beside one that is not.
fn allowed<T>(outcome: Result<T, toml::de::Error>) -> BTreeSet<String> {
    let error = outcome.err().expect("nobody has a key of this name");
    assert!(error.message().starts_with("unknown field `no-such-key`"), "{}", error.message());
    error.message().split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect()
}

fn keys_of(table: &Table) -> BTreeSet<String> {
    table.keys().cloned().collect()
}

fn defaults() -> Table {
    DEFAULTS.parse().unwrap()
}

/// The `[[apps]]` of default.toml, no longer a comment.
fn example_app() -> String {
    let lines =
        DEFAULTS.lines().skip_while(|line| *line != "# [[apps]]").take_while(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim_start().to_owned() + "\n").collect()
}

#[test]
fn the_defaults_have_every_key() {
    let mut with_a_section = defaults();
    with_a_section.insert("no-such-key".to_owned(), Value::Boolean(true));
    assert_eq!(allowed(Config::deserialize(with_a_section)), keys_of(&defaults()));
    for (name, section) in defaults() {
        let mut with_a_key = defaults();
        with_a_key[&name].as_table_mut().unwrap().insert("no-such-key".to_owned(), Value::Boolean(true));
        let section = section.as_table().expect("the top level has sections only");
        assert_eq!(allowed(Config::deserialize(with_a_key)), keys_of(section), "[{name}]");
    }
}

#[test]
fn every_default_is_explained() {
    let lines: Vec<_> = DEFAULTS.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#')) {
        assert!(pair[0].starts_with("# "), "{} has no comment above it", pair[1]);
    }
}

#[test]
fn the_app_in_the_defaults_has_every_key() {
    let unknown = Table::from_iter([("no-such-key".to_owned(), Value::Boolean(true))]);
    let known = allowed(AppConfig::deserialize(unknown));
    let words = example_app();
    let words: BTreeSet<_> = words.split(|c: char| !c.is_ascii_lowercase() && c != '_').collect();
    let missing: Vec<_> = known.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "config/default.toml does not say that apps have {missing:?}");
    let example: Table = example_app().parse().unwrap();
    let app = example["apps"][0].as_table().unwrap();
    assert!(keys_of(app).is_subset(&known), "{:?}", keys_of(app));
}

#[test]
fn the_app_in_the_defaults_can_be_used() {
    let folder = Folder::new("");
    let secret = folder.0.join("orders");
    fs::write(&secret, SECRET).unwrap();
    let example = example_app().replace("/run/secrets/orders", secret.to_str().unwrap());
    fs::write(folder.config(), "[server]\ngrpc_addr = \"127.0.0.1:0\"\n".to_owned() + &example).unwrap();
    assert_eq!(folder.load(&[]).unwrap().apps[0].alias(), "orders");
}

#[test]
fn what_an_app_has_by_default_is_shown_as_it_is() {
    let shown = Table::from_iter(APP_DEFAULTS.map(|(key, value)| (key.to_owned(), Value::from(value))));
    let (shown, real) = (AppConfig::deserialize(shown).unwrap(), AppConfig::default());
    assert_eq!(format!("{shown:?}"), format!("{real:?}"));
}

#[test]
fn a_good_file_is_loaded_and_shown_with_origins() {
    let folder = Folder::new(FILE);
    let loaded = folder.load(&[("DINGGATE__SERVER__DRAIN_DELAY", "7s")]).unwrap();
    assert_eq!(loaded.config.server.grpc_addr.to_string(), "127.0.0.1:0");
    assert_eq!(loaded.apps.len(), 1);
    assert_eq!((loaded.apps[0].alias(), loaded.apps[0].app_key()), ("the-orders", "dingkey"));
    let shown = loaded.to_string().replace(&format!("{}/", folder.0.display()), "");
    for line in [
        r#"server.grpc_addr = "127.0.0.1:0"  # dinggate.toml:2"#,
        r#"server.http_addr = "0.0.0.0:9090"  # default"#,
        r#"server.drain_delay = "7s"  # DINGGATE__SERVER__DRAIN_DELAY"#,
        r#"apps.the-orders.alias = "the-orders"  # dinggate.toml:5"#,
        r#"apps.the-orders.app_key = "dingkey"  # dinggate.toml:6"#,
        r#"apps.the-orders.app_secret = [redacted]  # dinggate.toml:7"#,
        r#"apps.the-orders.region = "com"  # default"#,
    ] {
        assert!(shown.lines().any(|shown| shown == line), "no {line} in\n{shown}");
    }
    assert_eq!(shown.matches("server.drain_delay").count(), 1);
}

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
        ("auth", r#"mode = "jwt""#, "unknown value `jwt`, expected `none`"),
        ("server", "max_concurrent_requests = 0", "must be at least 1"),
        ("server", r#"default_deadline = "3m""#, "is longer than server.max_deadline"),
        ("telemetry", "sampler_arg = 1.5", "must be between 0 and 1"),
    ] {
        let text = FILE.replace("[server]\ngrpc_addr = \"127.0.0.1:0\"", &format!("[{section}]\n{setting}"));
        let key = setting.split(' ').next().unwrap();
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
        ("token_endpoint = 'corp_token'", "corp_id: is missing: token_endpoint = \"corp_token\" needs it"),
        (
            "limits = { a = 1 }",
            "limits: unknown key `limits`, expected one of `alias`, `app_key`, `app_secret`, `app_secret_file`, `corp_id`, `region`, `api_url`, `oapi_url`, `token_endpoint`",
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
        "dinggate.toml:4: foo.bar: unknown key `foo`, expected one of `server`, `auth`, `dingtalk`, `token`, `telemetry` or [[apps]]",
        "dinggate.toml:5: empty: unknown key `empty`, expected one of `server`, `auth`, `dingtalk`, `token`, `telemetry` or [[apps]]",
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

/// Faults and listings are looked through for the secret in `Folder::load`.
#[test]
fn no_slip_of_the_pen_shows_the_secret() {
    let folder = Folder::new(FILE);
    let (before, after) = FILE.split_once(SECRET).unwrap();
    let places = (0..before.len()).map(|at| (at, at + 1)).chain((0..after.len()).map(|at| {
        let at = before.len() + SECRET.len() + at;
        (at, at + 1)
    }));
    let mut refused = 0;
    for (start, end) in places {
        for replacement in ["", "\"", "'", "\n", "#", "=", "[", "{", "x", "\\", "\"\"\""] {
            let text = format!("{}{replacement}{}", &FILE[..start], &FILE[end..]);
            fs::write(folder.config(), text).unwrap();
            refused += usize::from(folder.load(&[]).is_err());
        }
    }
    assert!(refused > 500, "only {refused} of these files were refused");
}

#[test]
fn no_wrong_type_shows_the_secret() {
    let secret = format!("\"{SECRET}\"");
    for wrong in [
        format!("[{secret}]"),
        format!("{{ a = {secret} }}"),
        format!("{{ {secret} = 1 }}"),
        format!("[[{secret}], 1]"),
    ] {
        assert_eq!(
            faults(&FILE.replace(&secret, &wrong)),
            ["dinggate.toml:7: apps.the-orders.app_secret: must be a string"]
        );
    }
    for (variable, fault) in [
        ("DINGGATE__APP_SECRET", "app_secret: unknown key `app_secret`"),
        ("DINGGATE__SERVER__APP_SECRET", "server.app_secret: unknown key `app_secret`"),
        ("DINGGATE__APPS__APP_SECRET", "apps.app_secret: must be tables"),
        ("DINGGATE__APPS__THE_ORDERS__APP_SECRET__X", "apps.the_orders.app_secret.x: must be tables"),
        ("DINGGATE__APPS__THE_ORDERS__SECRET", "apps.the-orders.secret: unknown key `secret`"),
    ] {
        let found = faults_under(variable, SECRET);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{variable}: {fault}")), "{found:?}");
    }
}

#[test]
fn secrets_keep_their_kind_whatever_they_look_like() {
    let folder = Folder::new(FILE.replace("app_secret", "# app_secret"));
    let file = folder.0.join("secret");
    fs::write(&file, "\n  from the file \n").unwrap();
    for (name, value, secret) in [
        ("APP_SECRET", "12345", "12345"),
        ("APP_SECRET", "true", "true"),
        ("APP_SECRET", "\"quoted\"", "\"quoted\""),
        ("APP_SECRET", "from env\n", "from env"),
        ("APP_SECRET_FILE", file.to_str().unwrap(), "from the file"),
    ] {
        let variable = format!("DINGGATE__APPS__THE_ORDERS__{name}");
        assert_eq!(secret_under(&folder, &variable, value), secret);
        assert!(folder.load(&[(&variable, value)]).is_ok());
    }
}

#[test]
fn a_secret_must_be_there_once() {
    let folder = Folder::new(
        FILE.replace("app_secret = \"S3cr3t-Of_The-App\"", "app_secret_file = \"FOLDER/secret\""),
    );
    let text = fs::read_to_string(folder.config()).unwrap().replace("FOLDER", folder.0.to_str().unwrap());
    fs::write(folder.config(), text).unwrap();
    let path = "dinggate.toml:7: apps.the-orders.app_secret_file";
    let missing = "secret cannot be read: No such file or directory (os error 2)";
    assert_eq!(folder.load(&[]).unwrap_err(), [format!("{path}: {missing}")]);
    fs::write(folder.0.join("secret"), "\n").unwrap();
    assert_eq!(folder.load(&[]).unwrap_err(), [format!("{path}: is empty")]);
    fs::write(folder.0.join("secret"), SECRET).unwrap();
    assert!(folder.load(&[]).is_ok());
    let variable = "DINGGATE__APPS__THE_ORDERS__APP_SECRET";
    assert_eq!(
        folder.load(&[(variable, SECRET)]).unwrap_err(),
        [format!("{path}: is given beside app_secret: keep one of them")]
    );
    assert_eq!(
        Folder::new(FILE).load(&[(variable, " ")]).unwrap_err(),
        [format!("{variable}: apps.the-orders.app_secret: is empty")]
    );
}

#[test]
fn variables_win_over_the_file_and_have_the_type_of_their_key() {
    let loaded = loaded(
        FILE,
        &[
            ("DINGGATE__SERVER__GRPC_ADDR", "[::1]:7"),
            ("DINGGATE__SERVER__MAX_CONCURRENT_REQUESTS", "7"),
            ("DINGGATE__SERVER__MAX_MESSAGE_SIZE", "1KiB"),
            ("DINGGATE__SERVER__REFLECTION", "false"),
            ("DINGGATE__SERVER__DRAIN_DELAY", "0s"),
            ("DINGGATE__TELEMETRY__SAMPLER_ARG", "1"),
            ("DINGGATE__TELEMETRY__SERVICE_NAME", "12"),
            ("DINGGATE__AUTH__MODE", "none"),
            ("DINGGATE__APPS__THE_ORDERS__APP_KEY", "0012"),
            ("UNRELATED__SERVER__REFLECTION", "maybe"),
        ],
    );
    let Config { server, auth, telemetry, .. } = &loaded.config;
    assert_eq!(server.grpc_addr.to_string(), "[::1]:7");
    assert_eq!((server.max_concurrent_requests, server.max_message_size.as_u64()), (7, 1024));
    assert!(!server.reflection && server.drain_delay.is_zero());
    assert_eq!((telemetry.sampler_arg, telemetry.service_name.as_str()), (1.0, "12"));
    assert_eq!(auth.mode, AuthMode::None);
    assert_eq!(loaded.apps[0].app_key(), "0012");
}

#[test]
fn a_bad_variable_is_reported_by_its_name() {
    for (variable, value, fault) in [
        (
            "DINGGATE__SERVER__GRPC_ADR",
            "x",
            "server.grpc_adr: unknown key `grpc_adr`, expected one of `grpc_addr`",
        ),
        ("DINGGATE__SERVER", "x", "server: is a section, not a value"),
        ("DINGGATE__", "x", ": unknown key ``, expected one of `server`"),
        (
            "DINGGATE__SERVER__MAX_CONCURRENT_REQUESTS",
            "-1",
            "server.max_concurrent_requests: must be a whole number",
        ),
        (
            "DINGGATE__SERVER__MAX_CONCURRENT_REQUESTS",
            "",
            "server.max_concurrent_requests: must be a whole number",
        ),
        ("DINGGATE__SERVER__REFLECTION", "1", "server.reflection: must be true or false"),
        ("DINGGATE__SERVER__DRAIN_DELAY", "5", "server.drain_delay: must be a duration"),
        ("DINGGATE__SERVER__GRPC_ADDR", "0.0.0.0:1", "server.grpc_addr: is not loopback"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "telemetry.sampler: unknown value `jaeger_remote`"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "telemetry.otlp_endpoint: must begin with http"),
        ("DINGGATE__APPS", "x", "apps: must be tables: [[apps]] in a file, DINGGATE__APPS__<ALIAS>__<KEY>"),
        ("DINGGATE__APPS__THE_ORDERS", "x", "apps.the_orders: must be tables"),
        ("DINGGATE__APPS__OTHER__APP_KY", "x", "apps.other.app_ky: unknown key `app_ky`"),
        ("DINGGATE__APPS__OTHER__APP_SECRET", "x", "apps.other.app_key: is missing"),
    ] {
        let found = faults_under(variable, value);
        let expected = format!("{variable}: {fault}");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{expected}\n{found:#?}");
    }
}

#[test]
fn an_app_can_be_in_the_environment_only() {
    let loaded = loaded(
        &FILE[..FILE.find("[[apps]]").unwrap()],
        &[("DINGGATE__APPS__42__APP_KEY", "k"), ("DINGGATE__APPS__42__APP_SECRET", SECRET)],
    );
    assert_eq!((loaded.apps[0].alias(), loaded.apps[0].app_key()), ("42", "k"));
    assert_eq!(
        line(&loaded, "apps.42.app_secret").unwrap(),
        "apps.42.app_secret = [redacted]  # DINGGATE__APPS__42__APP_SECRET"
    );
}

#[test]
fn a_variable_that_may_mean_two_apps_is_refused() {
    let two = FILE.to_owned() + &FILE[FILE.find("[[apps]]").unwrap()..].replace("the-orders", "the_orders");
    let variable = "DINGGATE__APPS__THE_ORDERS__APP_KEY";
    assert_eq!(
        Folder::new(two).load(&[(variable, "k")]).unwrap_err(),
        [format!(
            "{variable}: apps.the_orders.app_key: may mean app the-orders or app the_orders: set it in the file"
        )]
    );
}

#[test]
fn the_standard_variables_win() {
    let text = FILE.to_owned() + "[telemetry]\nsampler = 'always_off'\nservice_name = 'file'\n";
    let loaded = loaded(
        &text,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
            ("OTEL_SERVICE_NAME", ""),
            ("DINGGATE__TELEMETRY__SAMPLER", "always_on"),
            ("DINGGATE__TELEMETRY__OTLP_ENDPOINT", "http://own:4317"),
            ("DINGGATE__TELEMETRY__LOG_FORMAT", "json"),
        ],
    );
    let telemetry = &loaded.config.telemetry;
    assert_eq!(telemetry.otlp_endpoint, "http://traces:4317");
    assert_eq!((telemetry.sampler, telemetry.sampler_arg), (SamplerName::TraceIdRatio, 0.5));
    assert_eq!((telemetry.service_name.as_str(), telemetry.log_format), ("file", LogFormat::Json));
    assert!(line(&loaded, "telemetry.sampler").unwrap().ends_with("# OTEL_TRACES_SAMPLER"));
}

#[test]
fn variables_that_are_not_text_are_refused_where_they_are_ours_and_left_alone_where_not() {
    let bytes = OsStr::from_bytes(b"S3cr3t-\xff").to_owned();
    let variables = ["DINGGATE__APPS__X__APP_SECRET", "HOME"].map(|name| (name.into(), bytes.clone()));
    let nameless = (bytes.clone(), "x".into());
    let environment = ours(variables.into_iter().chain([nameless]));
    assert_eq!(environment.len(), 1);
    let faults = Sources { environment, ..Sources::default() }.load().unwrap_err().to_string();
    assert!(faults.contains("DINGGATE__APPS__X__APP_SECRET: apps.x.app_secret: is not UTF-8"), "{faults}");
    assert!(!faults.contains("S3cr3t"), "{faults}");
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
fn the_command_line_wins_over_all() {
    let (name, value) = ("DINGGATE__SERVER__GRPC_ADDR".to_owned(), "127.0.0.1:1".into());
    let sources = Sources { environment: vec![(name, value)], ..Sources::defaults() };
    let sources = sources.with("server.grpc_addr", "127.0.0.1:2").with("apps.x.app_key", "k");
    let loaded = sources.with("apps.x.app_secret", SECRET).load().unwrap();
    assert_eq!(loaded.config.server.grpc_addr.port(), 2);
    assert!(line(&loaded, "server.grpc_addr").unwrap().ends_with("# command line"));
    assert!(!format!("{loaded:?}{loaded}").contains(SECRET));
}

#[test]
fn passwords_in_urls_are_not_shown() {
    let text = FILE.to_owned() + "[telemetry]\notlp_endpoint = 'https://me:mine@collector:4317/a@b'\n";
    let shown = line(&loaded(&text, &[]), "telemetry.otlp_endpoint").unwrap();
    assert!(
        shown.starts_with(r#"telemetry.otlp_endpoint = "https://[redacted]@collector:4317/a@b"  #"#),
        "{shown}"
    );
    let found = faults(&(FILE.to_owned() + "api_url = 'https://me:S3cr3t-Of_The-App@a b'\n"));
    assert!(found[0].ends_with(r#""https://[redacted]@a b""#), "{found:?}");
}

#[test]
fn a_fault_is_one_line_whatever_it_quotes() {
    let found = faults(&(FILE.to_owned() + "region = \"a\\nb\\u001b[31m\"\n\"x\\ny\" = 1\n"));
    assert_eq!(found.len(), 2);
    assert!(found[0].contains(r"unknown value `a\nb\u{1b}[31m`, expected `com` or `io`"), "{found:?}");
    assert!(found[1].starts_with(r"dinggate.toml:9: apps.the-orders.x\ny: unknown key `x\ny`"), "{found:?}");
}

#[test]
fn the_example_is_a_whole_configuration() {
    let folder = Folder::new("");
    let secret = folder.0.join("secret");
    fs::write(&secret, SECRET).unwrap();
    fs::write(folder.config(), EXAMPLE.replace("/run/secrets/orders", secret.to_str().unwrap())).unwrap();
    assert_eq!(folder.load(&[]).unwrap().apps[0].alias(), "orders");
}

/// Keys and values that come close to a configuration.
fn almost_toml() -> impl Strategy<Value = String> {
    let sections =
        ["[server]", "[[apps]]", "[apps]", "[apps.a]", "[[server]]", "[telemetry]", "[x.y]", "server.x"];
    let keys =
        ["alias", "app_key", "app_secret", "app_secret_file", "api_url", "grpc_addr", "sampler_arg", "a.b"];
    let values = [
        "1",
        "-1",
        "'a'",
        "'é'",
        "'http://h'",
        "nan",
        "[]",
        "[{}]",
        "{ a = 1 }",
        "1979-05-27",
        "true",
        "'1s",
    ];
    let setting =
        (select(keys.to_vec()), select(values.to_vec())).prop_map(|(key, value)| format!("{key} = {value}"));
    let line = prop_oneof![
        2 => select(sections.to_vec()).prop_map(ToOwned::to_owned),
        6 => setting,
        1 => "\\PC{0,12}",
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_bytes_are_loaded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Folder::new(bytes).load(&[]));
    }

    #[test]
    fn anything_like_toml_is_loaded_or_refused(text in almost_toml()) {
        let lines = text.lines().count() + 1;
        if let Err(faults) = Folder::new(text).load(&[]) {
            for fault in faults.iter().filter_map(|fault| fault.strip_prefix("dinggate.toml:")) {
                let line: usize = fault.split(':').next().unwrap().parse().unwrap();
                prop_assert!((1..=lines).contains(&line), "{}", fault);
            }
        }
    }

    #[test]
    fn any_variable_is_taken_or_refused_by_its_name(path in "(SERVER|APPS|TELEMETRY|X)(__[A-Z_#]{0,9}){0,3}", value in "\\PC{0,20}") {
        let name = format!("DINGGATE__{path}");
        if let Err(faults) = Folder::new(FILE).load(&[(&name, &value)]) {
            prop_assert!(faults.iter().all(|fault| fault.starts_with(&name)), "{:?}", faults);
        }
    }
}
