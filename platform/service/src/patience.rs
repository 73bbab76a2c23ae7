//! A writer that does not wait for ever for a caller who takes nothing.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep, sleep},
};

/// Fails once nothing could be written for so long.
pub(crate) struct PatientWriter<W> {
    writer: W,
    time_max: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<W: AsyncWrite + Unpin> PatientWriter<W> {
    pub(crate) fn new(writer: W, time_max: Duration) -> Self {
        Self { writer, time_max, deadline: None }
    }

    fn poll_in_time<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut W>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = write(Pin::new(&mut self.writer), context) {
            self.deadline = None;
            return Poll::Ready(written);
        }
        let time_max = self.time_max;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(time_max)));
        ready!(deadline.as_mut().poll(context));
        deadline.as_mut().reset(Instant::now() + time_max);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "it takes nothing of what it asked for")))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for PatientWriter<W> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_in_time(context, |writer, context| writer.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_in_time(context, |writer, context| writer.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_in_time(context, |writer, context| writer.poll_shutdown(context))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_in_time(context, |writer, context| writer.poll_write_vectored(context, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }
}
