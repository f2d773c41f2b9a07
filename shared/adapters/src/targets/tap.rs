//! A tap in a connection: how much has been read of it, and no more than a head may hold while a
//! head is awaited.
//!
//! hyper says that a connection ended before an answer was whole, and not whether it had begun. A
//! question may be put again only when it had not. And hyper bounds one head, not how many
//! informational ones come before the answer: here they are bounded together.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes read of a connection so far: of what the target says, above TLS.
#[derive(Clone, Default)]
pub(super) struct BytesRead(Arc<Mutex<Reading>>);

#[derive(Default)]
struct Reading {
    count: u64,
    /// While a head is awaited: nothing is read once the count is beyond this.
    most: Option<u64>,
    /// Who reads, once it has been stopped.
    stopped: Option<Waker>,
    /// Who awaits the head.
    waiting: Option<Waker>,
}

/// More was said than a head may hold, and a head was not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadTooLong;

impl BytesRead {
    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// What comes of awaiting a head, unless more than `bytes_max` are read before it has come. Of a
    /// connection on which it was too long, or of which this was dropped, nothing more can be read.
    ///
    /// A head that came with what was read last is not too long, whatever came with it: the reader
    /// is stopped when it asks for more, and by then it has told of the head that it had.
    pub(super) async fn within_head<F: Future>(
        &self,
        bytes_max: u64,
        head: F,
    ) -> Result<F::Output, HeadTooLong> {
        self.await_head(bytes_max);
        // Or it could seem not to have come because its task has done much else.
        let mut head = pin!(tokio::task::unconstrained(head));
        let came = poll_fn(|context| {
            // In this order: had the reader been stopped behind the head, then the head is there.
            let is_stopped = self.is_stopped(context.waker());
            match head.as_mut().poll(context) {
                Poll::Ready(head) => Poll::Ready(Ok(head)),
                Poll::Pending if is_stopped => Poll::Ready(Err(HeadTooLong)),
                Poll::Pending => Poll::Pending,
            }
        });
        let head = came.await?;
        self.go_on();
        Ok(head)
    }

    fn await_head(&self, bytes_max: u64) {
        let mut reading = self.lock();
        reading.most = Some(reading.count.saturating_add(bytes_max));
    }

    /// Whether the reader has been stopped; if it has not, who asks is woken when it is.
    fn is_stopped(&self, waiting: &Waker) -> bool {
        let mut reading = self.lock();
        reading.waiting = Some(waiting.clone());
        reading.stopped.is_some()
    }

    /// The head has come: the reader reads as it likes.
    fn go_on(&self) {
        let mut reading = self.lock();
        reading.most = None;
        reading.waiting = None;
        let stopped = reading.stopped.take();
        drop(reading);
        if let Some(stopped) = stopped {
            stopped.wake();
        }
    }

    /// Whether the reader has to stop here, to be woken when it may go on.
    fn stops(&self, reader: &Waker) -> bool {
        let mut reading = self.lock();
        if reading.most.is_none_or(|most| reading.count <= most) {
            return false;
        }
        reading.stopped = Some(reader.clone());
        let waiting = reading.waiting.take();
        drop(reading);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        true
    }

    fn add(&self, bytes: usize) {
        let mut reading = self.lock();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        reading.count = reading.count.saturating_add(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        // Held for a look only, and across no wait.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that counts what is read of it.
pub(super) struct Tap<S> {
    stream: S,
    read: BytesRead,
}

impl<S> Tap<S> {
    /// The stream, counted, and its counter.
    pub(super) fn new(stream: S) -> (Self, BytesRead) {
        let read = BytesRead::default();
        (Self { stream, read: read.clone() }, read)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.stops(context.waker()) {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.read.add(buffer.filled().len().saturating_sub(before));
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
