//! A disk without room: what the program says, and how it continues once there is room.

use crate::{PATIENCE, Program, command, support::one_event};
use annals_store::{AppendError, EventStore, ReadLog};
use annals_store_grpc::GrpcStore;
use std::{path::Path, time::Duration};
use tokio::process::Command;

const RESERVE_BYTES: u64 = 2 << 20;

/// A file system in memory.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`: this process is not allowed to mount.
    async fn mount(mib: u64) -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        disk.mount_with(&format!("size={mib}m")).await.then_some(disk)
    }

    async fn mount_with(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(self.folder.path());
        mount.output().await.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because the program may still be running.
        drop(std::process::Command::new("umount").arg("-l").arg(self.folder.path()).output());
    }
}

async fn start(data: &Path, reserve_bytes: u64) -> Program {
    let mut reserved = command(data, "127.0.0.1:0");
    reserved.args(["--reserve-bytes", &reserve_bytes.to_string()]);
    Program::of(reserved).await
}

/// A client that does not retry, so that it sees each refusal.
async fn impatient(program: &Program) -> GrpcStore {
    let options = annals_store_grpc::Options {
        retry_time_max: Duration::ZERO,
        ..annals_store_grpc::Options::default()
    };
    GrpcStore::connect(&program.url, options).await.unwrap()
}

async fn room(program: &Program) -> serde_json::Value {
    let stats = reqwest::get(format!("{}/v1/stats", program.url)).await.unwrap();
    stats.json::<serde_json::Value>().await.unwrap()["room"].clone()
}

/// Waits until health says so, without appending anything; returns why it is not ready.
async fn health_becomes(program: &Program, wanted: u16) -> serde_json::Value {
    let said = async {
        loop {
            let answer = reqwest::get(format!("{}/health/ready", program.url)).await.unwrap();
            if answer.status().as_u16() == wanted {
                return answer.json().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, said).await.expect("health does not say what becomes of appends")
}

async fn refused(client: &GrpcStore) -> String {
    match client.append(one_event("order-1")).await.unwrap_err() {
        AppendError::Unavailable { reason } => reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_disk_without_the_reserve_is_for_reading_only_and_the_program_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), 0).await;
    program.client().await.append(one_event("order-1")).await.unwrap();
    assert!(program.signal("-TERM").await);

    let program = start(folder.path(), u64::MAX).await;
    let client = impatient(&program).await;
    let health = health_becomes(&program, 503).await;
    assert!(health["detail"].as_str().unwrap().contains("are kept in reserve"), "{health}");
    let not_ready = client.ready().await.unwrap_err().to_string();
    assert!(not_ready.contains("no room") && not_ready.contains("are kept in reserve"), "{not_ready}");
    let reason = refused(&client).await;
    assert!(reason.contains("no room") && reason.contains("are kept in reserve"), "{reason}");
    let room = room(&program).await;
    assert_eq!(room["reserve_bytes"].as_u64(), Some(u64::MAX));
    assert!(room["appends_refused"].as_str().unwrap().contains("are kept in reserve"), "{room}");
    let read = ReadLog::from(annals_event::Sequence::FIRST);
    assert_eq!(client.read_log(read).await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn appends_stop_at_the_reserve_and_go_on_without_a_restart() {
    let Some(disk) = SmallDisk::mount(8).await else { return };
    let program = start(&disk.folder.path().join("log"), RESERVE_BYTES).await;
    let client = impatient(&program).await;
    client.append(one_event("order-1")).await.unwrap();
    assert!(room(&program).await["appends_refused"].is_null());

    let taken = disk.folder.path().join("taken");
    std::fs::write(&taken, vec![1; 5 << 20]).unwrap();
    health_becomes(&program, 503).await;
    let reason = refused(&client).await;
    assert!(reason.contains("are kept in reserve"), "{reason}");
    let low = room(&program).await;
    assert!(low["free_bytes"].as_u64().unwrap() < RESERVE_BYTES, "{low}");
    assert!(low["appends_refused"].as_str().unwrap().contains("are kept in reserve"), "{low}");
    client.append(one_event("$replay-1")).await.unwrap();

    std::fs::remove_file(taken).unwrap();
    health_becomes(&program, 200).await;
    client.ready().await.unwrap();
    client.append(one_event("order-1")).await.unwrap();
    assert!(room(&program).await["appends_refused"].is_null());
    assert!(program.signal("-TERM").await);
}
