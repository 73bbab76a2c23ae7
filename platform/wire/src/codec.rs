//! The codec of the generated code: prost's, except that it counts before it decodes and measures before it encodes.

use crate::{
    count::{self, TooMany},
    status, v1,
};
use annals_event::InvalidAppend;
use annals_store::ReadError;
use bytes::Buf;
use prost::{Message, Name};
use std::marker::PhantomData;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Encodes `T` and decodes `U`. A request that repeats an element too often is refused before anything is decoded,
/// with the error that it would get if it were.
#[derive(Clone, Debug)]
pub struct CountingCodec<T, U>(PhantomData<(T, U)>);

/// A message is handed on before the next one is asked for: one that was asked for ahead would wait in memory when a
/// subscriber takes nothing.
const YIELD_BYTES: usize = 1;
/// The initial room for small messages.
const BUFFER_BYTES: usize = 8 << 10;

impl<T, U> Default for CountingCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for CountingCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = MeasuringEncoder<T>;
    type Decoder = CountingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        MeasuringEncoder(ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)))
    }

    fn decoder(&mut self) -> Self::Decoder {
        CountingDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::default()))
    }
}

/// Makes room for exactly the message, then encodes it. A buffer that grows while it is written ends up to twice as
/// large as the message, and stays so while a subscriber takes nothing.
#[derive(Clone, Debug)]
pub struct MeasuringEncoder<T>(ProstEncoder<T>);

impl<T: Message> Encoder for MeasuringEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        self.0.encode(message, buffer)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// Counts, then decodes.
#[derive(Clone, Debug)]
pub struct CountingDecoder<U>(ProstDecoder<U>);

impl<U: Message + Name + Default> Decoder for CountingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // A message is in one piece here: see `DecodeBuf`.
        count::check(U::NAME, message.chunk()).map_err(refusal)?;
        self.0.decode(message)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

fn refusal(TooMany { message, what, actual, max }: TooMany) -> Status {
    if message == v1::AppendRequest::NAME {
        return status::of_append_error(&InvalidAppend::TooMany { what, actual, max }.into());
    }
    let reason = format!("the filter has {actual} {what}; at most {max} are allowed");
    status::of_read_error(&ReadError::Invalid { reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use std::{pin::pin, task};
    use tonic::codec::{EncodeBody, SingleMessageCompressionOverride::Disable};

    /// What waits to be sent while the messages do.
    fn encoded(message: v1::SubscribeResponse) -> BytesMut {
        let encoder = CountingCodec::<v1::SubscribeResponse, v1::SubscribeRequest>::default().encoder();
        let messages = tokio_stream::once(Ok(message));
        let frame = {
            let mut body = pin!(EncodeBody::new_server(encoder, messages, None, Disable, None));
            let mut context = task::Context::from_waker(task::Waker::noop());
            match http_body::Body::poll_frame(body.as_mut(), &mut context) {
                task::Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap(),
                other => panic!("{other:?}"),
            }
        };
        frame.try_into_mut().unwrap()
    }

    #[test]
    fn a_message_that_waits_takes_no_more_than_its_length() {
        let event = v1::NewEvent {
            payload: vec![0; 1 << 20].into(),
            tags: vec!["key:value".into()],
            ..Default::default()
        };
        let event = v1::RecordedEvent { event: Some(event), ..Default::default() };
        let waiting = encoded(v1::SubscribeResponse { events: vec![event], through: 1, head: 1 });
        let spare = waiting.capacity() - waiting.len();
        assert!(spare < 16 << 10, "{spare} bytes to spare after {}", waiting.len());
    }
}
