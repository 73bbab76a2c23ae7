//! How much memory clients that exceed their limits can take.

use crate::{PATIENCE, Program};
use bytes::Bytes;
use h2::{
    PingPong, SendStream,
    client::{ResponseFuture, SendRequest},
};
use std::{fs, future::poll_fn, time::Duration};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

const FRAME_BYTES: usize = 16 << 10;
const PREFIX_BYTES: usize = 5;
const CONNECTIONS: usize = 16;
/// Fewer than a connection may have, so that there is one for what is refused.
const STREAMS: usize = 240;
/// The budget for bodies, and one connection's share of it.
const BUDGET_BYTES: usize = 64 << 20;
const SHARE_BYTES: usize = BUDGET_BYTES / 4;
/// How many unread bytes a connection may hold: its window, and half as much for waiting requests.
const AHEAD_BYTES: usize = (512 << 10) * 3 / 2;
/// Shorter than a body may pause.
const SLOWNESS: Duration = Duration::from_secs(2);

/// The first bytes of each message of a stranger.
struct Flood {
    first: Bytes,
    /// Sent after each, and refused at once.
    refused: Option<Bytes>,
}

/// The first bytes of a message with this length in its header.
fn begin_of(length: usize, bytes: usize) -> Bytes {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    let mut begin = [&[0][..], &length].concat();
    begin.resize(bytes, 0);
    begin.into()
}

/// A request that stays open until this is dropped.
struct Request {
    answer: ResponseFuture,
    body: SendStream<Bytes>,
}

struct Stranger {
    sender: SendRequest<Bytes>,
    ping: PingPong,
    _driving: JoinSet<()>,
}

impl Stranger {
    async fn connect(address: &str) -> Self {
        let connection = TcpStream::connect(address).await.unwrap();
        connection.set_nodelay(true).unwrap();
        let (sender, mut connection) = h2::client::handshake(connection).await.unwrap();
        let (ping, mut driving) = (connection.ping_pong().unwrap(), JoinSet::new());
        driving.spawn(async move {
            // The program may close it.
            let _ = connection.await;
        });
        Self { sender, ping, _driving: driving }
    }

    async fn begin(&mut self, first: &Bytes) -> Request {
        let request = axum::http::Request::post("http://a/annals.v1.EventStore/Append");
        let request = request.header("content-type", "application/grpc").body(()).unwrap();
        poll_fn(|context| self.sender.poll_ready(context)).await.unwrap();
        let (answer, mut body) = self.sender.send_request(request, false).unwrap();
        body.reserve_capacity(first.len());
        while body.capacity() < first.len() && poll_fn(|context| body.poll_capacity(context)).await.is_some()
        {
        }
        if !first.is_empty() {
            // It may be refused by now.
            let _ = body.send_data(first.clone(), false);
        }
        Request { answer, body }
    }

    /// Waits until the program has seen all that was sent.
    async fn seen(&mut self) {
        self.ping.ping(h2::Ping::opaque()).await.unwrap();
    }
}

/// Takes the whole budget with messages that stay unfinished until this is dropped.
async fn take_budget(address: &str) -> JoinSet<()> {
    const MESSAGE_BYTES: usize = 1 << 20;
    let mut holding = JoinSet::new();
    for _ in 0..BUDGET_BYTES / SHARE_BYTES {
        let (mut stranger, mut requests) = (Stranger::connect(address).await, Vec::new());
        for _ in 0..SHARE_BYTES / MESSAGE_BYTES {
            let begin = begin_of(MESSAGE_BYTES - PREFIX_BYTES, PREFIX_BYTES);
            requests.push(stranger.begin(&begin).await);
        }
        stranger.seen().await;
        holding.spawn(async move {
            let _stranger = stranger;
            loop {
                sleep(SLOWNESS).await;
                for request in &mut requests {
                    let _ = request.body.send_data(Bytes::from_static(&[0]), false);
                }
            }
        });
    }
    holding
}

/// The maximum number of bytes by which the flood makes the program grow.
async fn growth(flood: &Flood) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), "127.0.0.1:0").await;
    let address = program.listen();
    let _holding = take_budget(&address).await;
    let (before, mut strangers) = (memory_bytes_max(&program), Vec::new());
    for _ in 0..CONNECTIONS {
        let (mut stranger, mut requests) = (Stranger::connect(&address).await, Vec::new());
        for _ in 0..STREAMS {
            requests.push(stranger.begin(&flood.first).await);
            if let Some(refused) = &flood.refused {
                drop(stranger.begin(refused).await.answer.await);
            }
        }
        stranger.seen().await;
        strangers.push((stranger, requests));
    }
    memory_bytes_max(&program) - before
}

fn memory_bytes_max(program: &Program) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", program.child.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_ahead_takes_no_more_memory_than_it_may() {
    let too_large = begin_of(1 << 30, FRAME_BYTES);
    let grown = async |first: Bytes, refused: Option<&Bytes>| {
        let flood = Flood { first, refused: refused.cloned() };
        timeout(PATIENCE, growth(&flood)).await.unwrap()
    };
    // The cost of requests, regardless of what they send.
    let (alone, beside) = (grown(Bytes::new(), None).await, grown(Bytes::new(), Some(&too_large)).await);
    let lies = grown(begin_of(1, FRAME_BYTES), None).await;
    let messages = grown(begin_of(FRAME_BYTES - PREFIX_BYTES, FRAME_BYTES), None).await;
    let parts = grown(begin_of(1 << 20, PREFIX_BYTES - 1), Some(&too_large)).await;
    for (what, grown, requests) in
        [("more than they say", lies, alone), ("whole", messages, alone), ("parts", parts, beside)]
    {
        let most = requests + CONNECTIONS * AHEAD_BYTES;
        assert!(grown <= most, "{what}: {grown} bytes, and {most} may be");
    }
}
