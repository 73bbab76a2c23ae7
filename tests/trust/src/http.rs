//! A single plain HTTP/1 request, for what a server tells people.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET` of a path.
pub(crate) async fn get(address: &str, path: &str) -> Result<Answer> {
    timeout(ANSWER_TIME_MAX, ask(address, path)).await.with_context(|| format!("no answer from {path}"))?
}

async fn ask(address: &str, path: &str) -> Result<Answer> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    Ok(Answer { status: status.with_context(|| format!("no HTTP from {path}"))?, body: body.to_owned() })
}
