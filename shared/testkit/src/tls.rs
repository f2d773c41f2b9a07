//! TLS for servers on loopback: an authority that exists for one test and whose certificates nobody
//! else trusts, and a listener that speaks TLS with one of them.
//!
//! No client of ours can be told to trust it by a setting, a variable or a file: a test gives its
//! certificate as an argument, which a release of a function has no place for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, GeneralSubtree, IsCa, KeyPair,
    NameConstraints, date_time_ymd,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
        Self::with(CertificateParams::default())
    }

    /// A new one that may speak for names below this domain, and for no address.
    #[must_use]
    pub fn generate_for(domain: &str) -> Self {
        let mut params = CertificateParams::default();
        let permitted_subtrees = vec![GeneralSubtree::DnsName(domain.to_owned())];
        let constraints = NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() };
        params.name_constraints = Some(constraints);
        Self::with(params)
    }

    fn with(mut params: CertificateParams) -> Self {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority signs itself"))
    }

    /// Its own certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The same in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.0.der()
    }

    /// A certificate of its own for a server with these names and addresses.
    #[must_use]
    pub fn identity(&self, names: &[&str]) -> Identity {
        self.sign(&params(names), &[])
    }

    /// The same, and it has expired.
    #[must_use]
    pub fn expired(&self, names: &[&str]) -> Identity {
        let mut params = params(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(&params, &[])
    }

    /// The same as [`Self::identity`], followed by so many certificates that prove nothing.
    #[must_use]
    pub fn followed_by(&self, names: &[&str], certificates: usize) -> Identity {
        self.sign(&params(names), &vec![self.0.der().clone(); certificates])
    }

    fn sign(&self, params: &CertificateParams, after: &[CertificateDer<'static>]) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("an authority signs");
        Identity::of([&[certificate.der().clone()], after].concat(), &key)
    }
}

impl Identity {
    /// Of a server with these names and addresses, by nobody's word but its own.
    #[must_use]
    pub fn self_signed(names: &[&str]) -> Self {
        let key = key();
        let certificate = params(names).self_signed(&key).expect("a key signs itself");
        Self::of(vec![certificate.der().clone()], &key)
    }

    fn of(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key is the certificate's");
        Self(Arc::new(config))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the operating system gives randomness")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names and addresses")
}

impl TlsListener {
    /// Listens. Connections are taken once somebody serves it.
    pub async fn bind(identity: &Identity) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let acceptor = identity.acceptor();
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
