//! `dinggate sandbox` and `dinggate simulator`: DingTalk on this machine.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use dinggate::{
    config::Sources,
    server::{Server, Workers},
    telemetry,
};
use dinggate_simulator::{Options, Quotas, Seed, Simulator, seed};

use crate::{print, shutdown_signal};

/// What `--help` says of the limits.
pub(crate) const LIMITS_HELP: &str = "\
The simulated DingTalk limits calls as DingTalk does: 20 a second per app and operation, 5,000 a month per
organisation, 10,000 in 20 seconds per address. The section `quotas` of a seed sets other limits, and, while it runs:
  curl http://127.0.0.1:8080/_sim/quotas -d '{\"app_per_second\": 60}'   (what is not named is not limited)";

/// What `--help` says of settings.
pub(crate) const SETTINGS_HELP: &str = "\
Settings come from --config and from the environment, as everywhere. So this speaks TLS and wants a certificate:
  DINGGATE__SERVER__TLS__CERT=tls.pem DINGGATE__SERVER__TLS__KEY=tls-key.pem \\
  DINGGATE__SERVER__TLS__CLIENT_CA=ca.pem dinggate sandbox";

/// Arguments of `dinggate sandbox`.
#[derive(Debug, clap::Args)]
pub(crate) struct SandboxArgs {
    /// Where gRPC listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:50051")]
    grpc_addr: SocketAddr,
    /// Where /livez and /readyz listen
    #[arg(long, default_value = "127.0.0.1:9090")]
    http_addr: SocketAddr,
    /// Settings of your own beside the built-in app (TOML), such as [server.tls]; the addresses come from the options
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    simulator: SimulatorArgs,
}

/// Arguments of `dinggate simulator`.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulatorArgs {
    /// Where the simulated DingTalk listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    dingtalk_addr: SocketAddr,
    /// An organisation of your own (JSON) instead of the built-in one
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
}

impl SimulatorArgs {
    fn seed(&self) -> anyhow::Result<Seed> {
        let Some(file) = &self.seed else { return Ok(Seed::demo()) };
        let text =
            std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Seed::from_json(&text).with_context(|| format!("{} is not a seed", file.display()))
    }

    async fn start(&self, seed: Seed) -> anyhow::Result<Simulator> {
        let addr = self.dingtalk_addr;
        let advice = || format!("--dingtalk-addr: cannot listen on {addr} (port 0 takes a free one)");
        let quotas = Quotas::standard_edition();
        Simulator::start(Options { addr, seed, quotas }).await.with_context(advice)
    }
}

/// The gateway and the simulator in one process, until Ctrl-C.
pub(crate) async fn sandbox(args: SandboxArgs) -> anyhow::Result<()> {
    let seed = args.simulator.seed()?;
    let (corp_id, app) = first_app(&seed).context("the seed has no app, so nobody could call")?;
    let dingtalk = args.simulator.start(seed).await?;
    let settings = args.config.map_or_else(Sources::environment, Sources::file_and_environment);
    let sources = settings
        .with("server.grpc_addr", args.grpc_addr.to_string())
        .with("server.http_addr", args.http_addr.to_string())
        .with("server.drain_delay", "0s")
        .with("apps.demo.app_key", app.app_key)
        .with("apps.demo.app_secret", app.app_secret)
        .with("apps.demo.corp_id", corp_id)
        .with("apps.demo.api_url", dingtalk.url())
        .with("apps.demo.oapi_url", dingtalk.url());
    let loaded = sources.load()?;
    let telemetry = telemetry::init(&loaded.config.telemetry)?;
    let ports = "--grpc-addr and --http-addr choose the ports of the gateway";
    let workers = Workers::start(loaded.config.server.workers()).context("threads cannot be started")?;
    let server = Server::build(loaded).await.context(ports)?.on(workers);
    let shutdown = shutdown_signal()?;
    let try_it = if server.tls().is_some() { OVER_TLS } else { IN_PLAINTEXT };
    print(&welcome(server.grpc_addr(), try_it, server.http_addr(), dingtalk.addr()))?;
    let outcome = server.run(shutdown).await;
    dingtalk.stop().await;
    telemetry.shutdown().await;
    outcome
}

/// Only the simulator, until Ctrl-C.
pub(crate) async fn simulator(args: SimulatorArgs) -> anyhow::Result<()> {
    let seed = args.seed()?;
    let app = first_app(&seed).map(|(_, app)| format!("app key {}, secret {}", app.app_key, app.app_secret));
    let dingtalk = args.start(seed).await?;
    let shutdown = shutdown_signal()?;
    let (url, app) = (dingtalk.url(), app.unwrap_or_else(|| "no app".to_owned()));
    print(&format!("simulated DingTalk on {url} (both generations), {app}; control: {url}/_sim/state\n"))?;
    shutdown.await;
    dingtalk.stop().await;
    Ok(())
}

fn first_app(seed: &Seed) -> Option<(String, seed::App)> {
    seed.organizations.iter().find_map(|corp| Some((corp.corp_id.clone(), corp.apps.first()?.clone())))
}

/// What two clients want to know to call the gateway: options of grpcurl, options of buf, scheme.
const IN_PLAINTEXT: [&str; 3] = ["-plaintext", "--http2-prior-knowledge", "http"];
const OVER_TLS: [&str; 3] = ["-insecure", "--insecure", "https"];

fn welcome(
    grpc: SocketAddr,
    [grpcurl, buf, scheme]: [&str; 3],
    http: SocketAddr,
    dingtalk: SocketAddr,
) -> String {
    let body = r#"{"title":"Incident 42","owner":{"user_id":"manager4220"},"members":[{"user_id":"user001"}],"internal":{}}"#;
    format!(
        "dinggate sandbox: a gateway with one app, demo, in front of a simulated DingTalk

  gRPC      {grpc}   (reflection is on)
  HTTP      http://{http}/readyz
  DingTalk  http://{dingtalk}/_sim/state   (simulated: users manager4220, user001 to user060)

Try, in another terminal:

  1. grpcurl {grpcurl} -d '{body}' {grpc} dinggate.group.v1.GroupService/CreateGroup
  2. buf curl --protocol grpc {buf} -d '{body}' {scheme}://{grpc}/dinggate.group.v1.GroupService/CreateGroup
  3. curl -s http://{dingtalk}/_sim/calls

Ctrl-C stops it.
"
    )
}
