//! How long the hot paths take: `make bench-micro`. To be read on a quiet machine, one figure beside the other.

#![allow(missing_docs, unreachable_pub, reason = "nobody imports a benchmark")]

mod paths;

use criterion::Criterion;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for mut path in paths::all() {
        criterion.bench_function(path.name, |bencher| bencher.iter(&mut path.step));
    }
    criterion.final_summary();
}
