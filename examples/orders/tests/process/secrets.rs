//! No password is printed, wherever it was written.

use crate::{command, start};
use annals_tests::Server;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

const PASSWORD: &str = "hunter2";
const URL: &str = "http://shop:hunter2@127.0.0.1:1";

fn told(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_configuration_with_passwords_is_printed_and_refused_without_them() {
    let mut printed = command(&[("ANNALS_MAIL__URL", URL), ("ANNALS_MAIL__PASSWORD", PASSWORD)]);
    printed.arg("--print-config");
    let (code, said) = told(printed);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("http://***@127.0.0.1:1") && said.contains("\"***\""), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let own = [("ANNALS_DATA", data.to_str().unwrap()), ("ANNALS_LISTEN", "127.0.0.1:0")];
    for (name, value) in [("ANNALS_STORE", URL), ("ANNALS_HTPP__BODY", URL), ("ANNALS_HTTP__BODY", URL)] {
        let (code, said) = told(command(&[&own[..], &[(name, value)]].concat()));
        assert_eq!(code, Some(2), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn a_file_with_secrets_that_everybody_can_read_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("annals.toml");
    fs::write(&file, format!("mail.url = '{URL}'")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let mut checked = command(&[("ANNALS_LISTEN", "127.0.0.1:0")]);
    checked.current_dir(folder.path()).arg("--check");
    let (code, said) = told(checked);
    assert_eq!(code, Some(2), "nobody takes it: {said}");
    assert!(said.contains("every user of this machine can read annals.toml"), "{said}");
    assert!(said.contains("mail.url") && !said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn a_collectors_password_is_neither_logged_nor_told() {
    let data = tempfile::tempdir().unwrap();
    let mut command =
        command(&[("ANNALS_DATA", data.path().to_str().unwrap()), ("ANNALS_LISTEN", "127.0.0.1:0")]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", URL).env("OTEL_METRIC_EXPORT_INTERVAL", "50");
    let mut server = Server::start(command).unwrap();
    let url = server.line("listening on ").unwrap();
    for path in ["/health", "/metrics", "/_annals/v1", "/nothing"] {
        let told = reqwest::get(format!("{url}{path}")).await.unwrap().text().await.unwrap();
        assert!(!told.contains(PASSWORD), "{told}");
    }
    server.signal("TERM").unwrap();
    let (_, said) = server.ended().unwrap();
    assert!(!said.join("\n").contains(PASSWORD), "{}", said.join("\n"));
}

#[test]
fn a_folder_says_its_holder_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let (server, url) = start(data.path());
    let lock = fs::read_to_string(data.path().join("annals.lock")).unwrap();
    assert!(lock.starts_with("process ") && lock.trim_end().ends_with(&url), "{lock}");
    server.stop().unwrap();
}
