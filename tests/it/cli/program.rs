//! The program as a process of its own, in an empty folder and an empty environment.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// The secret that the simulator accepts, and one that it does not. No output may hold either.
pub const SECRET: &str = "demo-secret";
pub const WRONG_SECRET: &str = "wr0ng-S3cret";

/// A folder of its own for each test, removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().to_string());
        fs::create_dir(&folder).expect("a new folder");
        Self(folder)
    }

    /// Writes a file and names it.
    pub fn write(&self, name: &str, text: &str) -> String {
        let file = self.0.join(name);
        fs::write(&file, text).expect("a folder that is there");
        file.to_str().expect("a path in UTF-8").to_owned()
    }

    /// A command in this folder, with no environment but what it needs to be found.
    pub fn command(&self, line: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dinggate"));
        command.args(line).current_dir(&self.0).env_clear().env("RUST_BACKTRACE", "1");
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Program(command)
    }

    /// Runs a command to its end.
    pub async fn run(&self, line: &[&str]) -> Ended {
        self.command(line).run().await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub struct Program(Command);

impl Program {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub async fn run(self) -> Ended {
        self.start().end().await
    }

    pub fn start(mut self) -> Running {
        let mut child = self.0.spawn().expect("the program is there");
        let (sender, lines) = unbounded_channel();
        tokio::spawn(follow(child.stdout.take().expect("piped"), Stream::Out, sender.clone()));
        tokio::spawn(follow(child.stderr.take().expect("piped"), Stream::Err, sender));
        Running { child, lines, out: String::new(), err: String::new() }
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

async fn follow(stream: impl AsyncRead + Unpin, kind: Stream, sender: UnboundedSender<(Stream, String)>) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await.expect("the program writes UTF-8") {
        drop(sender.send((kind, line)));
    }
}

/// Killed when it is dropped.
pub struct Running {
    child: Child,
    lines: UnboundedReceiver<(Stream, String)>,
    out: String,
    err: String,
}

impl Running {
    /// The next line on either stream that holds all of the words.
    pub async fn line(&mut self, words: &[&str]) -> String {
        while let Some(line) = self.next().await {
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
        panic!("it ended without a line with {words:?}:\n{}\n{}", self.out, self.err);
    }

    async fn next(&mut self) -> Option<String> {
        let line = timeout(SOON, self.lines.recv()).await;
        let (stream, line) = line.unwrap_or_else(|_| panic!("silence after:\n{}\n{}", self.out, self.err))?;
        let text = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        *text += &format!("{line}\n");
        Some(line)
    }

    /// Waits until a gateway serves, and says where its gRPC and HTTP ports are.
    pub async fn serves(&mut self) -> (SocketAddr, SocketAddr) {
        let line = self.line(&["\"message\":\"serving\""]).await;
        let line: serde_json::Value = serde_json::from_str(&line).expect("logs are JSON where nobody looks");
        let addr = |key: &str| line[key].as_str().expect(key).parse().expect("a bound address");
        (addr("grpc_addr"), addr("http_addr"))
    }

    /// The most memory that it has held so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let status = Command::new("kill").args([signal, &pid]).status().await;
        assert!(status.expect("kill is there").success());
    }

    /// Waits until it ends.
    pub async fn end(mut self) -> Ended {
        while self.next().await.is_some() {}
        let status = timeout(SOON, self.child.wait()).await.expect("it ends soon").expect("it was started");
        let Self { out, err, .. } = self;
        for secret in [SECRET, WRONG_SECRET] {
            assert!(!out.contains(secret) && !err.contains(secret), "a secret is shown:\n{out}\n{err}");
        }
        assert!(!err.contains("panicked"), "{err}");
        Ended { code: status.code(), out, err }
    }
}

/// How a program ended, and all that it said. It held no secret and no panic.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// It ended well and complained of nothing.
    pub fn well(self) -> String {
        assert!(self.code == Some(0) && self.err.is_empty(), "{self:#?}");
        self.out
    }

    /// It ended with exit code 1 and a message for people.
    pub fn badly(self) -> String {
        assert!(self.code == Some(1) && self.err.starts_with("error: "), "{self:#?}");
        self.err
    }
}
