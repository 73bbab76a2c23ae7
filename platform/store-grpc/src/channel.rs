//! Connections to the server, and the metadata of each request.

use crate::{Options, options::TIME_MAX};
use annals_event::LogId;
use annals_wire::{
    LOG_ID_HEADER,
    limits::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX},
    v1::event_store_client::EventStoreClient,
};
use tonic::{
    Request, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// How many bytes of one answer the server may send before the client reads them.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all answers on one connection together. It has room for several answers that are not being read, so
/// that they do not hold up the others.
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// The generated client, with the metadata that [`Carry`] adds to each request.
pub(crate) type Client = EventStoreClient<InterceptedService<Channel, Carry>>;

/// The server's address, with the options for connections to it.
pub(crate) fn endpoint(address: &str, options: &Options) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(address.to_owned())?;
    Ok(endpoint
        .connect_timeout(options.connect_time_max)
        .timeout(options.request_time_max)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(options.keepalive_interval.min(TIME_MAX))
        .keep_alive_timeout(options.keepalive_time_max)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES))
}

/// A client with its own connection, which opens at the first request and reopens after it breaks.
/// `log_id`: the log that the requests are for; a server that holds another log refuses them.
pub(crate) fn client(endpoint: &Endpoint, log_id: Option<LogId>) -> Client {
    EventStoreClient::with_interceptor(endpoint.connect_lazy(), Carry::new(log_id))
        .max_encoding_message_size(REQUEST_BYTES_MAX)
        .max_decoding_message_size(RESPONSE_BYTES_MAX)
}

/// Adds the log's id and the current span's context to each request.
#[derive(Clone)]
pub(crate) struct Carry {
    log_id: Option<AsciiMetadataValue>,
}

impl Carry {
    fn new(log_id: Option<LogId>) -> Self {
        Self { log_id: log_id.and_then(|id| id.to_string().parse().ok()) }
    }
}

impl Interceptor for Carry {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(log_id) = &self.log_id {
            metadata.insert(LOG_ID_HEADER, log_id.clone());
        }
        annals_telemetry::inject_current(|name, value| {
            // A context that is not a valid header is left out: the request matters more than its trace.
            if let Ok(value) = value.parse() {
                metadata.insert(AsciiMetadataKey::from_static(name), value);
            }
        });
        Ok(request)
    }
}
