//! Files that are replaced while the gateway runs: secrets that Kubernetes mounts, and whatever is edited by hand.

use std::{fs, path::PathBuf, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

/// How often a file is looked at. Its content is compared, because mounted secrets are links to links.
const PERIOD: Duration = Duration::from_secs(2);

/// Says whenever the content of the file is another one than before, beginning with `known`. A file that cannot be
/// read is as it was.
pub(super) async fn follow(file: PathBuf, mut known: Option<Vec<u8>>, mut changed: impl FnMut()) {
    loop {
        sleep(PERIOD).await;
        let file = file.clone();
        let Ok(Ok(content)) = spawn_blocking(move || fs::read(file)).await else { continue };
        if known.as_ref() != Some(&content) {
            known = Some(content);
            changed();
        }
    }
}
