//! What the targets share: events that go nowhere, and a limit on the memory that one input may take.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use dinggate::{
    event::{EventsConfig, Feed, Mode},
    metrics::Metrics,
    store::Store,
};
use tokio::runtime::{Builder, Runtime};

/// What any input may take, for tables that are set up once ...
const FIXED: usize = 1024 * 1024;
/// ... and each byte of it: an empty list in JSON is one character, and 128 bytes in memory.
const PER_BYTE: usize = 512;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted. libFuzzer's own limit on allocations needs a sanitizer, and stable Rust has none.
struct Counted;

// SAFETY: the system's allocator does everything; the counters are touched by nothing else.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(taken, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Works on an input of this many bytes, and panics if that took more memory than its length explains.
pub fn bounded(input: usize, work: impl FnOnce()) {
    let before = TAKEN.load(Relaxed);
    MOST.store(before, Relaxed);
    work();
    let most = MOST.load(Relaxed) - before;
    assert!(most <= FIXED + PER_BYTE * input, "{input} bytes of input took {most} bytes of memory");
}

/// On the calling thread, as libFuzzer wants it.
pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime needs nothing"));

/// A log that is empty, so that an input does the same whatever came before it.
pub fn feed() -> Feed {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::off);
    let config = EventsConfig {
        mode: Mode::Off,
        retention: Duration::from_secs(60),
        retention_count: 8,
        max_watchers: 1,
        callback_addr: String::new(),
        callback: BTreeMap::new(),
    };
    Feed::new(&Store::memory(), &config, [], METRICS.clone())
}
