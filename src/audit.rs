//! The audit log: a JSON line for each write, in a file of its own, written by a thread of its own.
//!
//! RPCs do not wait for the disk, and do not fail with it: a gateway that stops because a disk is full harms more than
//! a gap that is counted and warned of. What cannot be written is lost.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tracing::{info, warn};

/// Lines that may wait for the disk.
const QUEUE: usize = 4096;
/// The path that is standard output.
const STDOUT: &str = "-";

/// `[audit]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The file; `-` for standard output, empty for no audit.
    pub path: String,
}

/// Where lines are written to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Audit(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    orders: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

enum Order {
    Line(Vec<u8>),
    /// Somebody has moved the file away.
    Reopen,
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Opens the file, which must be possible at the start, and starts the thread.
    pub fn open(config: &AuditConfig) -> Result<Self, String> {
        if config.path.is_empty() {
            return Ok(Self(None));
        }
        let path = config.path.clone();
        let sink =
            Sink::open(&path).map_err(|error| format!("audit.path: {path} cannot be opened: {error}"))?;
        let (orders, received) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { path, sink: Some(sink), lost: lost.clone(), failing: false };
        let spawned = thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&received));
        spawned.map_err(|error| format!("the thread of the audit log cannot be started: {error}"))?;
        Ok(Self(Some(Arc::new(Inner { orders, lost }))))
    }

    /// Whether anybody reads what is written.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a line; not now, and not at all if too many are waiting.
    pub fn write(&self, line: &impl Serialize) {
        let Some(Inner { orders, lost }) = self.0.as_deref() else { return };
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = orders.try_send(Order::Line(text))
        {
            count_lost(lost);
        }
    }

    /// Opens the file anew, after somebody has moved it away.
    pub fn reopen(&self) {
        if let Some(inner) = &self.0 {
            drop(inner.orders.try_send(Order::Reopen));
        }
    }

    /// Waits until everything so far is written.
    pub async fn flush(&self) {
        let Some(inner) = &self.0 else { return };
        let (done, written) = oneshot::channel();
        if inner.orders.try_send(Order::Flush(done)).is_ok() {
            drop(written.await);
        }
    }

    /// Lines that could not be written.
    pub fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |inner| inner.lost.load(Ordering::Relaxed))
    }
}

/// The first of a thousand is told of: a full disk must not fill the log as well.
fn count_lost(lost: &AtomicU64) {
    let before = lost.fetch_add(1, Ordering::Relaxed);
    if before.is_multiple_of(1000) {
        warn!(lost = before + 1, "a line of the audit log was lost: the disk is too slow, or full");
    }
}

enum Sink {
    File(File),
    Stdout,
}

impl Sink {
    fn open(path: &str) -> io::Result<Self> {
        if path == STDOUT {
            return Ok(Sink::Stdout);
        }
        Ok(Sink::File(OpenOptions::new().append(true).create(true).mode(0o600).open(path)?))
    }

    /// In one piece, so that others who append to the file do not come between.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Sink::File(file) => file.write_all(line),
            Sink::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(line)?;
                out.flush()
            }
        }
    }
}

struct Writer {
    path: String,
    /// None after a failure: it is opened again for the next line.
    sink: Option<Sink>,
    lost: Arc<AtomicU64>,
    failing: bool,
}

impl Writer {
    /// Until the last handle is gone.
    fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Line(line) => self.line(&line),
                Order::Reopen => self.sink = None,
                // Nobody may be waiting any more.
                Order::Flush(done) => drop(done.send(())),
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let sink = match self.sink.take() {
            Some(sink) => Ok(sink),
            None => Sink::open(&self.path),
        };
        let written = sink.and_then(|mut sink| sink.write(line).map(|()| sink));
        match written {
            Ok(sink) => {
                self.sink = Some(sink);
                if self.failing {
                    info!(path = self.path, "the audit log is written again");
                }
                self.failing = false;
            }
            Err(error) => {
                if !self.failing {
                    warn!(path = self.path, %error, "the audit log cannot be written, lines are lost");
                }
                self.failing = true;
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("dinggate-audit-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn open(file: &std::path::Path) -> Audit {
        Audit::open(&AuditConfig { path: file.to_str().unwrap().to_owned() }).unwrap()
    }

    #[tokio::test]
    async fn lines_are_appended_and_a_moved_file_is_begun_anew() {
        let folder = folder("moved");
        let (file, moved) = (folder.join("audit"), folder.join("audit.1"));
        fs::write(&file, "before\n").unwrap();
        let audit = open(&file);
        audit.write(&1);
        audit.flush().await;
        fs::rename(&file, &moved).unwrap();
        audit.write(&2);
        audit.reopen();
        audit.write(&3);
        audit.flush().await;
        assert_eq!(fs::read_to_string(&moved).unwrap(), "before\n1\n2\n");
        assert_eq!(fs::read_to_string(&file).unwrap(), "3\n");
        assert_eq!(audit.lost(), 0);
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_counted_and_the_next_line_is_tried() {
        let folder = folder("lost");
        let below = folder.join("below");
        fs::create_dir_all(&below).unwrap();
        let audit = open(&below.join("audit"));
        fs::remove_dir_all(&below).unwrap();
        audit.reopen();
        audit.write(&1);
        audit.flush().await;
        assert_eq!(audit.lost(), 1);
        fs::create_dir_all(&below).unwrap();
        audit.write(&2);
        audit.flush().await;
        assert_eq!(fs::read_to_string(below.join("audit")).unwrap(), "2\n");
        assert_eq!(audit.lost(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_written_without_a_path_and_a_bad_one_stops_the_start() {
        let off = Audit::open(&AuditConfig { path: String::new() }).unwrap();
        assert!(!off.is_on());
        off.write(&1);
        off.flush().await;
        let bad = Audit::open(&AuditConfig { path: "/proc/no/such".to_owned() });
        assert!(bad.unwrap_err().contains("audit.path: /proc/no/such cannot be opened"));
    }
}
