//! Backups of a log that is being served, and of one that is not.

use crate::{PATIENCE, Program, command, offline, support::one_event};
use annals_event::Sequence;
use annals_service::Exit;
use annals_store::EventStore;
use std::{fs, path::Path};

#[tokio::test]
async fn a_served_log_is_backed_up_and_the_backup_is_served() {
    let (folder, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut with_backups = command(folder.path(), "127.0.0.1:0");
    with_backups.arg("--backups").arg(backups.path());
    let program = Program::of(with_backups).await;
    let client = program.client().await;
    for _ in 0..20 {
        client.append(one_event("a")).await.unwrap();
    }
    let http = reqwest::Client::new();
    let answer =
        http.post(format!("{}/v1/backup", program.url)).json(&serde_json::json!({})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    let body: serde_json::Value = answer.json().await.unwrap();
    let copy = body["folder"].as_str().unwrap();
    assert_eq!((body["head"].as_u64(), Path::new(copy).parent()), (Some(20), Some(backups.path())));
    let again =
        http.post(format!("{}/v1/backup", program.url)).json(&serde_json::json!({})).send().await.unwrap();
    assert_eq!(again.status().as_u16(), 409, "nothing was appended since");
    let stats = http.get(format!("{}/v1/stats", program.url)).send().await.unwrap();
    let stats: serde_json::Value = stats.json().await.unwrap();
    assert_eq!(
        (stats["events"].as_u64(), stats["scrub"]["damages"].as_array().map(Vec::len)),
        (Some(20), Some(0))
    );
    assert!(stats["clock"]["warning"].is_null() && stats["clock"]["log_time_us"].is_i64(), "{stats}");
    client.append(one_event("a")).await.unwrap();
    assert!(program.signal("-TERM").await);

    let (verified, stdout, stderr) = offline(&["verify", "--data", copy]).await;
    assert!(verified && stdout.contains("20 events"), "{stdout}{stderr}");
    let restored = Program::start(Path::new(copy), "127.0.0.1:0").await;
    let receipt = restored.client().await.append(one_event("a")).await.unwrap();
    assert_eq!(receipt.head, Sequence::new(21));
    assert!(restored.signal("-TERM").await);
}

#[tokio::test]
async fn a_folder_for_backups_within_the_logs_own_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut within = command(folder.path(), "127.0.0.1:0");
    within.arg("--backups").arg(folder.path().join("backups"));
    let output = tokio::time::timeout(PATIENCE, within.kill_on_drop(true).output()).await;
    let output = output.expect("it serves").unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--backups") && stderr.contains("in the folder of the log itself"), "{stderr}");
}

#[tokio::test]
async fn a_backup_below_a_relative_folder_is_answered_with_its_whole_path() {
    let (folder, around) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut with_backups = command(folder.path(), "127.0.0.1:0");
    with_backups.current_dir(around.path()).args(["--backups", "backups"]);
    let program = Program::of(with_backups).await;
    program.client().await.append(one_event("a")).await.unwrap();
    let post = reqwest::Client::new().post(format!("{}/v1/backup", program.url));
    let answer: serde_json::Value =
        post.json(&serde_json::json!({})).send().await.unwrap().json().await.unwrap();
    let copy = Path::new(answer["folder"].as_str().unwrap());
    assert!(copy.is_absolute() && copy.join("manifest").is_file(), "{answer}");
}

#[tokio::test]
async fn a_log_that_nobody_serves_is_backed_up_and_nothing_is_replaced() {
    let (folder, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, to) = (folder.path().to_str().unwrap(), backups.path().join("one"));
    let to = to.to_str().unwrap();
    let (done, _, stderr) = offline(&["backup", "--data", data, "--to", to]).await;
    assert!(!done && stderr.contains("contains no log"), "{stderr}");
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    program.client().await.append(one_event("a")).await.unwrap();
    let (done, _, stderr) = offline(&["backup", "--data", data, "--to", to]).await;
    assert!(!done && stderr.contains("POST /v1/backup"), "{stderr}");
    assert!(program.signal("-TERM").await);
    let (done, stdout, stderr) = offline(&["backup", "--data", data, "--to", to]).await;
    assert!(done && stdout.contains("up to event 1"), "{stdout}{stderr}");
    let (done, _, stderr) = offline(&["backup", "--data", data, "--to", to]).await;
    assert!(!done && stderr.contains("is there already"), "{stderr}");
}

#[tokio::test]
async fn of_backups_that_are_asked_for_at_once_each_answer_is_true() {
    const EVENTS: usize = 300;
    let (folder, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut with_backups = command(folder.path(), "127.0.0.1:0");
    with_backups.arg("--backups").arg(backups.path());
    let program = Program::of(with_backups).await;
    let client = program.client().await;
    futures::future::join_all((0..EVENTS).map(|_| client.append(one_event("a")))).await;
    let (http, url) = (reqwest::Client::new(), format!("{}/v1/backup", program.url));
    for round in 1..=5 {
        let ask = || async {
            let answer = http.post(&url).json(&serde_json::json!({})).send().await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.json::<serde_json::Value>().await.unwrap())
        };
        let answers = futures::future::join_all((0..6).map(|_| ask())).await;
        let (made, told): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 201);
        assert_eq!(made.len(), 1, "{told:?}");
        for (status, body) in told {
            assert_eq!(status, 409, "{body}");
        }
        let copy = made[0].1["folder"].as_str().unwrap();
        let (verified, stdout, stderr) = offline(&["verify", "--data", copy]).await;
        let due = format!("{} events", EVENTS + round - 1);
        assert!(verified && stdout.contains(&due), "{stdout}{stderr}");
        client.append(one_event("a")).await.unwrap();
    }
    assert_eq!(fs::read_dir(backups.path()).unwrap().count(), 5, "no draft is left");
}

#[tokio::test]
async fn what_is_left_of_a_backup_is_neither_verified_nor_served_nor_backed_up() {
    let (folder, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, whole) = (folder.path().to_str().unwrap(), backups.path().join("whole"));
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    program.client().await.append(one_event("a")).await.unwrap();
    assert!(program.signal("-TERM").await);
    assert!(offline(&["backup", "--data", data, "--to", whole.to_str().unwrap()]).await.0);
    let left = backups.path().join("left");
    fs::create_dir(&left).unwrap();
    for name in ["LOCK", "manifest"] {
        fs::copy(whole.join(name), left.join(name)).unwrap();
    }
    let (left_name, to) = (left.to_str().unwrap(), backups.path().join("again"));
    let (verified, stdout, stderr) = offline(&["verify", "--data", left_name]).await;
    assert!(!verified && stdout.contains("0000000001.segment"), "{stdout}{stderr}");
    let (done, _, stderr) = offline(&["backup", "--data", left_name, "--to", to.to_str().unwrap()]).await;
    assert!(!done && stderr.contains("contains no log"), "{stderr}");
    let refused = crate::fails(Exit::Store, &left, "127.0.0.1:0").await;
    assert!(refused.contains("0000000001.segment is missing"), "{refused}");
    let empty = backups.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let (verified, stdout, stderr) = offline(&["verify", "--data", empty.to_str().unwrap()]).await;
    assert!(!verified && stdout.is_empty() && stderr.contains("contains no log"), "{stdout}{stderr}");
}
