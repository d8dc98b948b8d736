//! The messages and services that are measured, from the same protos as the gateway's.

use std::error::Error;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../proto");
    let mut compiler = protox::Compiler::new(["../proto", "../proto/third_party"])?;
    let files = ["assistant_service", "group_event_service", "group_service"];
    let files = files.map(|file| format!("dinggate/group/v1/{file}.proto"));
    compiler.include_imports(true).open_files(files)?;
    // Through bytes, because protox may have another version of prost's types.
    let descriptors = compiler.encode_file_descriptor_set();
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .extern_path(".google.rpc", "::tonic_types::pb")
        // Options only: no code is wanted for them.
        .extern_path(".buf.validate", "crate::never_used")
        .extern_path(".google.api", "crate::never_used")
        .compile_fds(tonic_prost_build::FileDescriptorSet::decode(&descriptors[..])?)?;
    Ok(())
}
