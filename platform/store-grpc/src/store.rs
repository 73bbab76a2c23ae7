//! The adapter: each method sends a request, and repeats it while the server cannot be reached.

use crate::{
    Options,
    channel::{Client, client, endpoint},
    contact::{Contact, not_understood, tell},
    retry::Retry,
    subscription,
};
use annals_event::{Append, Fingerprint, LogId, MarkName, Receipt, Sequence, Timestamp};
use annals_store::{
    AppendError, Capabilities, EventStore, Head, LogPage, ReadError, ReadLog, ReadStream, StreamPage,
    Subscribe, Subscription,
};
use annals_telemetry::record_rpc_status;
use annals_wire::{status, v1};
use async_trait::async_trait;
use std::{fmt, sync::Arc, time::Duration};
use tonic::{Code, Response, Status, transport::Endpoint};
use tracing::{Instrument, debug};

/// Why connecting failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not valid.
    #[error(
        "{address:?} is not the address of an event store; such an address looks like http://127.0.0.1:7400"
    )]
    Address {
        /// The address.
        address: String,
    },
    /// The server does not answer, or its answer is wrong.
    #[error("cannot use the event store at {address}: {cause}")]
    Store {
        /// Its address.
        address: String,
        /// What went wrong.
        cause: ReadError,
    },
}

/// A handle to a log on a server. Clones are cheap and share the connection.
#[derive(Clone)]
pub struct GrpcStore {
    shared: Arc<Shared>,
    options: Options,
}

struct Shared {
    contact: Arc<Contact>,
    endpoint: Endpoint,
    client: Client,
    capabilities: Capabilities,
    log_id: LogId,
}

impl GrpcStore {
    /// Connects to the server at `address`, e.g. `http://127.0.0.1:7400`, and asks which log it holds. If the server is not
    /// up yet, it is retried for as long as with any other request.
    pub async fn connect(address: &str, options: Options) -> Result<Self, ConnectError> {
        let refused = || ConnectError::Address { address: address.to_owned() };
        let endpoint = endpoint(address, &options).map_err(|_| refused())?;
        if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().host().is_none() {
            return Err(refused());
        }
        let failed = |cause| ConnectError::Store { address: address.to_owned(), cause };
        let contact = Arc::new(Contact::to(address));
        let (log_id, mut capabilities) = introduce(&endpoint, &contact, &options).await.map_err(failed)?;
        capabilities.name = format!("{} at {address}", capabilities.name);
        let client = client(&endpoint, Some(log_id));
        let shared = Arc::new(Shared { contact, endpoint, client, capabilities, log_id });
        Ok(Self { shared, options })
    }

    /// A handle to the same log, over the same connection, with another deadline for its calls: each takes at most
    /// `call_time_max`, including all its attempts. An append that fails at the deadline may still have been done: repeat it
    /// with the same request id.
    #[must_use]
    pub fn within(&self, call_time_max: Duration) -> Self {
        Self { shared: self.shared.clone(), options: Options { call_time_max, ..self.options.clone() } }
    }

    /// The server's address.
    pub fn address(&self) -> &str {
        self.shared.contact.address()
    }

    /// The log that the handle belongs to.
    pub fn log_id(&self) -> LogId {
        self.shared.log_id
    }

    /// Asks until the server answers or the time for attempts is over.
    async fn read<R: Clone, M, T, F>(&self, question: Question<R, F>) -> Result<T, ReadError>
    where
        T: TryFrom<M, Error: fmt::Display>,
        F: Future<Output = Result<Response<M>, Status>>,
    {
        ask_again(&self.shared.client, &self.shared.contact, &self.options, question).await
    }

    async fn append_again(&self, request: v1::AppendRequest) -> Result<Receipt, AppendError> {
        let span = annals_telemetry::rpc_client_span("annals.v1.EventStore/Append");
        let (Shared { client, contact, .. }, mut retry) = (&*self.shared, Retry::new(&self.options));
        loop {
            let mut client = client.clone();
            let answering = client.append(request.clone()).instrument(span.clone());
            let answer = retry.attempt(contact, answering).await;
            let code = code_of(&answer);
            let error = match answer {
                Ok(response) => {
                    contact.found();
                    record_rpc_status(&span, code);
                    return Ok(response.into_inner().into());
                }
                Err(status) => status::to_append_error(&status),
            };
            tell(contact, error.is_retryable(), &error);
            if !error.is_retryable() || !retry.again().await {
                record_rpc_status(&span, code);
                return Err(error);
            }
            debug!(%error, "repeating an append with the same request id");
        }
    }
}

impl fmt::Debug for GrpcStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrpcStore({})", self.address())
    }
}

/// A request that can safely be repeated.
struct Question<R, F> {
    method: &'static str,
    request: R,
    ask: fn(Client, R) -> F,
}

/// Asks which log the server holds, and what its store can do: once, before there is a handle.
async fn introduce(
    endpoint: &Endpoint,
    contact: &Contact,
    options: &Options,
) -> Result<(LogId, Capabilities), ReadError> {
    let client = client(endpoint, None);
    let head: Head = ask_again(&client, contact, options, head_question()).await?;
    let capabilities = Question {
        method: "annals.v1.EventStore/GetCapabilities",
        request: v1::GetCapabilitiesRequest {},
        ask: |mut client, request| async move { client.get_capabilities(request).await },
    };
    Ok((head.log_id, ask_again(&client, contact, options, capabilities).await?))
}

/// Asks, in one span for all attempts; the span records the status of the last one.
async fn ask_again<R: Clone, M, T, F>(
    client: &Client,
    contact: &Contact,
    options: &Options,
    question: Question<R, F>,
) -> Result<T, ReadError>
where
    T: TryFrom<M, Error: fmt::Display>,
    F: Future<Output = Result<Response<M>, Status>>,
{
    let span = annals_telemetry::rpc_client_span(question.method);
    let mut retry = Retry::new(options);
    loop {
        let answering = (question.ask)(client.clone(), question.request.clone()).instrument(span.clone());
        let answer = retry.attempt(contact, answering).await;
        let code = code_of(&answer);
        let error = match answer {
            Ok(response) => {
                contact.found();
                record_rpc_status(&span, code);
                return T::try_from(response.into_inner()).map_err(|error| not_understood(&error));
            }
            Err(status) => status::to_read_error(&status),
        };
        tell(contact, error.is_retryable(), &error);
        if !error.is_retryable() || !retry.again().await {
            record_rpc_status(&span, code);
            return Err(error);
        }
        debug!(%error, method = question.method, "asking again");
    }
}

fn code_of<M>(answer: &Result<Response<M>, Status>) -> i32 {
    answer.as_ref().err().map_or(Code::Ok, Status::code).into()
}

fn head_question()
-> Question<v1::HeadRequest, impl Future<Output = Result<Response<v1::HeadResponse>, Status>>> {
    Question {
        method: "annals.v1.EventStore/Head",
        request: v1::HeadRequest {},
        ask: |mut client, request| async move { client.head(request).await },
    }
}

#[async_trait]
impl EventStore for GrpcStore {
    fn capabilities(&self) -> Capabilities {
        self.shared.capabilities.clone()
    }

    async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        append.validate()?;
        self.append_again(append.into()).await
    }

    async fn read_stream(&self, read: ReadStream) -> Result<StreamPage, ReadError> {
        self.read(Question {
            method: "annals.v1.EventStore/ReadStream",
            request: v1::ReadStreamRequest::from(read),
            ask: |mut client, request| async move { client.read_stream(request).await },
        })
        .await
    }

    async fn read_log(&self, read: ReadLog) -> Result<LogPage, ReadError> {
        self.read(Question {
            method: "annals.v1.EventStore/ReadLog",
            request: v1::ReadLogRequest::from(read),
            ask: |mut client, request| async move { client.read_log(request).await },
        })
        .await
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, ReadError> {
        let Shared { endpoint, contact, log_id, .. } = &*self.shared;
        let server = subscription::Server {
            client: client(endpoint, Some(*log_id)),
            contact: contact.clone(),
            options: self.options.clone(),
        };
        subscription::open(server, subscribe).await
    }

    /// Asks the server, because it answers reads even when its log has stopped writing.
    async fn ready(&self) -> Result<(), ReadError> {
        let answer: v1::HeadResponse = self.read(head_question()).await?;
        match answer.not_ready {
            reason if reason.is_empty() => Ok(()),
            reason => Err(ReadError::Unavailable { reason }),
        }
    }

    async fn head(&self) -> Result<Head, ReadError> {
        self.read(head_question()).await
    }

    async fn mark(&self, mark: &MarkName) -> Result<Option<Sequence>, ReadError> {
        let question = Question {
            method: "annals.v1.EventStore/GetMark",
            request: v1::GetMarkRequest { mark: mark.as_str().to_owned() },
            ask: |mut client, request| async move { client.get_mark(request).await },
        };
        let answer: v1::GetMarkResponse = self.read(question).await?;
        Ok(answer.sequence.map(Sequence::new))
    }

    async fn fingerprint(&self, at: Sequence) -> Result<Option<Fingerprint>, ReadError> {
        let question = Question {
            method: "annals.v1.EventStore/GetFingerprint",
            request: v1::GetFingerprintRequest { sequence: at.get() },
            ask: |mut client, request| async move { client.get_fingerprint(request).await },
        };
        let answer: v1::GetFingerprintResponse = self.read(question).await?;
        let fingerprint = answer.fingerprint.map(Fingerprint::try_from);
        fingerprint.transpose().map_err(|error| not_understood(&error))
    }

    async fn sequence_at(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        let question = Question {
            method: "annals.v1.EventStore/SequenceAt",
            request: v1::SequenceAtRequest { time_us: time.as_micros() },
            ask: |mut client, request| async move { client.sequence_at(request).await },
        };
        let answer: v1::SequenceAtResponse = self.read(question).await?;
        Ok(Sequence::new(answer.sequence))
    }
}
