//! Connections to targets: a judged address, TLS where the URL says https, HTTP/1.1.
//!
//! TLS 1.2 or later with the public roots of the system. No proxy from the environment.

use std::sync::Arc;

use bytes::Bytes;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::limits::REPLY_HEAD_BYTES_MAX;
use http::Uri;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower_service::Service as _;

use super::failure::{Failure, Progress};
use super::resolver::GuardedResolver;
use super::tap::{BytesRead, Tap};

/// Opens connections to what the policy lets it reach.
pub(super) struct Connector {
    tcp: HttpConnector<GuardedResolver>,
    tls: TlsConnector,
}

/// One open connection, on which one request at a time is made.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) read: BytesRead,
}

/// The HTTP client could not be built: there is no root store.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for targets could not be built")]
pub struct NoClient(#[from] rustls::Error);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    pub(super) fn new(policy: EgressPolicy) -> Result<Self, NoClient> {
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver::new(policy));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?;
        let mut tls = tls.with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tcp, tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// A new connection. Nothing has been asked on it.
    pub(super) async fn connect(&self, url: &GuardedUrl) -> Result<Connection, Failure> {
        let stream = self.stream(url).await?;
        let (tap, read) = Tap::new(stream);
        let handshake =
            http1::Builder::new().max_buf_size(REPLY_HEAD_BYTES_MAX).handshake(TokioIo::new(tap));
        let (sender, connection) =
            handshake.await.map_err(|error| Failure::of(&error, Progress::NotConnected))?;
        // It ends with its sender. What goes wrong on it is told to whoever waits for a reply.
        tokio::spawn(connection);
        Ok(Connection { sender, read })
    }

    async fn stream(&self, url: &GuardedUrl) -> Result<Box<dyn Stream>, Failure> {
        let uri: Uri = origin(url).parse().map_err(|_| Failure::not_a_uri())?;
        let tcp = self.tcp.clone().call(uri).await;
        let tcp = tcp.map_err(|error| Failure::of(&error, Progress::NotConnected))?.into_inner();
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
