//! Connections to targets: a judged address, TLS where the URL says https, HTTP/1.1.

use std::sync::Arc;

use bytes::Bytes;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::limits::REPLY_HEAD_BYTES_MAX;
use domain::time::Timestamp;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::dial::dial;
use super::failure::{Failure, Progress};
use super::network::Network;
use super::resolver::GuardedResolver;
use super::roots;
use super::tap::{BytesRead, Tap};
use crate::clock;

/// Opens connections to what the policy lets it reach.
pub(super) struct Connector<N> {
    resolver: GuardedResolver<N>,
    network: N,
    tls: TlsConnector,
}

/// One open connection, on which one request at a time is made.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) read: BytesRead,
    /// When its address was judged.
    pub(super) opened_at: Timestamp,
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for targets could not be built")]
pub struct NoClient(#[from] rustls::Error);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl<N: Network> Connector<N> {
    pub(super) fn new(
        policy: EgressPolicy,
        network: N,
        roots: RootCertStore,
    ) -> Result<Self, NoClient> {
        let resolver = GuardedResolver::new(policy, network.clone());
        let tls = TlsConnector::from(Arc::new(roots::tls(roots)?));
        Ok(Self { resolver, network, tls })
    }

    /// A new connection. Nothing has been asked on it.
    pub(super) async fn connect(&self, url: &GuardedUrl) -> Result<Connection, Failure> {
        let opened_at = clock::now();
        let stream = self.stream(url).await?;
        let (tap, read) = Tap::new(stream);
        let handshake =
            http1::Builder::new().max_buf_size(REPLY_HEAD_BYTES_MAX).handshake(TokioIo::new(tap));
        let (sender, connection) =
            handshake.await.map_err(|error| Failure::of(&error, Progress::NotConnected))?;
        // It ends with its sender. What goes wrong on it is told to whoever waits for a reply.
        tokio::spawn(connection);
        Ok(Connection { sender, read, opened_at })
    }

    async fn stream(&self, url: &GuardedUrl) -> Result<Box<dyn Stream>, Failure> {
        let addresses = self.resolver.find(url).await?;
        let tcp = dial(&addresses, &self.network).await;
        let tcp = tcp.map_err(|error| Failure::of(&error, Progress::NotConnected))?;
        if url.url().scheme() != "https" {
            return Ok(Box::new(tcp));
        }
        // An IPv6 address stands in brackets in a URL, and not in a certificate.
        let host = url.url().host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| Failure::not_a_uri())?;
        let tls = self.tls.connect(name, tcp).await;
        Ok(Box::new(tls.map_err(|error| Failure::of(&error, Progress::NotConnected))?))
    }
}

/// Scheme, host and port: what a connection is to.
pub(super) fn origin(url: &GuardedUrl) -> String {
    url.url().origin().ascii_serialization()
}
