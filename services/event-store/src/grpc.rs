//! The methods of `annals.v1.EventStore`: each converts the request, asks the store and converts the answer.

use crate::{
    Subscriptions, page,
    subscription::{Messages, Sender},
};
use annals_event::{Append, InvalidAppend, MarkName, Sequence, Timestamp};
use annals_service::LongLived;
use annals_store::{EventStore, ReadError, ReadLog, ReadStream, Subscribe};
use annals_wire::{
    InvalidMessage,
    limits::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX},
    status, v1,
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use v1::event_store_server::{EventStore as Methods, EventStoreServer};

/// How many events of a stream are read for one answer, before the answer is cut to its maximum size.
const STREAM_EVENTS_MAX: usize = 1_000;
/// How many bytes of the log are read for one answer.
const LOG_BYTES_MAX: usize = annals_wire::limits::PAGE_BYTES_MAX;

pub(crate) struct LogMethods {
    store: Arc<dyn EventStore>,
    subscriptions: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// The gRPC service over `store`, with the limits for requests and responses.
pub(crate) fn server(
    store: Arc<dyn EventStore>,
    subscriptions: &Subscriptions,
    shutdown: CancellationToken,
) -> EventStoreServer<LogMethods> {
    let subscriptions = subscriptions.permits();
    EventStoreServer::new(LogMethods { store, subscriptions, shutdown })
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(result: Result<T, ReadError>) -> Answer<T> {
    result.map(Response::new).map_err(|error| status::of_read_error(&error))
}

/// Why the store is not ready, without "unavailable": the client adds that itself.
fn reason_of(error: ReadError) -> String {
    match error {
        ReadError::Unavailable { reason } => reason,
        other => other.to_string(),
    }
}

/// Converts the request to the store's type.
fn read<M, T: TryFrom<M, Error = InvalidMessage>>(request: Request<M>) -> Result<T, Status> {
    T::try_from(request.into_inner()).map_err(|error| bad_read(&error))
}

fn bad_read(error: &impl ToString) -> Status {
    status::of_read_error(&ReadError::Invalid { reason: error.to_string() })
}

#[tonic::async_trait]
impl Methods for LogMethods {
    type SubscribeStream = Messages;

    async fn append(&self, request: Request<v1::AppendRequest>) -> Answer<v1::AppendResponse> {
        let refused = |error: InvalidMessage| InvalidAppend::Refused { reason: error.to_string() };
        let append = Append::try_from(request.into_inner()).map_err(|error| refused(error).into());
        let append = append.map_err(|error| status::of_append_error(&error))?;
        let receipt = self.store.append(append).await;
        receipt.map(|receipt| Response::new(receipt.into())).map_err(|error| status::of_append_error(&error))
    }

    async fn read_stream(&self, request: Request<v1::ReadStreamRequest>) -> Answer<v1::ReadStreamResponse> {
        let mut read: ReadStream = read(request)?;
        read.events_max = read.events_max.min(STREAM_EVENTS_MAX);
        answer(self.store.read_stream(read).await.and_then(|page| page::of_stream(&page)))
    }

    async fn read_log(&self, request: Request<v1::ReadLogRequest>) -> Answer<v1::ReadLogResponse> {
        let mut read: ReadLog = read(request)?;
        read.bytes_max = read.bytes_max.min(LOG_BYTES_MAX);
        answer(self.store.read_log(read).await.and_then(|page| page::of_log(&page)))
    }

    async fn subscribe(&self, request: Request<v1::SubscribeRequest>) -> Answer<Messages> {
        let subscribe: Subscribe = read(request)?;
        let full =
            |_| Status::resource_exhausted("too many subscriptions at once; end one, or try again later");
        let permit = Arc::clone(&self.subscriptions).try_acquire_owned().map_err(full)?;
        let (store, shutdown) = (Arc::clone(&self.store), self.shutdown.clone());
        let mut messages =
            answer(Sender::open(store, subscribe, permit, shutdown).await.map(Sender::messages))?;
        messages.extensions_mut().insert(LongLived);
        Ok(messages)
    }

    async fn head(&self, _: Request<v1::HeadRequest>) -> Answer<v1::HeadResponse> {
        let head = self.store.head().await.map(v1::HeadResponse::from);
        let not_ready = self.store.ready().await.err().map(reason_of).unwrap_or_default();
        answer(head.map(|head| v1::HeadResponse { not_ready, ..head }))
    }

    async fn get_mark(&self, request: Request<v1::GetMarkRequest>) -> Answer<v1::GetMarkResponse> {
        let mark = MarkName::new(request.into_inner().mark).map_err(|error| bad_read(&error))?;
        let sequence = self.store.mark(&mark).await;
        answer(sequence.map(|at| v1::GetMarkResponse { sequence: at.map(Into::into) }))
    }

    async fn sequence_at(&self, request: Request<v1::SequenceAtRequest>) -> Answer<v1::SequenceAtResponse> {
        let time = Timestamp::from_micros(request.into_inner().time_us);
        let sequence = self.store.sequence_at(time).await;
        answer(sequence.map(|at| v1::SequenceAtResponse { sequence: at.get() }))
    }

    async fn get_fingerprint(
        &self,
        request: Request<v1::GetFingerprintRequest>,
    ) -> Answer<v1::GetFingerprintResponse> {
        let at = Sequence::new(request.into_inner().sequence);
        let fingerprint = self.store.fingerprint(at).await;
        answer(fingerprint.map(|found| v1::GetFingerprintResponse { fingerprint: found.map(Into::into) }))
    }

    async fn get_capabilities(
        &self,
        _: Request<v1::GetCapabilitiesRequest>,
    ) -> Answer<v1::GetCapabilitiesResponse> {
        Ok(Response::new(self.store.capabilities().into()))
    }
}
