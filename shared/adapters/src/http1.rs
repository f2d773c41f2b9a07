//! HTTP/1.1 as a client speaks it: names and sockets, TLS, connections and how long they are kept. The
//! way to targets and the way to AWS both go by it.
//!
//! Whom to believe, what may be connected to and what an error means is not decided here.

pub(crate) mod connection;
pub(crate) mod dial;
pub(crate) mod kept;
pub(crate) mod network;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod tls;
