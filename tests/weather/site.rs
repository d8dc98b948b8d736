//! What a proof runs against: one DingTalk, one Redis, some gateways.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
};

use crate::{
    dingtalk::Dingtalk,
    process::{Process, folder},
    report::Report,
};

/// The configuration of all gateways but for what a proof adds: `limits` of the app, and sections of its own.
const CONFIG: &str = r#"
[server]
grpc_addr = "127.0.0.1:0"
http_addr = "127.0.0.1:0"
drain_delay = "0s"
[telemetry]
log_format = "json"
log_filter = "warn,dinggate::server=info,dinggate::event=info"
[[apps]]
alias = "demo"
app_key = "dingdemo"
app_secret = "demo-secret"
corp_id = "dingcorpdemo"
"#;

pub struct Site {
    pub dingtalk: Dingtalk,
    pub redis: Option<Redis>,
    pub gateways: Vec<Gateway>,
    folder: PathBuf,
}

pub struct Gateway {
    pub addr: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    process: Process,
    /// Known for good once it is killed.
    peak_memory: u64,
}

impl Site {
    /// One gateway with a store of its own.
    pub async fn single(name: &str, limits: &str, sections: &str) -> Self {
        let folder = folder(name);
        let dingtalk = Dingtalk::start(&folder).await;
        let mut site = Self { dingtalk, redis: None, gateways: Vec::new(), folder };
        site.add_gateway(limits, sections).await;
        site
    }

    /// So many gateways on one Redis that forgets everything when it ends.
    pub async fn replicas(name: &str, count: usize, limits: &str, sections: &str) -> Self {
        Self::on_redis(name, Keeps::Nothing, count, limits, sections).await
    }

    /// So many gateways on one Redis.
    pub async fn on_redis(name: &str, keeps: Keeps, count: usize, limits: &str, sections: &str) -> Self {
        let folder = folder(name);
        let dingtalk = Dingtalk::start(&folder).await;
        let redis = Redis::start(&folder, keeps).await;
        let store = format!(
            "[store]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{}\"\nreplicas = {count}\n{sections}",
            redis.port
        );
        let mut site = Self { dingtalk, redis: Some(redis), gateways: Vec::new(), folder };
        for _ in 0..count {
            site.add_gateway(limits, &store).await;
        }
        site
    }

    async fn add_gateway(&mut self, limits: &str, sections: &str) {
        let name = format!("gateway-{}", self.gateways.len() + 1);
        let url = &self.dingtalk.url;
        let text =
            format!("{CONFIG}api_url = \"{url}\"\noapi_url = \"{url}\"\nlimits = {{ {limits} }}\n{sections}");
        let config = self.folder.join(format!("{name}.toml"));
        std::fs::write(&config, text).expect("a folder that is there");
        let log = self.folder.join(format!("{name}.log"));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (process, addr) = serve(&config, any, &log).await;
        self.gateways.push(Gateway { addr, config, log, process, peak_memory: 0 });
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.gateways.iter().map(|gateway| gateway.addr).collect()
    }

    /// The last row of every proof.
    pub fn report_memory(&self, report: &mut Report) {
        let peaks =
            self.gateways.iter().map(|gateway| gateway.peak_memory.max(gateway.process.peak_memory()));
        let peaks: Vec<String> = peaks.map(|peak| format!("{peak}")).collect();
        report.note("peak memory of each gateway", format!("{} MiB", peaks.join(", ")));
    }
}

impl Gateway {
    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.peak_memory = self.peak_memory.max(self.process.peak_memory());
        self.process.kill().await;
    }

    /// SIGTERM, and its end; whether that was a good one.
    pub async fn stop(&mut self) -> bool {
        self.peak_memory = self.peak_memory.max(self.process.peak_memory());
        self.process.stop().await
    }

    /// The next process, at the same address.
    pub async fn restart(&mut self) {
        (self.process, _) = serve(&self.config, self.addr, &self.log).await;
    }

    /// In KiB.
    pub fn memory(&self) -> u64 {
        self.process.memory()
    }

    /// What it has said so far, all processes of this address together.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("it has said something")
    }
}

/// A gateway that serves.
async fn serve(config: &Path, addr: SocketAddr, log: &Path) -> (Process, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dinggate"));
    command.args(["serve", "--config"]).arg(config).env("DINGGATE__SERVER__GRPC_ADDR", addr.to_string());
    Process::start(command, log, serving).await
}

/// Where gRPC is bound, from the line that says so.
fn serving(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["message"] == "serving").then_some(())?;
    line["grpc_addr"].as_str()?.parse().ok()
}

/// What is left of a Redis when it is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keeps {
    Nothing,
    /// All that it has answered.
    Everything,
}

pub struct Redis {
    port: u16,
    keeps: Keeps,
    folder: PathBuf,
    process: Process,
}

impl Redis {
    async fn start(folder: &Path, keeps: Keeps) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let process = Self::run(port, keeps, folder).await;
        Self { port, keeps, folder: folder.to_owned(), process }
    }

    async fn run(port: u16, keeps: Keeps, folder: &Path) -> Process {
        let mut command = Command::new("redis-server");
        let append_only = if keeps == Keeps::Everything { "yes" } else { "no" };
        command.args(["--save", "", "--appendonly", append_only, "--appendfsync", "always"]);
        command.args(["--bind", "127.0.0.1", "--port"]).arg(port.to_string()).arg("--dir").arg(folder);
        let ready = |line: &str| line.contains("Ready to accept connections").then_some(());
        Process::start(command, &folder.join("redis.log"), ready).await.0
    }

    /// SIGKILL; nothing listens on its port any more.
    pub async fn stop(&mut self) {
        self.process.kill().await;
    }

    /// The same address again, with what it keeps.
    pub async fn restart(&mut self) {
        self.process = Self::run(self.port, self.keeps, &self.folder).await;
    }

    /// Commands that clients have sent so far, by name.
    pub async fn commands(&self) -> Vec<(String, u64)> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("Redis runs");
        let mut stream = BufReader::new(stream);
        stream.write_all(b"INFO commandstats\r\n").await.expect("Redis runs");
        let mut length = String::new();
        stream.read_line(&mut length).await.expect("Redis runs");
        let length: usize = length.trim().trim_start_matches('$').parse().expect("a bulk string");
        let mut text = vec![0; length];
        stream.read_exact(&mut text).await.expect("Redis runs");
        let text = String::from_utf8(text).expect("ASCII");
        let rows = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        rows.collect()
    }
}
