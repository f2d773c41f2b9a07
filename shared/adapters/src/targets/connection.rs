//! Connections to targets: a judged address, TLS where the URL says https, HTTP/1.1.

use std::sync::Arc;

use domain::egress::{EgressPolicy, GuardedUrl};
use domain::limits::REPLY_HEAD_BYTES_MAX;
use domain::time::Timestamp;
use rustls::RootCertStore;
use tokio_rustls::TlsConnector;

use super::failure::{Failure, Progress};
use super::resolver::GuardedResolver;
use super::tap::{BytesRead, Tap};
use crate::clock;
use crate::http1::connection::{Reusable, Sender, Stream, begin};
use crate::http1::network::Network;
use crate::http1::tls;

/// Opens connections to what the policy lets it reach.
pub(super) struct Connector<N> {
    resolver: GuardedResolver<N>,
    network: N,
    tls: TlsConnector,
}

/// One open connection, on which one request at a time is made.
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) read: BytesRead,
    /// When its address was judged.
    pub(super) opened_at: Timestamp,
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for targets could not be built")]
pub struct NoClient(#[from] rustls::Error);

impl Reusable for Connection {
    fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    fn opened_at(&self) -> Timestamp {
        self.opened_at
    }
}

impl<N: Network> Connector<N> {
    pub(super) fn new(
        policy: EgressPolicy,
        network: N,
        roots: RootCertStore,
    ) -> Result<Self, NoClient> {
        let resolver = GuardedResolver::new(policy, network.clone());
        let tls = TlsConnector::from(Arc::new(tls::config(roots)?));
        Ok(Self { resolver, network, tls })
    }

    /// A new connection. Nothing has been asked on it.
    pub(super) async fn connect(&self, url: &GuardedUrl) -> Result<Connection, Failure> {
        let opened_at = clock::now();
        let stream = self.stream(url).await?;
        let (tap, read) = Tap::new(stream);
        let sender = begin(Box::new(tap), REPLY_HEAD_BYTES_MAX).await;
        let sender = sender.map_err(|error| Failure::of(&error, Progress::NotConnected))?;
        Ok(Connection { sender, read, opened_at })
    }

    async fn stream(&self, url: &GuardedUrl) -> Result<Box<dyn Stream>, Failure> {
        let addresses = self.resolver.find(url).await?;
        let tcp = addresses.dial(&self.network).await;
        let tcp = tcp.map_err(|error| Failure::of(&error, Progress::NotConnected))?;
        if url.url().scheme() != "https" {
            return Ok(Box::new(tcp));
        }
        let name = tls::server_name(url.url().host_str().unwrap_or_default());
        let name = name.ok_or_else(Failure::not_a_uri)?;
        let tls = self.tls.connect(name, tcp).await;
        Ok(Box::new(tls.map_err(|error| Failure::of(&error, Progress::NotConnected))?))
    }
}

/// Scheme, host and port: what a connection is to.
pub(super) fn origin(url: &GuardedUrl) -> String {
    url.url().origin().ascii_serialization()
}
