//! TLS for servers on loopback: an authority that exists for one test and whose certificates nobody
//! else trusts, and a listener that speaks TLS with one of them.
//!
//! No client of ours can be told to trust it: who is to trust it is started as a process of its own
//! with [`Authority::pem`] as the file that `SSL_CERT_FILE` names.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// A certificate authority with a fresh key.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows to its clients: a certificate for these names, by this authority.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

/// Takes TLS connections on a free loopback port. A handshake that fails, or that hangs, is
/// nothing to the next one.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Authority {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("the operating system gives randomness");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority signs itself"))
    }

    /// Its own certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of its own for a server with these names and addresses.
    #[must_use]
    pub fn identity(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names and addresses");
        let key = KeyPair::generate().expect("the operating system gives randomness");
        let certificate = params.signed_by(&key, &self.0).expect("an authority signs");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's");
        Identity(Arc::new(config))
    }
}

impl TlsListener {
    /// Listens. Connections are taken once somebody serves it.
    pub async fn bind(identity: &Identity) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let acceptor = TlsAcceptor::from(Arc::clone(&identity.0));
        Self { tcp, acceptor, handshakes: JoinSet::new() }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        let acceptor = self.acceptor.clone();
        self.handshakes.spawn(async move {
            // An answer is not held back until the last one is acknowledged.
            stream.set_nodelay(true)?;
            Ok((acceptor.accept(stream).await?, peer))
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => {
                    let (stream, peer) = accepted.expect("a listening socket");
                    self.begin(stream, peer);
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Ok(connection)) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
