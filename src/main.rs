//! The command line.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow, bail};
use clap::{Parser, Subcommand};
use dinggate::{
    audit::Audit,
    config::{self, Config, Sources},
    dingtalk::{Client, Reason},
    identity,
    metrics::Metrics,
    server::{Server, Tls, Workers},
    service::Apps,
    store::{self, Store, StoreKind},
    telemetry,
};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tracing::{info, warn};

use self::health::{HealthArgs, health};

mod health;
#[cfg(feature = "sandbox")]
mod sandbox;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A typed, frugal gRPC gateway to DingTalk's group-chat APIs.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
#[command(after_help = "Example:\n  dinggate serve --config dinggate.toml")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the gateway and a simulated DingTalk in one process: no credentials, no files
    #[cfg(feature = "sandbox")]
    #[command(after_help = format!("Example:\n  dinggate sandbox --grpc-addr 127.0.0.1:50051\n\n{}\n\n{}", sandbox::SETTINGS_HELP, sandbox::LIMITS_HELP))]
    Sandbox(sandbox::SandboxArgs),
    /// Start the gateway
    #[command(after_help = "Examples:\n  dinggate serve --config dinggate.toml\n  \
        DINGGATE__APPS__ORDERS__APP_SECRET=... dinggate serve --config dinggate.toml\n\n\
        Without --config: DINGGATE_CONFIG, then ./dinggate.toml.")]
    Serve(ConfigArg),
    /// Check a configuration and report everything that is wrong with it
    #[command(after_help = "Examples:\n  dinggate check --config dinggate.toml\n  \
        dinggate check --config dinggate.toml --online\n\nExit code 0: usable, 1: not.")]
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// Also fetch an access token for every app, and ask the store whether it is there
        #[arg(long)]
        online: bool,
    },
    /// Print the effective configuration with the origin of each value, secrets hidden
    #[command(
        after_help = "Example:\n  DINGGATE__SERVER__DRAIN_DELAY=0s dinggate config --config dinggate.toml"
    )]
    Config(ConfigArg),
    /// Ask a running gateway whether it serves; exit code 0 when it does
    #[command(after_help = "Examples:\n  dinggate health --addr 127.0.0.1:50051\n  \
        dinggate health --addr https://dinggate.example:50051 --ca ca.pem --cert client.pem --key client-key.pem")]
    Health(HealthArgs),
    /// Make a static token for a caller: prints the token, and the line of the tokens file that lets it in
    #[command(
        after_help = "Example:\n  dinggate token orders\n\nGive the token to the caller, and append the line \
        to the file that auth.static.tokens_file names. The gateway keeps no copy of the token."
    )]
    Token {
        /// The name behind `static:` in the caller's identities
        name: String,
    },
    /// Start only the simulated DingTalk, for tests of other programs
    #[cfg(feature = "sandbox")]
    #[command(after_help = format!("Example:\n  dinggate simulator --dingtalk-addr 127.0.0.1:8080\n\n{}", sandbox::LIMITS_HELP))]
    Simulator(sandbox::SimulatorArgs),
}

#[derive(Debug, clap::Args)]
struct ConfigArg {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArg {
    fn sources(self) -> anyhow::Result<Sources> {
        let file = self.config.or_else(config::default_file);
        let advice = || {
            anyhow!(
                "no configuration: name a file with --config or DINGGATE_CONFIG, or put one at ./dinggate.toml. The least that works:\n\n{}",
                config::EXAMPLE
            )
        };
        file.map(Sources::file_and_environment).ok_or_else(advice)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let outcome = runtime(&cli.command)
        .context("the runtime cannot be started")
        .and_then(|runtime| runtime.block_on(run(cli.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Calls have threads of their own (`server.workers`), and everything else does with one. Only the simulator is meant
/// to have all cores in its one runtime.
fn runtime(command: &Command) -> std::io::Result<Runtime> {
    let mut builder = match command {
        #[cfg(feature = "sandbox")]
        Command::Sandbox(_) | Command::Simulator(_) => Builder::new_multi_thread(),
        Command::Serve(_)
        | Command::Check { .. }
        | Command::Config(_)
        | Command::Health(_)
        | Command::Token { .. } => Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::sandbox(args).await,
        #[cfg(feature = "sandbox")]
        Command::Simulator(args) => sandbox::simulator(args).await,
        Command::Serve(config) => serve(config.sources()?).await,
        Command::Check { config, online } => check(config.sources()?, online).await,
        Command::Config(config) => print(&config.sources()?.load()?.to_string()),
        Command::Health(args) => health(args).await,
        Command::Token { name } => {
            let (token, line) = identity::new_token(&name).map_err(|fault| anyhow!(fault))?;
            print(&format!("token: {token}\nline:  {line}\n"))
        }
    }
}

async fn serve(sources: Sources) -> anyhow::Result<()> {
    let loaded = sources.load()?;
    let telemetry = telemetry::init(&loaded.config.telemetry)?;
    loaded.warnings().for_each(|warning| warn!(warning, "the configuration may surprise"));
    let workers = Workers::start(loaded.config.server.workers()).context("threads cannot be started")?;
    let server = Server::build(loaded).await?.on(workers);
    read_again(sources, server.apps(), server.tls(), server.audit())?;
    let outcome = server.run(shutdown_signal()?).await;
    telemetry.shutdown().await;
    outcome
}

async fn check(sources: Sources, online: bool) -> anyhow::Result<()> {
    let loaded = sources.load()?;
    loaded.warnings().try_for_each(|warning| print(&format!("warning: {warning}\n")))?;
    print(&format!("the configuration is valid, {} app(s)\n", loaded.apps.len()))?;
    if !online {
        return Ok(());
    }
    let Config { dingtalk, token, limits, retry, breaker, .. } = &loaded.config;
    let budgets = Store::memory().budgets;
    let client = Client::new(dingtalk, token, limits, retry, breaker, budgets, Metrics::off())
        .map_err(|error| anyhow!(error))?;
    let mut failed = 0;
    for app in &loaded.apps {
        let deadline = Instant::now() + loaded.config.server.default_deadline;
        match client.check_token(app, deadline).await {
            Ok(()) => print(&format!("app {app}: DingTalk issues an access token\n"))?,
            Err(error) => {
                failed += 1;
                print(&format!("app {app}: {error}: {}\n", advice(error.reason())))?;
            }
        }
    }
    let store = store::ping(&loaded.config.store).await;
    match &store {
        Ok(()) if loaded.config.store.kind == StoreKind::Memory => {}
        Ok(()) => print("store: Redis answers\n")?,
        Err(error) => print(&format!("store: {error}: look at store.url, and at firewalls on the way\n"))?,
    }
    if failed > 0 {
        bail!("{failed} of {} app(s) cannot have an access token", loaded.apps.len());
    }
    Ok(store?)
}

/// What to do about an access token that cannot be had.
fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::AppCredentialsRejected => {
            "compare app_key and app_secret with the credentials of the app in DingTalk's developer console"
        }
        Reason::EgressIpNotAllowed => {
            "allow the egress address of this machine for the app in DingTalk's developer console"
        }
        Reason::UpstreamUnreachable | Reason::UpstreamBusy | Reason::DeadlineExceeded => {
            "look at DNS, proxies and firewalls between this machine and the app's api_url and oapi_url"
        }
        Reason::UpstreamGarbled => {
            "something else answers in DingTalk's place: look at api_url and oapi_url, and at proxies"
        }
        other => other.as_str(),
    }
}

/// Standard output is what this program says; a reader that has gone away is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// From now on SIGHUP reads the secrets and the TLS files again, and opens the audit log anew. All else needs a restart.
fn read_again(sources: Sources, apps: Apps, tls: Option<Tls>, audit: Audit) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tls.as_ref().inspect(|tls| tls.reload());
            audit.reopen();
            match sources.load() {
                Ok(loaded) => {
                    apps.renew_secrets(&loaded.apps);
                    info!("secrets are read again");
                }
                Err(faults) => warn!(%faults, "secrets are not read again"),
            }
        }
    });
    Ok(())
}

/// Ends at the first SIGTERM or Ctrl-C; a second one ends the process.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (first, seen) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut first = Some(first);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match first.take() {
                Some(first) => drop(first.send(())),
                None => std::process::exit(1),
            }
        }
    });
    Ok(async move { drop(seen.await) })
}
