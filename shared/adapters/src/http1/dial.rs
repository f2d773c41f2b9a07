//! Opening a connection to one of several addresses: one that does not answer holds up the
//! next for a quarter of a second, and no longer (RFC 8305 §5).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use domain::limits::{DIAL_ADDRESSES_MAX, DIAL_STAGGER_MS};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use super::network::Network;

/// The first connection that stands. What else was begun by then is dropped. Addresses are begun
/// with one after the other, the next one as soon as one has failed or the last one has had its
/// quarter of a second; the first error is the one that is told.
pub(crate) async fn dial<N: Network>(
    addresses: &[SocketAddr],
    network: &N,
) -> io::Result<N::Stream> {
    let mut to_come = in_turn(addresses).into_iter().peekable();
    let mut under_way = FuturesUnordered::new();
    let mut failed = None;
    loop {
        match to_come.next() {
            Some(address) => under_way.push(network.connect(address)),
            None if under_way.is_empty() => {
                return Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
            }
            None => {}
        }
        tokio::select! {
            biased;
            Some(done) = under_way.next() => match done {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = failed.or(Some(error)),
            },
            () = sleep(Duration::from_millis(DIAL_STAGGER_MS)), if to_come.peek().is_some() => {}
        }
    }
}

/// By turns of both families, beginning with that of the first (RFC 8305 §4): a family that is out
/// of order costs one address, not all of them.
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let of_first = |address: &&SocketAddr| {
        addresses.first().is_some_and(|first| first.is_ipv4() == address.is_ipv4())
    };
    let (mut first, mut other): (Vec<&SocketAddr>, Vec<_>) = addresses.iter().partition(of_first);
    first.reverse();
    other.reverse();
    let mut turns = Vec::new();
    while turns.len() < DIAL_ADDRESSES_MAX && !(first.is_empty() && other.is_empty()) {
        turns.extend(first.pop().into_iter().chain(other.pop()).copied());
    }
    turns.truncate(DIAL_ADDRESSES_MAX);
    turns
}

#[cfg(test)]
mod tests;
