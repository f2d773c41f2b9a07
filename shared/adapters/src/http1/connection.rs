//! One open connection, and how it comes to be kept.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::time::Timestamp;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::kept::Kept;

/// How long a connection may take to be done with what was read of it to the end.
const SETTLING: Duration = Duration::from_secs(1);

/// Bytes both ways: TCP, or TLS over it.
///
/// One type for all of them, because hyper is compiled anew for each.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The near end of a connection, on which one request at a time is made.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// A connection that may be kept between two requests.
pub(crate) trait Reusable: Send + 'static {
    /// Its near end.
    fn sender(&mut self) -> &mut Sender;

    /// Since when it is open.
    fn opened_at(&self) -> Timestamp;
}

/// Begins to speak HTTP/1.1. Nothing has been asked yet.
pub(crate) async fn begin(stream: Box<dyn Stream>, head_bytes_max: usize) -> hyper::Result<Sender> {
    let handshake = Builder::new().max_buf_size(head_bytes_max).handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await?;
    // It ends with its sender. What goes wrong on it is told to whoever waits for a reply.
    tokio::spawn(connection);
    Ok(sender)
}

/// Keeps a connection, of whose last reply nothing is left to read, once it can serve again.
pub(crate) fn keep<C: Reusable>(
    kept: Arc<Kept<C>>,
    origin: String,
    mut connection: C,
    since: Timestamp,
) {
    let opened_at = connection.opened_at();
    if connection.sender().is_ready() {
        kept.put(&origin, connection, opened_at, since);
        return;
    }
    // Its task has still to see that the body has been read, or has seen that it is closed.
    tokio::spawn(async move {
        let ready = tokio::time::timeout(SETTLING, connection.sender().ready()).await;
        if let Ok(Ok(())) = ready {
            kept.put(&origin, connection, opened_at, since);
        }
    });
}
