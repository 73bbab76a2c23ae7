//! One connection: find out which HTTP it speaks, and serve it within its limits.
//!
//! The protocol is told from the first bytes here and not by hyper, which would wait for them for ever.

use crate::{
    answered::Answered,
    budget::Share,
    exchange::{Exchanges, answer},
    limits::{FRAME_BYTES_MAX, HttpLimits, STREAM_WINDOW_BYTES},
    patience::PatientWriter,
};
use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, io::Cursor, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Largest headers of one request, in bytes.
const HEADER_BYTES_MAX: u32 = 16 << 10;
/// Most headers of one HTTP/1 request.
const HEADERS_MAX: usize = 64;
/// How much of one answer waits for the caller to take it, in bytes.
const SEND_BUFFER_BYTES_MAX: usize = 256 << 10;
/// Requests that the caller may give up before they were looked at (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 32;
/// Bad requests on a connection before it is closed (CVE-2025-8671).
const LOCAL_RESETS_MAX: usize = 256;

/// Why a connection ended before its time. Of interest to whoever looks for a bad client; nothing is lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("it said nothing in time")]
    Silent,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// What a connection is served with.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) router: Router,
    pub(crate) limits: Arc<HttpLimits>,
    pub(crate) share: Share,
    pub(crate) answered: Answered,
}

/// Serves a connection until it ends, or `shutdown` and the answers under way are done.
pub(crate) async fn serve(
    stream: TcpStream,
    host: Host,
    shutdown: CancellationToken,
) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    let (mut reader, writer) = stream.into_split();
    let opening = timeout(host.limits.header_time_max, read_opening(&mut reader));
    let Some(opening) = shutdown.run_until_cancelled(opening).await else { return Ok(()) };
    let opening = opening.map_err(|_| ConnectionError::Silent)??;
    let is_http2 = opening == HTTP2_PREFACE;
    let writer = PatientWriter::new(writer, host.limits.answer_time_max);
    let io = tokio::io::join(Cursor::new(opening).chain(reader), writer);
    if is_http2 { serve_http2(io, host, shutdown).await } else { serve_http1(io, host, shutdown).await }
}

/// Reads until it is clear whether HTTP/2 is spoken, and gives what was read.
async fn read_opening(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut opening = Vec::with_capacity(HTTP2_PREFACE.len());
    while opening.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(&opening) {
        let missing = HTTP2_PREFACE.len() - opening.len();
        let mut part = (&mut *reader).take(u64::try_from(missing).unwrap_or(0));
        if part.read_buf(&mut opening).await? == 0 {
            break;
        }
    }
    Ok(opening)
}

async fn serve_http2(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: Host,
    shutdown: CancellationToken,
) -> Result<(), ConnectionError> {
    let (limits, exchanges) = (Arc::clone(&host.limits), Exchanges::new(&host.limits));
    let mut builder = http2::Builder::new(exchanges.clone());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_time_max)
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits.connection_window())
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX);
    let service = service_fn(move |request| host.clone().answer(request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = shutdown.cancelled() => {}
        () = exchanges.idle_for(limits.idle_time_max) => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}

async fn serve_http1(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: Host,
    shutdown: CancellationToken,
) -> Result<(), ConnectionError> {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(host.limits.header_time_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(usize::try_from(HEADER_BYTES_MAX).unwrap_or(usize::MAX));
    let service = service_fn(move |request| host.clone().answer(request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
    if let Some(ended) = shutdown.run_until_cancelled(connection.as_mut()).await {
        return Ok(ended?);
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}

impl Host {
    async fn answer(self, request: Request<Incoming>) -> Result<axum::response::Response, Infallible> {
        let response = answer(self.router, request, &self.limits, self.share).await?;
        self.answered.count(response.status().as_u16());
        Ok(response)
    }
}
