//! One request and its reply, on a kept connection or a new one.
//!
//! Nothing is repeated here that was said: a request is moved to another connection only when not a
//! byte of it was written, because a kept one had been closed. Whether to ask again is for the
//! domain to decide, from how far the request came.

use std::sync::Arc;

use bytes::Bytes;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::limits::{KEPT_AGE_MAX_MS, KEPT_IDLE_MAX_MS, REPLY_BYTES_MAX, REPLY_HEAD_BYTES_MAX};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rustls::RootCertStore;

use super::connection::{Connection, Connector, NoClient, origin};
use super::failure::{Failure, Progress};
use super::tap::HeadTooLong;
use crate::clock;
use crate::http1::connection::keep;
use crate::http1::kept::{Ages, Kept};
use crate::http1::network::Network;

/// A name that a target's administrator has moved is judged again by then.
const AGES: Ages = Ages { idle_max_ms: KEPT_IDLE_MAX_MS, age_max_ms: KEPT_AGE_MAX_MS };

/// The HTTP/1.1 client.
pub(super) struct Client<N> {
    connector: Connector<N>,
    kept: Arc<Kept<Connection>>,
}

/// A reply whose head has been read.
pub(super) struct Answer {
    pub(super) head: response::Parts,
    body: Incoming,
    connection: Connection,
    origin: String,
    kept: Arc<Kept<Connection>>,
}

/// What is sent.
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<N: Network> Client<N> {
    pub(super) fn new(
        policy: EgressPolicy,
        network: N,
        roots: RootCertStore,
    ) -> Result<Self, NoClient> {
        Ok(Self {
            connector: Connector::new(policy, network, roots)?,
            kept: Arc::new(Kept::new(AGES)),
        })
    }

    /// Sends a message on a kept connection, where there is one, or on a new one, and reads the head
    /// of the reply.
    pub(super) async fn send(
        &self,
        url: &GuardedUrl,
        message: Message,
        connection: domain::enrich::Connection,
    ) -> Result<Answer, Failure> {
        let origin = origin(url);
        let mut request = request(url, message)?;
        loop {
            let kept = match connection {
                domain::enrich::Connection::Kept => self.kept.take(&origin, clock::now()),
                domain::enrich::Connection::Fresh => None,
            };
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(kept) => kept,
                None => self.connector.connect(url).await?,
            };
            match connection.exchange(request).await {
                Ok((head, body)) => {
                    let kept = Arc::clone(&self.kept);
                    return Ok(Answer { head, body, connection, origin, kept });
                }
                // It had been closed, and nothing was said on it: another one is no second question.
                Err((_, Some(unsent))) if is_kept => request = unsent,
                Err((failure, _)) => return Err(failure),
            }
        }
    }
}

impl Connection {
    /// Sends a request and reads the head of the reply. What was not sent at all comes back.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(response::Parts, Incoming), (Failure, Option<Request<Full<Bytes>>>)> {
        if let Err(error) = self.sender.ready().await {
            return Err((Failure::of(&error, Progress::NotConnected), Some(request)));
        }
        let read_before = self.read.count();
        let reply = self.sender.try_send_request(request);
        match self.read.within_head(REPLY_HEAD_BYTES_MAX as u64, reply).await {
            Err(HeadTooLong) => Err((Failure::head_too_long(), None)),
            Ok(Ok(reply)) => Ok(reply.into_parts()),
            Ok(Err(mut error)) => {
                let unsent = error.take_message();
                let progress = match &unsent {
                    Some(_) => Progress::NotConnected,
                    None if self.read.count() == read_before => Progress::Unanswered,
                    None => Progress::Answering,
                };
                Err((Failure::of(&error.into_error(), progress), unsent))
            }
        }
    }
}

impl Answer {
    /// Reads the body, if it is of at most 64 KiB; `None` of a longer one. Its connection is kept when
    /// nothing is left to read on it.
    pub(super) async fn body(mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut body = Vec::new();
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Failure::of(&error, Progress::Answering))?;
            // Trailers are let pass.
            let Ok(data) = frame.into_data() else { continue };
            if body.len() + data.len() > REPLY_BYTES_MAX {
                return Ok(None);
            }
            body.extend_from_slice(&data);
        }
        if has_one_end(&self.head.headers) {
            keep(self.kept, self.origin, self.connection, clock::now());
        }
        Ok(Some(body))
    }
}

/// Whether a reply says in one way only where it ends. Of one that says it in two nobody knows which
/// of them the other end meant (RFC 9112 §6.3): nothing is asked after it.
fn has_one_end(headers: &HeaderMap) -> bool {
    !(headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH))
}

fn request(url: &GuardedUrl, message: Message) -> Result<Request<Full<Bytes>>, Failure> {
    let Message { method, headers, body } = message;
    let target = &url.url()[url::Position::BeforePath..url::Position::AfterQuery];
    let target: Uri = target.parse().map_err(|_| Failure::not_a_uri())?;
    let host = &url.url()[url::Position::BeforeHost..url::Position::AfterPort];
    let host = HeaderValue::from_str(host).map_err(|_| Failure::not_a_uri())?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

#[cfg(test)]
mod tests;
