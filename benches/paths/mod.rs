//! The hot paths, each as a step that can be done again and again: `micro.rs` measures how long one takes, and
//! `instructions.rs` is for callgrind, which counts what it executes.
//!
//! The gateway is wired as `Server::build` does it, telemetry included, but for sockets of callers: RPCs go into the
//! stack as HTTP requests, and come out as HTTP responses. DingTalk is the simulator, on a thread of its own.

mod pieces;
mod rpcs;

/// Something that happens for each call, or for each event.
pub struct Path {
    pub name: &'static str,
    /// Does it once, and panics if it did not come out as it should.
    pub step: Box<dyn FnMut()>,
}

impl Path {
    fn new(name: &'static str, step: impl FnMut() + 'static) -> Self {
        Self { name, step: Box::new(step) }
    }
}

/// All of them, warmed up.
pub fn all() -> Vec<Path> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nobody else installs one");
    let mut paths = pieces::paths();
    paths.extend(rpcs::paths());
    for path in &mut paths {
        (0..100).for_each(|_| (path.step)());
    }
    paths
}

/// As in `main`, but on the calling thread, so that nothing else is counted.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
