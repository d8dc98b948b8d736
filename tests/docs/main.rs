//! The pages in `docs/` say what the protos, the table of operations and the client programs say. `make docs` writes them
//! again.

#![allow(unreachable_pub, missing_docs, reason = "nobody imports a test")]
#![allow(clippy::unwrap_used, reason = "that is how a test fails")]

mod calls;
mod clients;
mod comments;
mod operations;
mod pages;
mod reference;
mod telemetry;

use std::{
    fs,
    path::{Path, PathBuf},
};

use dinggate::pb;
use prost_reflect::DescriptorPool;

fn contract() -> DescriptorPool {
    DescriptorPool::decode(pb::DESCRIPTORS).expect("the descriptors of the contract")
}

fn pages() -> [(PathBuf, String); 4] {
    let pool = contract();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("docs");
    [
        (folder.join("reference.md"), reference::page(&pool)),
        (folder.join("operations.md"), operations::page(&pool)),
        (folder.join("clients.md"), clients::page(root)),
        (folder.join("telemetry.md"), telemetry::page(root)),
    ]
}

#[test]
fn the_pages_are_up_to_date() {
    for (file, page) in pages() {
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == page, "{} is not what the code says: run `make docs`", file.display());
    }
}

#[test]
#[ignore = "writes docs/: `make docs` runs it"]
fn write_the_pages() {
    for (file, page) in pages() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, page).unwrap();
    }
}
