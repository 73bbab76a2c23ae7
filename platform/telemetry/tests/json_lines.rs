//! Log lines for programs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use annals_telemetry::{LogForm, Options, init};
use std::process::Command;

/// Set in the process that logs: what it writes to standard error is looked at by the one that started it.
const LOGS: &str = "TEST_LOGS";

#[test]
fn each_line_is_a_json_object_if_that_is_wanted() {
    if std::env::var_os(LOGS).is_some() {
        let telemetry = init(Options { log_form: LogForm::Json, ..Options::new("test") }).unwrap();
        tracing::warn!(stream = "order-1", "a \"word\"\nand another");
        drop(telemetry);
        return;
    }
    let test = "each_line_is_a_json_object_if_that_is_wanted";
    let logging = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(LOGS, "1")
        .output()
        .unwrap();
    let told = String::from_utf8(logging.stderr).unwrap();
    let lines: Vec<serde_json::Value> =
        told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [line] = lines.as_slice() else { panic!("{told}") };
    assert_eq!(line.pointer("/level").unwrap(), "WARN");
    assert_eq!(line.pointer("/fields/message").unwrap(), "a \"word\"\nand another");
    assert_eq!(line.pointer("/fields/stream").unwrap(), "order-1");
}
