use super::kept::{Folder, Kept, free_port};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(60);
/// How many connections all tests of a process may have.
const CONNECTIONS: &str = "max_connections=400";

/// A server for throw-away databases.
pub(crate) struct Server {
    port: u16,
    program: Mutex<Kept>,
}

impl Server {
    /// The server that all tests of this process share; `None`: there is nothing to start it from.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER.get_or_init(|| Some(Self::start(&binaries()?))).as_ref()
    }

    /// The URL of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://annals@127.0.0.1:{}/postgres", self.port)
    }

    /// The same by its Unix socket.
    pub(crate) fn socket_url(&self) -> String {
        let folder = self.program.lock().unwrap().folder().display().to_string();
        format!("postgres://annals@localhost:{}/postgres?host={folder}", self.port)
    }

    fn start(binaries: &Path) -> Self {
        let folder = Folder::new();
        let data = folder.path.join("data").display().to_string();
        // With an order of texts that is not that of their bytes, so that it shows where it is forgotten.
        let order = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"];
        let init = |order: &[&str]| {
            let mut command = folder.command(binaries.join("initdb"));
            command
                .args(["-D", &data, "-U", "annals", "--auth=trust", "-E", "UTF8", "--no-sync"])
                .args(order);
            command.output().unwrap().status.success()
        };
        assert!(init(&order) || init(&["--locale=C.UTF-8"]), "initdb failed");
        let (port, sockets) = (free_port(), folder.path.display().to_string());
        let arguments = ["-D", &data, "-k", &sockets, "-h", "127.0.0.1", "-p", &port.to_string()];
        let settings = ["-c", "fsync=off", "-c", CONNECTIONS, "-c", "log_min_messages=warning"];
        let mut program = folder.keep(&binaries.join("postgres"), &[&arguments[..], &settings].concat());
        let begun = Instant::now();
        while !is_ready(program.folder()) {
            let log = program.log();
            assert!(begun.elapsed() < START_MAX, "the server does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, program: Mutex::new(program) }
    }
}

/// A server says so in its lock file.
fn is_ready(folder: &Path) -> bool {
    let lock = fs::read_to_string(folder.join("data/postmaster.pid"));
    lock.is_ok_and(|text| text.lines().any(|line| line.trim() == "ready"))
}

/// The folder of the server's binaries: in the path, else of the newest version that is installed.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_whole = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    let in_path = std::env::split_paths(&path).find(is_whole);
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = installed.map(|entry| entry.path().join("bin")).filter(is_whole).collect();
    folders.sort();
    in_path.or_else(|| folders.pop())
}
