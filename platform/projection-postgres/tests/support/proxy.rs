use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What becomes of a `COMMIT` that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Commits {
    /// It passes, and its answer.
    Pass,
    /// It passes, and the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks before it.
    LoseQuestion,
}

/// A connection in between that can break. The commit of a fold breaks once, and passes from then on.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    commits: Arc<AtomicU8>,
}

impl Proxy {
    /// Between its address and the server that `url` names.
    pub(crate) async fn before(url: &str) -> Self {
        let target = url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), commits: Arc::default() };
        let passing = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(passing.clone().pass(client, target.clone()));
            }
        });
        proxy
    }

    /// The server's URL by way of here.
    pub(crate) fn url(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').unwrap();
        format!("{user}@{}/{}", self.address, rest.split_once('/').unwrap().1)
    }

    /// What becomes of the next commit.
    pub(crate) fn next(&self, commits: Commits) {
        self.commits.store(commits as u8, Ordering::SeqCst);
    }

    async fn pass(self, mut client: TcpStream, target: String) {
        let Ok(mut server) = TcpStream::connect(target).await else { return };
        let (mut question, mut answer, mut folds) = (vec![0; 1 << 16], vec![0; 1 << 16], false);
        loop {
            tokio::select! {
                read = client.read(&mut question) => {
                    let Ok(length @ 1..) = read else { return };
                    let passing = &question[..length];
                    // Other connections commit, too.
                    folds |= passing.windows(11).any(|bytes| bytes == b"FROM unnest");
                    let breaks = match folds && passing.windows(7).any(|bytes| bytes == b"COMMIT\0") {
                        true => self.commits.swap(Commits::Pass as u8, Ordering::SeqCst),
                        false => Commits::Pass as u8,
                    };
                    if breaks == Commits::LoseQuestion as u8 || server.write_all(passing).await.is_err() {
                        return;
                    }
                    if breaks == Commits::LoseAnswer as u8 {
                        // It is answered when the commit is done.
                        let _ = server.read(&mut answer).await;
                        return;
                    }
                }
                read = server.read(&mut answer) => {
                    let Ok(length @ 1..) = read else { return };
                    if client.write_all(&answer[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
