//! TLS as operators meet it: files that change, signals, probes.

use rcgen::{CertificateParams, date_time_ymd};

use super::{Folder, Program, Running, configuration, dingtalk};
use crate::{
    pki::{Authority, Identity},
    support::install_tls,
};

/// Writes the certificate as `NAME.pem` and its key as `NAME-key.pem`.
fn write(folder: &Folder, name: &str, identity: &Identity) {
    folder.write(&format!("{name}.pem"), &identity.cert);
    folder.write(&format!("{name}-key.pem"), &identity.key);
}

/// A command that has `tls.pem` and `tls-key.pem` for its gRPC port.
fn over_tls(folder: &Folder, line: &[&str]) -> Program {
    let command = folder.command(line).env("DINGGATE__SERVER__TLS__CERT", "tls.pem");
    command.env("DINGGATE__SERVER__TLS__KEY", "tls-key.pem")
}

/// Asks a gateway named `localhost` how it is.
async fn health(folder: &Folder, addr: &str, options: &[&str]) -> super::Ended {
    let addr = format!("https://{addr}");
    let line = [&["health", "--addr", &addr, "--server-name", "localhost"], options].concat();
    folder.run(&line).await
}

async fn serve(folder: &Folder) -> (Running, String) {
    let mut gateway = over_tls(folder, &["serve"]).start();
    let (grpc, _) = gateway.serves().await;
    (gateway, grpc.to_string())
}

#[tokio::test]
async fn good_files_are_taken_over_and_broken_ones_change_nothing() {
    install_tls();
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    configuration(&folder, &dingtalk.url());
    let (before, after) = (Authority::new(), Authority::new());
    folder.write("before.pem", &before.pem());
    folder.write("after.pem", &after.pem());
    write(&folder, "tls", &before.server("localhost"));
    let (mut gateway, addr) = serve(&folder).await;
    assert_eq!(health(&folder, &addr, &["--ca", "before.pem"]).await.well(), "SERVING\n");
    health(&folder, &addr, &["--ca", "after.pem"]).await.badly();

    folder.write("tls.pem", "no certificate");
    gateway.signal("-HUP").await;
    let line = gateway.line(&["ERROR", "the old ones stay", "server.tls.cert"]).await;
    assert!(line.contains("holds no certificate"), "{line}");
    assert_eq!(health(&folder, &addr, &["--ca", "before.pem"]).await.well(), "SERVING\n");

    // Nobody is told of this by a signal.
    write(&folder, "tls", &after.server("localhost"));
    gateway.line(&["the TLS files have changed and are in use"]).await;
    assert_eq!(health(&folder, &addr, &["--ca", "after.pem"]).await.well(), "SERVING\n");
    health(&folder, &addr, &["--ca", "before.pem"]).await.badly();
    gateway.signal("-TERM").await;
    assert_eq!(gateway.end().await.code, Some(0));
}

#[tokio::test]
async fn a_probe_shows_its_certificate_where_one_is_wanted() {
    install_tls();
    let (folder, dingtalk) = (Folder::new(), dingtalk().await);
    configuration(&folder, &dingtalk.url());
    let authority = Authority::new();
    folder.write("ca.pem", &authority.pem());
    write(&folder, "tls", &authority.server("localhost"));
    write(&folder, "probe", &authority.client("probe.example"));
    let mut gateway = over_tls(&folder, &["serve"]).env("DINGGATE__SERVER__TLS__CLIENT_CA", "ca.pem").start();
    let addr = gateway.serves().await.0.to_string();
    let trusted = ["--ca", "ca.pem", "--cert", "probe.pem", "--key", "probe-key.pem"];
    assert_eq!(health(&folder, &addr, &trusted).await.well(), "SERVING\n");
    health(&folder, &addr, &trusted[..2]).await.badly();
    health(&folder, &addr, &[]).await.badly();
    folder.run(&["health", "--addr", &addr]).await.badly();
    let error = folder.run(&["health", "--addr", &format!("http://{addr}"), "--ca", "ca.pem"]).await.badly();
    assert!(error.contains("need --addr https://"), "{error}");
}

#[tokio::test]
async fn the_sandbox_speaks_tls_where_it_has_a_certificate() {
    install_tls();
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write("ca.pem", &authority.pem());
    write(&folder, "tls", &authority.server("localhost"));
    let settings = folder.write("sandbox.toml", "[server.tls]\ncert = \"tls.pem\"\nkey = \"tls-key.pem\"\n");
    let free = "127.0.0.1:0";
    let line = ["sandbox", "--grpc-addr", free, "--http-addr", free, "--dingtalk-addr", free];
    let by_file = folder.command(&[&line[..], &["--config", &settings]].concat());
    for command in [by_file, over_tls(&folder, &line)] {
        let mut sandbox = command.start();
        let grpc = sandbox.line(&["  gRPC "]).await;
        let addr = grpc.split_whitespace().nth(1).unwrap();
        sandbox.line(&["1. grpcurl -insecure"]).await;
        assert_eq!(health(&folder, addr, &["--ca", "ca.pem"]).await.well(), "SERVING\n");
    }
}

#[tokio::test]
async fn check_warns_of_a_certificate_that_has_expired() {
    let (folder, authority) = (Folder::new(), Authority::new());
    configuration(&folder, "http://127.0.0.1:1");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2001, 1, 1);
    write(&folder, "tls", &authority.vouch(params));
    let told = over_tls(&folder, &["check"]).run().await.well();
    let warning =
        "warning: DINGGATE__SERVER__TLS__CERT: server.tls.cert: has expired at 2001-01-01T00:00:00Z\n";
    assert_eq!(told, format!("{warning}the configuration is valid, 1 app(s)\n"));
}
