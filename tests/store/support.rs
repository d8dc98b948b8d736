//! A redis-server for tests, and the stores they open.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, Once, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use dinggate::store::{Ask, Health, OnFailure, Rate, Reserved, Slot, Store, StoreConfig, StoreKind};
use tokio::time::timeout;

/// Far more than anything here takes.
pub const SOON: Duration = Duration::from_secs(20);

/// A redis-server on a port of its own, killed when it is dropped.
pub struct Redis {
    pub port: u16,
    pub folder: tempfile::TempDir,
    arguments: Vec<String>,
    server: Option<Child>,
}

impl Redis {
    /// The one that tests share, each with keys of its own. It goes with the last test that uses it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Redis>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let redis = Arc::new(Self::start(&[]));
            *shared = Arc::downgrade(&redis);
            redis
        })
    }

    pub fn start(arguments: &[&str]) -> Self {
        let mut redis = Self::stopped(arguments);
        redis.restart();
        redis
    }

    /// One that does not run yet.
    pub fn stopped(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { port, folder: tempfile::tempdir().unwrap(), arguments, server: None }
    }

    /// Starts it, empty, on the port that it had.
    pub fn restart(&mut self) {
        let plain = self.arguments.iter().all(|argument| argument != "--tls-port");
        let port = if plain { self.port.to_string() } else { "0".to_owned() };
        let arguments =
            self.arguments.iter().map(|argument| argument.replace("PORT", &self.port.to_string()));
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
            .args(arguments)
            .current_dir(self.folder.path())
            .stdout(Stdio::piped())
            .spawn();
        let mut server = server.expect("these tests need redis-server on the PATH: run make redis-server");
        let output = BufReader::new(server.stdout.take().unwrap());
        self.server = Some(server);
        let mut said = Vec::new();
        for line in output.lines().map_while(Result::ok) {
            if line.contains("Ready to accept connections") {
                return;
            }
            said.push(line);
        }
        panic!("redis-server does not start: {said:#?}");
    }

    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Stops it in its tracks, or lets it go on.
    pub fn signal(&self, signal: &str) {
        let process = self.server.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &process]).status().unwrap();
        assert!(sent.success());
    }

    /// A configuration with keys that nobody else has.
    pub fn config(&self) -> StoreConfig {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        StoreConfig {
            kind: StoreKind::Redis,
            url: format!("redis://127.0.0.1:{}", self.port).into(),
            url_file: Path::new("").to_owned(),
            ca_file: Path::new("").to_owned(),
            prefix: format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            // A machine that runs many tests at once answers late at times.
            timeout: Duration::from_secs(2),
            replicas: 1,
            on_failure: OnFailure::Degrade,
        }
    }

    /// A store with keys of its own that has been there for long: a new one makes everybody wait for a window.
    pub async fn used(&self) -> Store {
        let config = self.config();
        let store = open(&config).await;
        self.grow_old(&config).await;
        store
    }

    pub async fn grow_old(&self, config: &StoreConfig) {
        self.ask::<()>("SET", &[&format!("{{{}}}:born", config.prefix), "1"]).await;
    }

    /// What a command answers.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &str, arguments: &[&str]) -> T {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd(command).arg(arguments).query_async(&mut connection).await.unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The TLS provider, which `main` installs outside of tests.
pub fn install_tls() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nobody else installs one");
    });
}

/// A store that is there.
pub async fn open(config: &StoreConfig) -> Store {
    let store = Store::open(config).unwrap();
    becomes(&store, Health::Up).await;
    store
}

pub async fn becomes(store: &Store, expected: Health) {
    let mut health = store.health.clone();
    let changed = timeout(SOON, health.wait_for(|health| *health == expected)).await;
    changed.expect("soon").expect("somebody tells");
}

/// Runs a contract against both stores.
#[macro_export]
macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(dinggate::store::Store::memory()).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                let redis = $crate::support::Redis::shared();
                let store = redis.used().await;
                super::$name(store).await;
            })+
        }
    };
}

pub const EGRESS: Rate = Rate { calls: 10_000, per: Duration::from_secs(20) };

pub fn ask(calls: u32, per: Duration) -> Ask {
    Ask {
        app: "orders".into(),
        operation: "group.get",
        rate: Rate { calls, per },
        month: None,
        egress: EGRESS,
        waiting: 1,
        horizon: Duration::from_secs(3600),
    }
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The slot and the wait of a place.
pub async fn place(store: &Store, ask: &Ask) -> (Slot, Duration) {
    match store.budgets.reserve(ask).await.unwrap() {
        Reserved::Place { slot, wait, .. } => (slot, wait),
        later => panic!("{later:?}"),
    }
}
