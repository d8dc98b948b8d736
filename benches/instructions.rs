//! The hot paths for callgrind, which counts and dumps what each call of [`counted`] executes: `make instructions`. Prints
//! the names in the order of the dumps.

#![allow(missing_docs, unreachable_pub, reason = "nobody imports a benchmark")]
#![allow(clippy::print_stdout, reason = "that is what it is for")]

mod paths;

/// Steps that are counted; the reader divides by it.
const STEPS: usize = 200;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    println!("{STEPS} steps each");
    for mut path in paths::all() {
        counted(&mut *path.step);
        println!("{}", path.name);
    }
}

/// A function with a name that callgrind can be told.
#[inline(never)]
fn counted(step: &mut dyn FnMut()) {
    for _ in 0..STEPS {
        step();
    }
}
