//! The shop and the event store as processes of their own.

use super::{Http, slice};
use annals_store_grpc::GrpcStore;
use annals_tests::{Program, Server, lasting_address};
use reqwest::StatusCode;
use serde_json::json;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub static STORE: LazyLock<Program> = LazyLock::new(|| Program::build("annals-event-store").unwrap());

/// Purchases that a shop process is fed at its start.
pub const PURCHASES_FED: usize = 3;

/// An event store, with its log and its backups in a folder.
pub struct StoreProcess {
    server: Server,
    address: SocketAddr,
    folder: PathBuf,
}

impl StoreProcess {
    /// At an address that it can be started at again.
    pub fn start(folder: &Path) -> Self {
        Self::start_at(lasting_address(), folder)
    }

    fn start_at(address: SocketAddr, folder: &Path) -> Self {
        let (data, backups) = (folder.join("log"), folder.join("backups"));
        let arguments = ["--data".into(), data, "--backups".into(), backups];
        let listen = ["--listen".into(), address.to_string().into()];
        let mut server = STORE.serve(&[&arguments[..], &listen].concat()).unwrap();
        server.line("listening on ").unwrap();
        Self { server, address, folder: folder.to_owned() }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn client(&self) -> GrpcStore {
        GrpcStore::connect(&self.url(), Default::default()).await.unwrap()
    }

    /// A backup of its log, made while it is served.
    pub async fn back_up(&self) -> PathBuf {
        let made = Http::of(self.url()).post("/v1/backup", json!({})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        made.body["folder"].as_str().unwrap().into()
    }

    pub fn stop(self) {
        self.server.stop().unwrap();
    }

    /// Stops it, puts the backup where its log is, and starts it again at its address.
    pub fn restore(self, backup: &Path) -> Self {
        let Self { server, address, folder } = self;
        server.stop().unwrap();
        put_in_place(backup, &folder.join("log"));
        Self::start_at(address, &folder)
    }
}

/// Puts the backup in the log's place.
pub fn put_in_place(backup: &Path, log: &Path) {
    std::fs::remove_dir_all(log).unwrap();
    std::fs::rename(backup, log).unwrap();
}

/// A shop.
pub struct ShopProcess {
    pub server: Server,
    http: Http,
}

impl Deref for ShopProcess {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

impl ShopProcess {
    /// On the event store.
    pub fn start_on(store: &StoreProcess, folder: &Path) -> Self {
        Self::start_with(folder, &["--store", &store.url()])
    }

    pub fn url(&self) -> &str {
        &self.http.url
    }

    /// With its data in `folder`. Returns once it did its job, or could not.
    pub fn start_with(folder: &Path, more: &[&str]) -> Self {
        let mut command = Program::at(env!("CARGO_BIN_EXE_annals-shop")).command(more);
        command.arg("--data").arg(folder.join("shop")).arg("--purchases").arg(slice(folder, PURCHASES_FED));
        command.args(["--listen", "127.0.0.1:0"]);
        let mut server = Server::start(command).unwrap();
        let url = server.line("serving  ").unwrap();
        server.line(&format!("serving  {url} until")).unwrap();
        Self { server, http: Http::of(url) }
    }

    pub fn stop(self) {
        self.server.stop().unwrap();
    }

    /// Stops it, whether it could do its job or not.
    pub fn end(self) {
        self.server.signal("TERM").unwrap();
        self.server.ended().unwrap();
    }
}
