//! The report of the main job, a second run, other files, and the reply to bad input.

use crate::shop::{SHOP, Shop, totals};
use serde_json::Value;
use std::{collections::BTreeSet, fs, net::TcpListener, time::Duration};

/// The most memory that the shop may take, whatever the file's size.
const MEMORY_BYTES_MAX: u64 = 512 << 20;

#[test]
fn the_report_has_the_files_totals_and_a_second_run_changes_none() {
    let shop = Shop::with_purchases(2_000);
    let text = fs::read_to_string(shop.file()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let customers: BTreeSet<_> = rows.iter().map(|row| row[0]).collect();
    let cents = |row: &Vec<&str>| {
        let (whole, part) = row[3].split_once('.').unwrap_or((row[3], ""));
        whole.parse::<u64>().unwrap() * 100 + format!("{part:0<2}").parse::<u64>().unwrap()
    };
    let items = rows.iter().map(|row| row[2].parse::<u64>().unwrap()).sum();
    let expected = [rows.len() as u64, customers.len() as u64, items, rows.iter().map(cents).sum()];

    let first = shop.run();
    assert_eq!(totals(&first), expected);
    assert_eq!(first["resumed"], false);
    assert!(first["events"].as_u64().unwrap() > 4 * first["syncs"].as_u64().unwrap(), "{first}");
    assert_replayed(&first);
    let trace = &first["trace"];
    let services: Vec<_> =
        trace["services"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert_eq!(services, ["orders", "payments", "shipping"]);

    let second = shop.run();
    assert_eq!(totals(&second), expected);
    assert_eq!(second["resumed"], true);
    assert_eq!(second["feed"]["placed"], 0);
    assert_replayed(&second);
}

fn assert_replayed(report: &Value) {
    let replay = &report["replay"];
    assert_eq!(
        (&replay["verified"], &replay["promoted"]),
        (&Value::Bool(true), &Value::Bool(true)),
        "{replay}"
    );
    assert_eq!(replay["read_model"], "customer_value");
    assert!(replay["from"].as_u64().unwrap() > 1, "{replay}");
}

#[test]
fn lines_that_do_not_parse_are_named_and_counted_and_the_rest_goes_on() {
    let shop = Shop::with_purchases(20);
    let mut text = fs::read_to_string(shop.file()).unwrap();
    text.push_str("\n0001,1997-13-01,1,9.99\nnonsense\n0002,1997-03-01,1,1.005\n0003,1997-03-01,1,0.00\n");
    fs::write(shop.file(), text).unwrap();
    let output = SHOP.run(&shop.arguments()).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["orders"], &report["feed"]["bad_lines"]), (&Value::from(21), &Value::from(3)));
    let told = String::from_utf8(output.stderr).unwrap();
    for line in ["line 22", "line 23", "line 24"] {
        assert!(told.contains(line), "{line} is not named in: {told}");
    }
}

#[test]
fn the_committed_purchases_have_their_totals_and_take_little_memory() {
    let shop = Shop::with_purchases(usize::MAX - 1);
    let mut running = SHOP.start(&shop.arguments()).unwrap();
    let mut memory_bytes = 0;
    while running.is_running().unwrap() {
        memory_bytes = running.memory_bytes_max().unwrap_or(0).max(memory_bytes);
        std::thread::sleep(Duration::from_millis(20));
    }
    let report = running.report().unwrap();
    assert_eq!(totals(&report), [6_919, 2_357, 16_479, 24_409_194]);
    assert!((1..MEMORY_BYTES_MAX).contains(&memory_bytes), "{memory_bytes} bytes");
}

/// Runs the shop with these arguments; returns the single line that it may print.
fn refused(arguments: &[&str]) -> String {
    let output = SHOP.run(arguments).unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "nothing was reported");
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = told.lines().filter(|line| !line.starts_with("data ")).collect();
    assert_eq!(lines.len(), 1, "one sentence, not {told}");
    told
}

#[test]
fn what_cannot_work_is_refused_in_one_sentence() {
    let shop = Shop::with_purchases(5);
    let (data, file) = (shop.data().display().to_string(), shop.file().display().to_string());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = refused(&["--once", "--data", &data, "--purchases", &file, "--listen", &address]);
    assert!(told.contains(&address), "{told}");
    assert!(!shop.data().exists(), "a folder was made for a port that is not free");

    let missing = shop.folder.path().join("missing.csv").display().to_string();
    let told = refused(&["--once", "--data", &data, "--purchases", &missing, "--listen", "127.0.0.1:0"]);
    assert!(told.contains("missing.csv"), "{told}");

    shop.run();
    let log = shop.data().join("log");
    let segment = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let segment =
        segment.filter(|path| path.extension().is_some_and(|suffix| suffix == "segment")).min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let told = refused(&["--once", "--data", &data, "--purchases", &file, "--listen", "127.0.0.1:0"]);
    assert!(told.contains(".segment"), "{told}");
}
