//! ../../proto -> messages and clients. protox instead of protoc, so that cargo is all it needs.

use std::{error::Error, path::Path};

const PROTO: &str = "../../proto";
const FILES: [&str; 4] = ["error_reason", "group_event_service", "group_service", "member_service"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO}");
    let files = FILES.map(|name| format!("dinggate/group/v1/{name}.proto"));
    let includes = [Path::new(PROTO), &Path::new(PROTO).join("third_party")];
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds(protox::compile(files, includes)?)?;
    Ok(())
}
