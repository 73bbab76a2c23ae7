//! The shop and the event store as processes of their own.

use super::Http;
use annals_store_grpc::GrpcStore;
use annals_tests::{Program, Server, lasting_address};
use reqwest::StatusCode;
use serde_json::json;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub static STORE: LazyLock<Program> = LazyLock::new(|| Program::build("annals-event-store").unwrap());

/// The shop, and each of its services.
pub const SHOP: &str = env!("CARGO_BIN_EXE_annals-shop");
pub const ORDERS: &str = env!("CARGO_BIN_EXE_annals-shop-orders");
pub const PAYMENTS: &str = env!("CARGO_BIN_EXE_annals-shop-payments");
pub const SHIPPING: &str = env!("CARGO_BIN_EXE_annals-shop-shipping");

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

    pub fn start_at(address: SocketAddr, folder: &Path) -> Self {
        let (data, backups) = (folder.join("log"), folder.join("backups"));
        let arguments = ["--data".into(), data, "--backups".into(), backups];
        let listen = ["--listen".into(), address.to_string().into()];
        let mut server = STORE.serve(&[&arguments[..], &listen].concat()).unwrap();
        server.line("listening on ").unwrap();
        Self { server, address, folder: folder.to_owned() }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
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

/// A program of the shop.
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
    /// The shop on the event store.
    pub fn start_on(store: &StoreProcess, folder: &Path) -> Self {
        Self::of(SHOP, &folder.join("shop"), &["--store", &store.url()])
    }

    /// The shop on a log of its own.
    pub fn start(folder: &Path) -> Self {
        Self::of(SHOP, &folder.join("shop"), &[])
    }

    /// A program with its data in this folder. Returns once it serves.
    pub fn of(program: &str, data: &Path, more: &[&str]) -> Self {
        let mut command = Program::at(program).command(more);
        command.arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        let mut server = Server::start(command).unwrap();
        let url = server.line("listening on ").unwrap();
        Self { server, http: Http::of(url) }
    }

    pub fn stop(self) {
        self.server.stop().unwrap();
    }

    /// Stops it; returns everything that it said.
    pub fn stop_and_tell(self) -> Vec<String> {
        self.server.signal("TERM").unwrap();
        let (status, said) = self.server.ended().unwrap();
        assert!(status.success(), "{status}: {}", said.join("\n"));
        said
    }
}
