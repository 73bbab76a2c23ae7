use super::kept::{Folder, Kept, free_port};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
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
    binaries: PathBuf,
    folder: Folder,
    /// Each time it was started. The folder goes when the first of them goes.
    runs: Mutex<Vec<Kept>>,
}

impl Server {
    /// The server that all tests of this process share; `None`: there is nothing to start it from.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER.get_or_init(|| Some(Self::start(&binaries()?))).as_ref()
    }

    /// A server of its own.
    pub(crate) fn own() -> Option<Self> {
        Some(Self::start(&binaries()?))
    }

    /// The URL of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://annals@127.0.0.1:{}/postgres", self.port)
    }

    /// The same by its Unix socket.
    pub(crate) fn socket_url(&self) -> String {
        let folder = self.folder.path.display();
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
        let port = free_port();
        let program = run(&folder, binaries, port);
        Self { port, binaries: binaries.to_owned(), folder, runs: Mutex::new(vec![program]) }
    }

    /// Ends it as a crash does, with what was not on the disk lost, and starts it again.
    pub(crate) fn crash(&self) {
        let lock = self.folder.path.join("data/postmaster.pid");
        let pid = fs::read_to_string(&lock).unwrap().lines().next().unwrap().to_owned();
        // At once, without a checkpoint.
        assert!(Command::new("kill").args(["-QUIT", &pid]).status().unwrap().success());
        let begun = Instant::now();
        // Of a process that has ended, and that nobody asked about, nothing is left but its number.
        let process = Path::new("/proc").join(&pid).join("cmdline");
        while fs::read(&process).is_ok_and(|command| !command.is_empty()) {
            assert!(begun.elapsed() < START_MAX, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let again = run(&self.folder, &self.binaries, self.port);
        self.runs.lock().unwrap().push(again);
    }
}

/// Starts the server in a folder.
fn run(folder: &Folder, binaries: &Path, port: u16) -> Kept {
    let data = folder.path.join("data").display().to_string();
    let (sockets, port) = (folder.path.display().to_string(), port.to_string());
    let arguments = ["-D", &data, "-k", &sockets, "-h", "127.0.0.1", "-p", &port];
    let settings = ["-c", "fsync=off", "-c", CONNECTIONS, "-c", "log_min_messages=warning"];
    // What a crash left would say that it is ready.
    let _ = fs::remove_file(folder.path.join("data/postmaster.pid"));
    let mut program = folder.keep(&binaries.join("postgres"), &[&arguments[..], &settings].concat());
    let begun = Instant::now();
    while !is_ready(program.folder()) {
        let log = program.log();
        assert!(begun.elapsed() < START_MAX, "the server does not start: {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
    program
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
