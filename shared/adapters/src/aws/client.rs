//! The HTTP client beneath the AWS SDK: HTTP/1.1 over rustls, by the same means as the way to targets.
//!
//! The SDK brings one of its own, which speaks HTTP/2 and goes by proxies as well; AWS's services need
//! neither, and a function would load both at every start. What the SDK expects of a client is told by
//! the traits [`HttpClient`] and [`HttpConnector`] and by `aws-smithy-http-client`, which this one
//! follows: how long connecting may take, which failures may be tried again ([`super::failure`]), and
//! that a connection which the SDK calls poisoned is not used again.
//!
//! A call is one request and its whole answer: no service of ours streams, and what has been read whole
//! leaves its connection free at once.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use domain::time::Timestamp;
use http::{Request, Response, response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rustls::RootCertStore;
use tokio_rustls::TlsConnector;

use super::failure::{self, Late, of_answer, of_request, of_way};
use super::origin::Origin;
use crate::clock;
use crate::http1::connection::{Reusable, Sender, Stream, begin, keep};
use crate::http1::dial::dial;
use crate::http1::kept::{Ages, Kept};
use crate::http1::network::{Network, System};
use crate::http1::tls;

/// As long without use as the SDK's own client keeps one; AWS ends a connection that it wants to be
/// rid of. For ten minutes at all: its names move slowly, and a handshake is dear in a small function.
const AGES: Ages = Ages { idle_max_ms: 90_000, age_max_ms: 600_000 };

/// More than any answer's head has.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The client. All of its connectors share its connections and its TLS sessions.
#[derive(Clone)]
pub(super) struct Client(Arc<Shared>);

struct Shared {
    tls: TlsConnector,
    kept: Arc<Kept<Connection>>,
}

/// One open connection.
struct Connection {
    sender: Sender,
    opened_at: Timestamp,
    /// The SDK has seen something on it after which it is not to be used again.
    is_poisoned: Arc<AtomicBool>,
}

/// The client under the time-outs of one call.
#[derive(Clone, Debug)]
struct Connector {
    client: Client,
    connect: Option<Duration>,
    read: Option<Duration>,
}

/// What is known of a request that got no answer, and the request, if not a byte of it was sent.
type Unanswered = (ConnectorError, Option<Request<Full<Bytes>>>);

impl Client {
    /// A client that believes these authorities.
    pub(super) fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let tls = TlsConnector::from(Arc::new(tls::config(roots)?));
        Ok(Self(Arc::new(Shared { tls, kept: Arc::new(Kept::new(AGES)) })))
    }

    fn within(&self, settings: &HttpConnectorSettings) -> Connector {
        let (connect, read) = (settings.connect_timeout(), settings.read_timeout());
        Connector { client: self.clone(), connect, read }
    }

    fn kept(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let connection = self.0.kept.take(&origin.key, clock::now())?;
            if !connection.is_poisoned.load(Ordering::Relaxed) && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Connection, ConnectorError> {
        let opened_at = clock::now();
        let found = System.look_up(origin.name()).await.map_err(of_way)?;
        let addresses: Vec<_> = found.into_iter().map(|ip| (ip, origin.port).into()).collect();
        let tcp = dial(&addresses, &System).await.map_err(of_way)?;
        let stream: Box<dyn Stream> = if origin.is_https {
            let name = tls::server_name(origin.name()).ok_or_else(failure::no_name)?;
            Box::new(self.0.tls.connect(name, tcp).await.map_err(of_way)?)
        } else {
            Box::new(tcp)
        };
        let sender = begin(stream, HEAD_BYTES_MAX).await.map_err(of_request)?;
        Ok(Connection { sender, opened_at, is_poisoned: Arc::default() })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.within(settings))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some(Cow::Borrowed("1.x"))))
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { connector.send(request).await })
    }
}

impl Connector {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let mut request = request.try_into_http1x().map_err(failure::no_request)?;
        let origin = Origin::of(request.uri()).ok_or_else(failure::no_name)?;
        let capture = request.extensions_mut().remove::<CaptureSmithyConnection>();
        let mut request = origin.request(whole(request).await?);
        loop {
            let kept = self.client.kept(&origin);
            let is_kept = kept.is_some();
            let mut connection = match kept {
                Some(kept) => kept,
                None => {
                    within(self.connect, Late::Connection, self.client.connect(&origin)).await??
                }
            };
            if let Some(capture) = &capture {
                connection.show(capture);
            }
            let answer = connection.exchange(request);
            match within(self.read, Late::Answer, answer).await? {
                Ok((head, body)) => {
                    let body = body.collect().await.map_err(of_answer)?.to_bytes();
                    let kept = Arc::clone(&self.client.0.kept);
                    keep(kept, origin.key, connection, clock::now());
                    let answer = Response::from_parts(head, SdkBody::from(body));
                    return HttpResponse::try_from(answer).map_err(failure::no_answer);
                }
                // It had been closed, and nothing was said on it: another one is no second request.
                Err((_, Some(unsent))) if is_kept => request = unsent,
                Err((error, _)) => return Err(error),
            }
        }
    }
}

impl Connection {
    /// Sends a request and reads the head of its answer.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(response::Parts, Incoming), Unanswered> {
        if let Err(error) = self.sender.ready().await {
            return Err((of_request(error), Some(request)));
        }
        match self.sender.try_send_request(request).await {
            Ok(answer) => Ok(answer.into_parts()),
            Err(mut error) => {
                let unsent = error.take_message();
                Err((of_request(error.into_error()), unsent))
            }
        }
    }

    /// Lets the SDK say that this connection is not to be used again.
    fn show(&self, capture: &CaptureSmithyConnection) {
        let is_poisoned = Arc::clone(&self.is_poisoned);
        capture.set_connection_retriever(move || {
            let is_poisoned = Arc::clone(&is_poisoned);
            let poison = move || is_poisoned.store(true, Ordering::Relaxed);
            Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
        });
    }
}

impl Reusable for Connection {
    fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    fn opened_at(&self) -> Timestamp {
        self.opened_at
    }
}

/// The request with all of its body in memory, where the SDK has it anyway.
async fn whole(request: Request<SdkBody>) -> Result<Request<Full<Bytes>>, ConnectorError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    Ok(Request::from_parts(head, Full::new(body)))
}

async fn within<T>(
    limit: Option<Duration>,
    late: fn(Duration) -> Late,
    work: impl Future<Output = T>,
) -> Result<T, ConnectorError> {
    let Some(limit) = limit else { return Ok(work.await) };
    let came = tokio::time::timeout(limit, work).await;
    came.map_err(|_| late(limit).into())
}

#[cfg(test)]
mod tests;
