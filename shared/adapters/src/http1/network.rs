//! The network: names that have addresses, and addresses that take connections.
//!
//! Which addresses of a target may be connected to is not decided here: see `targets/resolver.rs`.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

/// The system's in production; in tests a script, so that a name can lead anywhere and every
/// connection that would be opened is counted.
pub(crate) trait Network: Clone + Send + Sync + 'static {
    /// An open connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// All addresses of a name. It may take as long as it wants.
    fn look_up(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;

    /// Opens a connection to this address and to no other.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// The system's resolver and sockets. No proxy: nothing here reads the environment.
#[derive(Clone, Copy)]
pub(crate) struct System;

impl Network for System {
    type Stream = TcpStream;

    /// `getaddrinfo`: aliases have been followed, and the last one's addresses are what is found.
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        // A request is one write, and must not wait for the last one's acknowledgement.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
