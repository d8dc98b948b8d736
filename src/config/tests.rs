//! Configurations as files in a folder of their own, under variables of their own. Whatever a test loads is looked
//! through for the secret.

mod anything;
mod defaults;
mod environment;
mod faults;
mod identity;
mod secrets;
mod tls;

use std::{
    ffi::OsStr,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use secrecy::ExposeSecret as _;

use super::*;

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
    finish::secret(&app.config).expect("a readable secret").expect("a secret").expose_secret().to_owned()
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
fn the_command_line_wins_over_all() {
    let (name, value) = ("DINGGATE__SERVER__GRPC_ADDR".to_owned(), "127.0.0.1:1".into());
    let sources = Sources { environment: vec![(name, value)], ..Sources::defaults() };
    let sources = sources.with("server.grpc_addr", "127.0.0.1:2").with("apps.x.app_key", "k");
    let loaded = sources.with("apps.x.app_secret", SECRET).load().unwrap();
    assert_eq!(loaded.config.server.grpc_addr.port(), 2);
    assert!(line(&loaded, "server.grpc_addr").unwrap().ends_with("# command line"));
    assert!(!format!("{loaded:?}{loaded}").contains(SECRET));
}
