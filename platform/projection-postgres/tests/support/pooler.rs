use super::kept::{Folder, Kept, free_port};
use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// PgBouncer, which gives each transaction another session.
pub(crate) struct Pooler {
    port: u16,
    _program: Mutex<Kept>,
}

impl Pooler {
    /// Before the server that `url` names, for all tests of this process; `None`: it is not installed.
    pub(crate) fn shared(url: &str) -> Option<&'static Self> {
        static POOLER: OnceLock<Option<Pooler>> = OnceLock::new();
        POOLER.get_or_init(|| Self::start(url)).as_ref()
    }

    fn start(url: &str) -> Option<Self> {
        let binary = PathBuf::from("/usr/sbin/pgbouncer");
        if !binary.exists() {
            return None;
        }
        let server = url.split_once('@').unwrap().1.split_once('/').unwrap().0;
        let (host, server_port) = server.split_once(':').unwrap();
        let (folder, port) = (Folder::new(), free_port());
        let settings = format!(
            "[databases]\n* = host={host} port={server_port} user=annals\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 100\nmax_client_conn = 1000\n"
        );
        let file = folder.path.join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut program = folder.keep(&binary, &[file.to_str().unwrap()]);
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = program.log();
            assert!(begun.elapsed() < START_MAX, "it does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { port, _program: Mutex::new(program) })
    }

    /// A database's URL by way of here.
    pub(crate) fn url(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').unwrap();
        format!("{user}@127.0.0.1:{}/{}", self.port, rest.split_once('/').unwrap().1)
    }
}
