//! The service as a process that is configured by its environment alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cannot_open;
mod clients;
mod copies;
mod leaving;
mod secrets;
mod waiting;

use annals_tests::{Program, Server};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

/// The program with these variables and no other of its own.
fn command(variables: &[(&str, &str)]) -> Command {
    let none: [&str; 0] = [];
    let mut command = Program::at(env!("CARGO_BIN_EXE_annals-orders")).command(&none);
    let configures = |name: &str| name.starts_with("ANNALS_");
    std::env::vars().filter(|(name, _)| configures(name)).for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.envs(variables.iter().copied());
    command
}

fn start(data: &Path) -> (Server, String) {
    let data = data.to_str().unwrap();
    let mut server =
        Server::start(command(&[("ANNALS_DATA", data), ("ANNALS_LISTEN", "127.0.0.1:0")])).unwrap();
    let url = server.line("listening on ").unwrap();
    (server, url)
}

#[track_caller]
fn assert_refuses(output: &Output, code: i32, said: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(said), "{told}");
}

#[test]
fn an_address_in_use_is_told_before_any_folder_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = command(&[("ANNALS_DATA", data.to_str().unwrap()), ("ANNALS_LISTEN", &address)]);
    assert_refuses(&command.output().unwrap(), 4, &format!("{address} is in use"));
    assert!(!data.exists());
}

#[test]
fn a_folder_that_another_process_has_is_refused_with_its_holder() {
    let data = tempfile::tempdir().unwrap();
    let (holder, url) = start(data.path());
    let data = data.path().to_str().unwrap();
    let mut command = command(&[("ANNALS_DATA", data), ("ANNALS_LISTEN", "127.0.0.1:0")]);
    assert_refuses(&command.output().unwrap(), 5, &url);
    holder.stop().unwrap();
}

#[test]
fn a_key_that_nobody_takes_is_a_wrong_configuration() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("other.toml");
    fs::write(&file, "mail.url = 'x'").unwrap();
    let own = [("ANNALS_DATA", data.path().to_str().unwrap()), ("ANNALS_LISTEN", "127.0.0.1:0")];
    for (variable, value, said) in [
        ("ANNALS_HTPP__REQUEST", "5s", "did you mean http.request?"),
        ("ANNALS_HTTP__REQEST", "5s", "did you mean http.request?"),
        ("ANNALS_CONFIG", file.to_str().unwrap(), "mail.url"),
    ] {
        let refused = command(&[own.as_slice(), &[(variable, value)]].concat()).output().unwrap();
        assert_refuses(&refused, 2, said);
    }
    assert_refuses(&command(&own).arg("--mail.url=x").output().unwrap(), 2, "mail.url");
}

#[test]
fn a_table_of_another_service_in_the_environment_is_warned_of() {
    let data = tempfile::tempdir().unwrap();
    let variables = [
        ("ANNALS_DATA", data.path().to_str().unwrap()),
        ("ANNALS_LISTEN", "127.0.0.1:0"),
        ("ANNALS_LENDING__PORT", "8081"),
        ("ANNALS_MAIL__PASSWORD", "hunter2"),
    ];
    let told = "ANNALS_LENDING__PORT, ANNALS_MAIL__PASSWORD: no table of this program has such a name";
    let checked = command(&variables).arg("--check").output().unwrap();
    assert_refuses(&checked, 0, told);
    let mut server = Server::start(command(&variables)).unwrap();
    server.line("listening on ").unwrap();
    server.signal("TERM").unwrap();
    let (status, said) = server.ended().unwrap();
    assert!(status.success(), "{status}: {}", said.join("\n"));
    assert_eq!(said.iter().filter(|line| line.contains(told)).count(), 1, "{}", said.join("\n"));
    assert!(!said.join("\n").contains("hunter2"));
}

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let data_variable = ("ANNALS_DATA", data.to_str().unwrap());
    let listen = ("ANNALS_LISTEN", "127.0.0.1:0");
    let checked = command(&[data_variable, listen]).arg("--check").output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let more = [data_variable, listen, ("ANNALS_READ_MODEL__CUSTOMER_VALUES__SNAPSHOT_EVERY", "10")];
    let refused = command(&more).arg("--check").output().unwrap();
    assert_refuses(&refused, 2, "customer_value");
    assert!(!data.exists());
}
