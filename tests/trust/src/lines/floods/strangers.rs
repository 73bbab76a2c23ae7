//! Strangers who send too much, too little or nonsense, for as long as they are allowed to.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

/// What strangers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// Connections that say nothing.
    Idle,
    /// A byte of a header now and then.
    SlowHeaders,
    /// A byte of a body now and then.
    SlowBodies,
    /// Requests that are cancelled as soon as they are made.
    Resets,
    /// Headers that have no end.
    GiantHeaders,
    /// Messages that claim to be 4 GiB.
    GiantLengths,
    /// As many messages of the largest size as a connection may have, each without its last bytes.
    Unfinished,
}

/// How many connections there are of each kind, as long as the server takes them.
const IDLE: u64 = 400;
const SLOW: u64 = 100;
const RESETTING: u64 = 4;
const GIANT: u64 = 20;
const UNFINISHED: u64 = 3;
/// How many messages one connection leaves unfinished.
const MESSAGES: u64 = 256;
/// How large they claim to be: less than the largest.
const MESSAGE_BYTES: u32 = 8 << 20;
const CHUNK_BYTES: usize = 16 << 10;
/// How long a slow one waits before each byte.
const SLOWNESS: Duration = Duration::from_millis(100);
/// How long the server may take to accept a connection as HTTP/2.
const GREETING_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two attempts of a stranger who was disconnected. Strangers that take all of a machine with two cores would
/// show that machine's limits, not the server's.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two bursts of what one stranger sends.
const BURST_PAUSE: Duration = Duration::from_millis(10);
/// How many requests are cancelled in a burst.
const RESETS: u64 = 10;

impl Flood {
    pub(super) const ALL: [Self; 7] = [
        Self::Idle,
        Self::SlowHeaders,
        Self::SlowBodies,
        Self::Resets,
        Self::GiantHeaders,
        Self::GiantLengths,
        Self::Unfinished,
    ];

    const fn connections(self) -> u64 {
        match self {
            Self::Idle => IDLE,
            Self::SlowHeaders | Self::SlowBodies => SLOW,
            Self::Resets => RESETTING,
            Self::GiantHeaders | Self::GiantLengths => GIANT,
            Self::Unfinished => UNFINISHED,
        }
    }

    /// Begins the flood; dropping what is returned ends it.
    pub(super) fn begin(self, address: &str) -> JoinSet<()> {
        let mut strangers = JoinSet::new();
        for _ in 0..self.connections() {
            let address = address.to_owned();
            strangers.spawn(async move {
                loop {
                    // The server may disconnect a stranger; then the next one comes.
                    let _ = self.once(&address).await;
                    sleep(PAUSE).await;
                }
            });
        }
        strangers
    }

    async fn once(self, address: &str) -> Result<()> {
        match self {
            Self::Idle => until_closed(TcpStream::connect(address).await?).await,
            Self::SlowHeaders => slowly(address, b"GET /health HTTP/1.1\r\nx-slow: ").await,
            Self::SlowBodies => {
                let head = "POST /v1/backup HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{";
                slowly(address, head.as_bytes()).await
            }
            Self::Resets => resets(address).await,
            Self::GiantHeaders => giant_headers(address).await,
            Self::GiantLengths => giant_length(address).await,
            Self::Unfinished => unfinished(address).await,
        }
    }
}

async fn until_closed(mut connection: TcpStream) -> Result<()> {
    let mut ignored = [0; 1024];
    while connection.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn slowly(address: &str, begun: &[u8]) -> Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(begun).await?;
    loop {
        sleep(SLOWNESS).await;
        connection.write_all(b"a").await?;
    }
}

async fn giant_headers(address: &str) -> Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(b"GET /health HTTP/1.1\r\nx-giant: ").await?;
    loop {
        connection.write_all(&[b'a'; CHUNK_BYTES]).await?;
        sleep(BURST_PAUSE).await;
    }
}

/// A connection that speaks HTTP/2, as an append would.
async fn speak(address: &str) -> Result<(h2::client::SendRequest<Bytes>, JoinSet<()>)> {
    let connection = TcpStream::connect(address).await?;
    let greeted = timeout(GREETING_TIME_MAX, h2::client::handshake(connection)).await;
    let (sender, connection) = greeted.context("no greeting")??;
    let mut driving = JoinSet::new();
    driving.spawn(async move {
        // It ends with an error when the server disconnects.
        let _ = connection.await;
    });
    Ok((sender, driving))
}

fn append(address: &str) -> Result<Request<()>> {
    let uri = format!("http://{address}/annals.v1.EventStore/Append");
    Ok(Request::post(uri).header("content-type", "application/grpc").header("te", "trailers").body(())?)
}

async fn resets(address: &str) -> Result<()> {
    let (sender, _driving) = speak(address).await?;
    loop {
        for _ in 0..RESETS {
            let mut ready = sender.clone().ready().await?;
            let (_, mut stream) = ready.send_request(append(address)?, false)?;
            stream.send_reset(h2::Reason::CANCEL);
        }
        sleep(BURST_PAUSE).await;
    }
}

async fn giant_length(address: &str) -> Result<()> {
    let (sender, _driving) = speak(address).await?;
    let mut ready = sender.ready().await?;
    let (answer, mut stream) = ready.send_request(append(address)?, false)?;
    stream.send_data(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]), false)?;
    let answered = answer.await?;
    drop(answered);
    Ok(())
}

async fn unfinished(address: &str) -> Result<()> {
    let (mut sender, _driving) = speak(address).await?;
    let mut messages = JoinSet::new();
    for _ in 0..MESSAGES {
        sender = sender.ready().await?;
        let (answer, stream) = sender.send_request(append(address)?, false)?;
        messages.spawn(async move {
            // As much as the server accepts, but never the last bytes.
            let _ = send_most(stream).await;
            let _ = answer.await;
        });
    }
    while messages.join_next().await.is_some() {}
    Ok(())
}

async fn send_most(mut stream: h2::SendStream<Bytes>) -> Result<()> {
    let mut begun = vec![0];
    begun.extend(MESSAGE_BYTES.to_be_bytes());
    stream.send_data(begun.into(), false)?;
    let mut left = usize::try_from(MESSAGE_BYTES)? - 1;
    while left > 0 {
        stream.reserve_capacity(left.min(CHUNK_BYTES));
        let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let count = room.context("the stream is over")??.min(left);
        stream.send_data(vec![0; count].into(), false)?;
        left -= count;
    }
    std::future::pending::<()>().await;
    Ok(())
}
