use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// What a program's system user is called when the tests run as root, which the program refuses.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Starts the program, and ends it when the other end of the pipe at its standard input is closed: when the test's process
/// ends, however it ends. Then the folder goes.
const KEEPER: &str = r#"
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 & program=$!
read -r _
kill -QUIT $program; wait $program; rm -rf "$folder"
"#;

/// A folder that belongs to whoever runs the programs in it.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    user: Option<SystemUser>,
}

/// A program that runs for as long as this process.
pub(super) struct Kept {
    folder: PathBuf,
    keeper: Child,
    /// Closed when the process ends.
    _alive: ChildStdin,
}

impl Folder {
    pub(super) fn new() -> Self {
        let path = PathBuf::from("/tmp").join(format!("annals-pg-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&path).unwrap();
        let user = SystemUser::find();
        if let Some(user) = &user {
            std::os::unix::fs::chown(&path, Some(user.id), Some(user.group)).unwrap();
        }
        Self { path, user }
    }

    /// A program, to be run by its user.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = match &self.user {
            None => Command::new(program.as_ref()),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={}", user.id)).arg(format!("--regid={}", user.group));
                command.arg("--clear-groups").arg(program.as_ref());
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// Runs a program until this process ends; the folder goes with it.
    pub(super) fn keep(&self, program: &Path, arguments: &[&str]) -> Kept {
        let mut command = self.command("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&self.path).arg(program).args(arguments);
        let mut keeper = command.stdin(Stdio::piped()).spawn().unwrap();
        let alive = keeper.stdin.take().unwrap();
        Kept { folder: self.path.clone(), keeper, _alive: alive }
    }
}

impl Kept {
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the program has said; fails if it has ended.
    pub(super) fn log(&mut self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(self.keeper.try_wait().unwrap().is_none(), "the program ended: {log}");
        log
    }
}

struct SystemUser {
    id: u32,
    group: u32,
}

impl SystemUser {
    /// Who runs the programs; `None`: who runs the tests.
    fn find() -> Option<Self> {
        let id = |arguments: &[&str]| -> Option<u32> {
            let output = Command::new("id").args(arguments).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        if id(&["-u"])? != 0 {
            return None;
        }
        USERS.iter().find_map(|user| Some(Self { id: id(&["-u", user])?, group: id(&["-g", user])? }))
    }
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
