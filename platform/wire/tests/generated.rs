//! The generated code matches the protos. After changing them, regenerate it with
//! `ANNALS_GENERATE=1 cargo test -p annals-wire --test generated`.

use std::{env, error::Error, fs, path::Path};

const PROTO_DIR: &str = "../../proto";
const PROTOS: [&str; 1] = ["annals/v1/event_store.proto"];
const GENERATED: &str = "src/generated/annals.v1.rs";

#[test]
fn the_generated_code_matches_the_protos() {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path()).unwrap();
    let generated = fs::read_to_string(dir.path().join("annals.v1.rs")).unwrap();
    if env::var_os("ANNALS_GENERATE").is_some() {
        fs::write(GENERATED, &generated).unwrap();
    }
    let kept = fs::read_to_string(GENERATED).unwrap();
    assert!(
        kept == generated,
        "{GENERATED} is not what the protos say; the first lines of this test say what to do"
    );
}

/// Compiles the protos, without a `protoc` of the system.
fn generate(out_dir: &Path) -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(PROTOS, [PROTO_DIR])?;
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".")
        .btree_map(".")
        .build_transport(false)
        .codec_path("crate::codec::CountingCodec")
        .out_dir(out_dir)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
