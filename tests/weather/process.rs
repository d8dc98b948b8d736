//! A process of a proof: killed when it is dropped, all that it says in a file.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};

/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// Longer than any drain.
const LONG: Duration = Duration::from_secs(60);

/// The folder of a proof: configurations and what the processes said. It stays, to be read after a miss.
pub fn folder(proof: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weather").join(proof);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("a folder in the target folder");
    folder
}

#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it and waits for the line that says what `ready` looks for.
    pub async fn start<T>(mut command: Command, log: &Path, ready: impl Fn(&str) -> Option<T>) -> (Self, T) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, mut lines) = unbounded_channel();
        tokio::spawn(follow(child.stdout.take().expect("piped"), sender.clone()));
        tokio::spawn(follow(child.stderr.take().expect("piped"), sender));
        let mut file = File::options().append(true).create(true).open(log).expect("a file for its log");
        loop {
            let line = timeout(SOON, lines.recv()).await;
            let Ok(Some(line)) = line else { panic!("it does not start, see {}", log.display()) };
            writeln!(file, "{line}").expect("room on the disk");
            if let Some(found) = ready(&line) {
                tokio::spawn(async move {
                    while let Some(line) = lines.recv().await {
                        writeln!(file, "{line}").expect("room on the disk");
                    }
                });
                return (Self(child), found);
            }
        }
    }

    /// The most memory that it has held so far, in MiB; zero where the system does not tell.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") / 1024
    }

    /// The memory that it holds, in KiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let Some(pid) = self.0.id() else { return 0 };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = found.and_then(|found| found.trim().strip_suffix(" kB")?.parse().ok());
        kib.unwrap_or_default()
    }

    /// SIGKILL, and gone when this returns.
    pub async fn kill(&mut self) {
        self.0.kill().await.expect("it was started");
    }

    /// SIGTERM, and gone when this returns; whether it ended well and in time.
    pub async fn stop(&mut self) -> bool {
        let pid = self.0.id().expect("it runs");
        let sent = Command::new("kill").arg(pid.to_string()).status().await.expect("kill is everywhere");
        assert!(sent.success(), "it has ended by itself");
        let ended = timeout(LONG, self.0.wait()).await;
        ended.is_ok_and(|ended| ended.expect("it was started").success())
    }
}

async fn follow(stream: impl AsyncRead + Unpin, sender: UnboundedSender<String>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        drop(sender.send(line));
    }
}
