//! What is written oddly, and would be misread without a word.

use super::*;

#[test]
fn a_configuration_that_is_no_regular_file_is_refused_unread() {
    for path in ["/dev/zero", "/dev/null", "/"] {
        let told = refused(&["--config", path], &[], "");
        assert_eq!(told, format!("--config: cannot read {path}: it is no regular file"));
    }
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let told = refused(&["--config", pipe.to_str().unwrap()], &[], "");
    assert!(told.ends_with("it is no regular file"), "{told}");
}

#[test]
fn a_configuration_of_more_than_a_mebibyte_is_refused() {
    let text = |bytes: usize| format!("#{}", "x".repeat(bytes - 1));
    given(&[], &[], &text(1 << 20)).unwrap();
    let told = refused(&[], &[], &text((1 << 20) + 1));
    assert_eq!(told, "annals.toml: cannot read annals.toml: it is larger than 1 MiB");
}

#[test]
fn a_path_with_a_nul_is_refused() {
    let nul = "it has a NUL character; write the name of a folder";
    for (key, file) in [
        ("data", r#"data = "a\u0000b""#),
        ("read_models.url", r#"read_models.url = "sqlite:a\u0000b""#),
        ("read_models.snapshots", r#"read_models.snapshots = "a\u0000b""#),
    ] {
        assert_eq!(refused(&[], &[], file), format!("{key} (from annals.toml): {nul}"));
    }
}

#[test]
fn a_flag_that_is_given_twice_is_refused() {
    let told = |arguments: &[&str]| refused(arguments, &[], "");
    assert_eq!(told(&["--data=a", "--data", "b"]), "--data: it is given twice; --help tells them all");
    assert_eq!(told(&["--config=a", "--config=b"]), "--config: it is given twice; --help tells them all");
    assert_eq!(
        told(&["--store=memory:", "--store.url=http://a:1"]),
        "--store.url: --store sets the same key; leave one out; --help tells them all"
    );
}
