//! Compiles the protos without a system protoc.

use std::error::Error;

const PROTO_DIR: &str = "../../proto";
const PROTOS: [&str; 1] = ["annals/v1/event_store.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO_DIR}");
    let descriptors = protox::compile(PROTOS, [PROTO_DIR])?;
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".")
        .btree_map(".")
        .build_transport(false)
        .codec_path("crate::codec::CountingCodec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
