//! proto/ -> Rust: messages and services, the descriptor set for reflection, and what would otherwise
//! be written by hand: the checks and the common fields of each request, and the list of RPCs.

#[path = "build/check.rs"]
mod check;
#[path = "build/common.rs"]
mod common;
#[path = "build/methods.rs"]
mod methods;
#[path = "build/names.rs"]
mod names;

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto", "proto/third_party"])?;
    compiler.include_imports(true).include_source_info(true).open_files(protos("proto/dinggate")?)?;

    // Encoded by protox, because decoding into prost's own types would drop the custom options.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), &descriptors)?;

    tonic_prost_build::configure()
        .build_client(true)
        .generate_default_stubs(false)
        .codec_path("crate::pb::codec::Codec")
        // In one order, so that equal messages have equal bytes.
        .btree_map(".")
        .extern_path(".google.rpc", "::tonic_types::pb")
        // Options only: no code is wanted for them.
        .extern_path(".buf.validate", "crate::never_used")
        .extern_path(".google.api", "crate::never_used")
        .compile_fds(tonic_prost_build::FileDescriptorSet::decode(&descriptors[..])?)?;

    let pool = compiler.descriptor_pool();
    fs::write(out.join("common.rs"), common::generate(&pool)?)?;
    fs::write(out.join("methods.rs"), methods::generate(&pool)?)?;
    fs::write(out.join("checks.rs"), check::Checks::new(pool)?.generate()?)?;
    Ok(())
}

/// The proto files below a folder, relative to the include path.
fn protos(folder: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(protos(path.to_str().ok_or("a folder name that is not UTF-8")?)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path.strip_prefix("proto").unwrap_or(&path).to_owned());
        }
    }
    found.sort();
    Ok(found)
}
