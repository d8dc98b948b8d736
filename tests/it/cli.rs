//! The program as people meet it: what it prints and on which stream, its exit codes, its signals.

mod program;
mod tls;

use std::{
    ffi::OsStr,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::ffi::OsStrExt as _,
};

use dinggate::{config::EXAMPLE, pb::group::group_service_client::GroupServiceClient};
use dinggate_simulator::{Options, Simulator};
use tokio::net::TcpStream;
use tonic::{Code, Status};

use self::program::{Ended, Folder, Program, Running, SECRET, WRONG_SECRET};
use crate::support::{connect, install_tls, new_group};

async fn dingtalk() -> Simulator {
    Simulator::start(Options::default()).await.expect("a free port")
}

/// A configuration of one app on free ports, its secret in the file `secret`.
fn configuration(folder: &Folder, dingtalk_url: &str) -> String {
    let secret = folder.write("secret", SECRET);
    let text = format!(
        r#"[server]
grpc_addr = "127.0.0.1:0"
http_addr = "127.0.0.1:0"
drain_delay = "0s"
[token]
backoff_min = "1ms"
backoff_max = "1ms"
[[apps]]
alias = "demo"
app_key = "dingdemo"
app_secret_file = "{secret}"
corp_id = "dingcorpdemo"
api_url = "{dingtalk_url}"
oapi_url = "{dingtalk_url}"
"#
    );
    folder.write("dinggate.toml", &text)
}

/// A folder with a configuration, and the DingTalk that it names.
pub async fn configured() -> (Folder, Simulator) {
    install_tls();
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    configuration(&folder, &dingtalk.url());
    (folder, dingtalk)
}

/// Where nothing listens.
const NOBODY: &str = "127.0.0.1:1";

/// Calls the gateway at an address.
pub async fn create(addr: SocketAddr) -> Result<(), Status> {
    let mut groups = GroupServiceClient::new(connect(addr).await);
    groups.create_group(new_group("A group")).await.map(drop)
}

#[tokio::test]
async fn help_shows_an_example() {
    let folder = Folder::new();
    for command in ["serve", "check", "config", "health", "sandbox", "simulator"] {
        let help = folder.run(&[command, "--help"]).await.well();
        let examples = help.split_once("Example").expect("an example").1;
        assert!(examples.contains(&format!("dinggate {command}")), "{help}");
    }
    let help = folder.run(&["--help"]).await.well();
    assert!(help.contains("Example:\n  dinggate serve"), "{help}");
    let Ended { code, out, err } = folder.run(&[]).await;
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("Commands:"), "{err}");
}

#[tokio::test]
async fn without_a_configuration_it_shows_the_least_that_works() {
    let folder = Folder::new();
    for command in ["serve", "check", "config"] {
        let error = folder.run(&[command]).await.badly();
        for place in ["--config", "DINGGATE_CONFIG", "./dinggate.toml"] {
            assert!(error.contains(place), "{error}");
        }
        let (_, example) = error.split_once("\n\n").expect("an example after an empty line");
        assert_eq!(example.trim(), EXAMPLE.trim());
    }
    let secret = folder.write("secret", SECRET);
    let file = folder.write("other.toml", &EXAMPLE.replace("/run/secrets/orders", &secret));
    let valid = "the configuration is valid, 1 app(s)\n";
    assert_eq!(folder.run(&["check", "--config", &file]).await.well(), valid);
    assert_eq!(folder.command(&["check"]).env("DINGGATE_CONFIG", &file).run().await.well(), valid);
    folder.write("dinggate.toml", &fs::read_to_string(file).unwrap());
    assert_eq!(folder.run(&["check"]).await.well(), valid);
}

#[tokio::test]
async fn check_reports_every_fault_on_standard_error() {
    let folder = Folder::new();
    let text =
        format!("[server]\ngrpc_addr = 1\nfoo = 2\n[[apps]]\nalias = 'demo'\napp_secret = ['{SECRET}']\n");
    let file = folder.write("bad.toml", &text);
    for command in ["check", "serve", "config"] {
        let ended =
            folder.command(&[command, "--config", &file]).env("DINGGATE__SERVER__BAR", SECRET).run().await;
        assert_eq!(ended.out, "");
        let error = ended.badly().replace(&file, "bad.toml");
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), 6, "{error}");
        for (line, fault) in lines.iter().zip([
            "error: the configuration has 5 fault(s):",
            "  bad.toml:2: server.grpc_addr: must be an IP address and a port",
            "  bad.toml:3: server.foo: unknown key `foo`, expected one of `grpc_addr`",
            "  bad.toml:4: apps.demo.app_key: is missing",
            "  bad.toml:6: apps.demo.app_secret: must be a string",
            "  DINGGATE__SERVER__BAR: server.bar: unknown key `bar`",
        ]) {
            assert!(line.starts_with(fault), "{line}\n{fault}");
        }
    }
}

#[tokio::test]
async fn a_variable_that_is_not_text_is_a_fault_and_no_panic() {
    let folder = Folder::new();
    configuration(&folder, &format!("http://{NOBODY}"));
    let value = [SECRET.as_bytes(), b"\xff"].concat();
    let value = OsStr::from_bytes(&value);
    folder.command(&["check"]).env("UNRELATED", value).run().await.well();
    let error = folder.command(&["check"]).env("DINGGATE__APPS__DEMO__APP_SECRET", value).run().await.badly();
    assert!(
        error.contains("DINGGATE__APPS__DEMO__APP_SECRET: apps.demo.app_secret: is not UTF-8"),
        "{error}"
    );
}

#[tokio::test]
async fn check_online_asks_the_store_whether_it_is_there() {
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    configuration(&folder, &dingtalk.url());
    let command = folder.command(&["check", "--online"]).env("DINGGATE__STORE__KIND", "redis");
    let ended = command.env("DINGGATE__STORE__URL", format!("redis://:{SECRET}@{NOBODY}")).run().await;
    assert!(ended.out.contains("DingTalk issues an access token"), "{ended:?}");
    assert!(ended.out.contains("store: ") && ended.out.contains("refused"), "{ended:?}");
    ended.badly();
}

#[tokio::test]
async fn check_online_fetches_a_token_for_every_app() {
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    configuration(&folder, &dingtalk.url());
    let check = |endpoint, secret| {
        let command =
            folder.command(&["check", "--online"]).env("DINGGATE__APPS__DEMO__TOKEN_ENDPOINT", endpoint);
        folder.write("secret", secret);
        command.run()
    };
    for endpoint in ["access_token", "corp_token", "gettoken"] {
        let said = check(endpoint, SECRET).await.well();
        assert!(said.contains("app demo: DingTalk issues an access token\n"), "{said}");

        let ended = check(endpoint, WRONG_SECRET).await;
        assert!(ended.out.contains("app demo: no access token: dingtalk answered "), "{ended:?}");
        assert!(ended.out.contains("compare app_key and app_secret with"), "{ended:?}");
        assert_eq!(ended.badly(), "error: 1 of 1 app(s) cannot have an access token\n");
    }
    dingtalk.stop().await;
    for endpoint in ["access_token", "gettoken"] {
        let ended = check(endpoint, SECRET).await;
        assert!(ended.out.contains("dingtalk cannot be reached"), "{ended:?}");
        assert!(ended.out.contains("look at DNS, proxies and firewalls"), "{ended:?}");
        ended.badly();
    }
}

#[tokio::test]
async fn config_shows_origins_and_no_secret() {
    let folder = Folder::new();
    let file = configuration(&folder, &format!("http://{NOBODY}"));
    let text = fs::read_to_string(&file).unwrap();
    let secret_file = text.lines().find(|line| line.starts_with("app_secret_file")).unwrap();
    folder.write("dinggate.toml", &text.replace(secret_file, &format!("app_secret = \"{WRONG_SECRET}\"")));
    let command = folder.command(&["config"]).env("DINGGATE__APPS__DEMO__APP_KEY", "12");
    let shown = command.env("OTEL_SERVICE_NAME", "mine").run().await.well();
    for line in [
        "apps.demo.app_secret = [redacted]  # dinggate.toml:11",
        "apps.demo.app_key = \"12\"  # DINGGATE__APPS__DEMO__APP_KEY",
        "server.grpc_addr = \"127.0.0.1:0\"  # dinggate.toml:2",
        "server.max_deadline = \"120s\"  # default",
        "telemetry.service_name = \"mine\"  # OTEL_SERVICE_NAME",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "no {line} in\n{shown}");
    }
}

async fn serve(folder: &Folder, dingtalk: &Simulator) -> Running {
    install_tls();
    configuration(folder, &dingtalk.url());
    folder.command(&["serve"]).start()
}

#[tokio::test]
async fn it_serves_says_where_and_ends_in_order_when_told_to() {
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    for signal in ["-TERM", "-INT"] {
        let mut gateway = serve(&folder, &dingtalk).await;
        let (grpc, http) = gateway.serves().await;
        assert!(grpc.port() != 0 && http.port() != 0 && grpc != http);
        create(grpc).await.unwrap();
        let addr = grpc.to_string();
        assert_eq!(folder.run(&["health", "--addr", &addr]).await.well(), "SERVING\n");
        let service = "dinggate.group.v1.GroupService";
        assert_eq!(folder.run(&["health", "--addr", &addr, "--service", service]).await.well(), "SERVING\n");
        let error = folder.run(&["health", "--addr", &addr, "--service", "nobody"]).await.badly();
        assert!(error.contains("has no service \"nobody\""), "{error}");

        gateway.signal(signal).await;
        let ended = gateway.end().await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
        let order = ["serving", "draining", "stopped"]
            .map(|word| ended.err.find(&format!("\"{word}\"")).expect(word));
        assert!(order.is_sorted(), "{}", ended.err);
        assert!(TcpStream::connect(grpc).await.is_err());
    }
}

#[tokio::test]
async fn while_it_drains_it_is_not_healthy_but_answers_until_a_second_signal() {
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    configuration(&folder, &dingtalk.url());
    install_tls();
    let mut gateway = folder.command(&["serve"]).env("DINGGATE__SERVER__DRAIN_DELAY", "1h").start();
    let (grpc, _) = gateway.serves().await;
    gateway.signal("-TERM").await;
    gateway.line(&["draining"]).await;
    // The line is written before health changes.
    let mut health = folder.run(&["health", "--addr", &grpc.to_string()]).await;
    for _ in 0..100 {
        if health.code != Some(0) {
            break;
        }
        health = folder.run(&["health", "--addr", &grpc.to_string()]).await;
    }
    assert_eq!(health.out, "NOT_SERVING\n");
    assert_eq!(health.badly(), "error: it is not serving\n");
    create(grpc).await.unwrap();
    gateway.signal("-TERM").await;
    assert_eq!(gateway.end().await.code, Some(1));
}

#[tokio::test]
async fn a_hangup_reads_the_secrets_again() {
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    let mut gateway = serve(&folder, &dingtalk).await;
    let (grpc, _) = gateway.serves().await;
    folder.write("secret", "");
    gateway.signal("-HUP").await;
    let line = gateway.line(&["secrets are not read again"]).await;
    assert!(line.contains("apps.demo.app_secret_file: is empty"), "{line}");
    create(grpc).await.unwrap();

    folder.write("secret", WRONG_SECRET);
    gateway.signal("-HUP").await;
    gateway.line(&["secrets are read again"]).await;
    dingtalk.revoke_tokens();
    assert_eq!(create(grpc).await.unwrap_err().code(), Code::FailedPrecondition);

    folder.write("secret", SECRET);
    gateway.signal("-HUP").await;
    gateway.line(&["secrets are read again"]).await;
    let mut outcome = create(grpc).await;
    for _ in 0..100 {
        // The failed fetch may still be resting.
        if outcome.is_ok() {
            break;
        }
        outcome = create(grpc).await;
    }
    outcome.unwrap();
    gateway.signal("-TERM").await;
    assert_eq!(gateway.end().await.code, Some(0));
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_setting() {
    let folder = Folder::new();
    configuration(&folder, &format!("http://{NOBODY}"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for (variable, setting) in [
        ("DINGGATE__SERVER__GRPC_ADDR", "server.grpc_addr"),
        ("DINGGATE__SERVER__HTTP_ADDR", "server.http_addr"),
    ] {
        let error = folder.command(&["serve"]).env(variable, &addr).run().await.badly();
        assert!(error.starts_with(&format!("error: {setting}: cannot listen on {addr} ")), "{error}");
        assert!(error.contains("in use"), "{error}");
    }
    for (flag, others) in [
        ("--grpc-addr", ["--http-addr", "--dingtalk-addr"]),
        ("--dingtalk-addr", ["--grpc-addr", "--http-addr"]),
    ] {
        let line = ["sandbox", flag, &addr, others[0], "127.0.0.1:0", others[1], "127.0.0.1:0"];
        let error = folder.run(&line).await.badly();
        assert!(error.contains(flag) && error.contains(&addr) && error.contains("in use"), "{error}");
    }
}

#[tokio::test]
async fn nobody_is_not_healthy() {
    let error = Folder::new().run(&["health", "--addr", NOBODY]).await.badly();
    assert!(error.starts_with(&format!("error: nothing answers at {NOBODY}: ")), "{error}");
}

#[tokio::test]
async fn the_sandbox_says_where_it_is_and_what_to_try() {
    install_tls();
    let folder = Folder::new();
    let free = "127.0.0.1:0";
    let line = ["sandbox", "--grpc-addr", free, "--http-addr", free, "--dingtalk-addr", free];
    let mut sandbox = folder.command(&line).start();
    let mut addr = Vec::new();
    for name in ["gRPC", "HTTP", "DingTalk"] {
        let line = sandbox.line(&[&format!("  {name} ")]).await;
        let word = line.split_whitespace().nth(1).unwrap();
        addr.push(word.trim_start_matches("http://").split('/').next().unwrap().to_owned());
    }
    for (command, at) in [("1. grpcurl", &addr[0]), ("2. buf curl", &addr[0]), ("3. curl", &addr[2])] {
        let line = sandbox.line(&[command]).await;
        assert!(line.contains(at), "{line}");
    }
    create(addr[0].parse().unwrap()).await.unwrap();
    assert_eq!(folder.run(&["health", "--addr", &addr[0]]).await.well(), "SERVING\n");
    sandbox.signal("-INT").await;
    let ended = sandbox.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn the_simulator_says_where_it_is() {
    let folder = Folder::new();
    let seed = r#"{"organizations":[{"corp_id":"corp","apps":[{"app_key":"key","app_secret":"made-up"}]}]}"#;
    let seed = folder.write("seed.json", seed);
    let mut simulator =
        folder.command(&["simulator", "--dingtalk-addr", "127.0.0.1:0", "--seed", &seed]).start();
    let line = simulator.line(&["simulated DingTalk on http://127.0.0.1:"]).await;
    assert!(line.contains("app key key, secret made-up"), "{line}");
    let addr = line.split("http://").nth(1).unwrap().split(' ').next().unwrap();
    TcpStream::connect(addr).await.unwrap();
    simulator.signal("-INT").await;
    assert_eq!(simulator.end().await.code, Some(0));

    let error = folder.run(&["simulator", "--seed", &folder.write("seed.json", "{}")]).await.badly();
    assert!(error.contains("seed.json is not a seed: "), "{error}");
}
