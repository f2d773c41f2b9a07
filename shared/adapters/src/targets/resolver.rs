//! Where a guarded URL leads: every address of its host is judged, one bad address refuses the whole
//! name, and only what was judged in this very look-up comes out.
//!
//! Aliases (CNAME) are followed by the system; what is judged is where they end. How much of a DNS
//! answer is read is the system's, too; how long it may take and how many addresses are believed is
//! decided here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::egress::{AddressRefusal, EgressPolicy, GuardedUrl, judge_address};
use domain::limits::{LOOK_UP_ADDRESSES_MAX, LOOK_UP_MAX_MS, LOOK_UPS_AT_ONCE_MAX};
use tokio::sync::Semaphore;
use url::Host;

use crate::http1::dial::dial;
use crate::http1::network::Network;

/// Finds the addresses of a host, and only such as may be connected to.
pub(super) struct GuardedResolver<N> {
    policy: EgressPolicy,
    network: N,
    /// A look-up holds a thread until the system is done with it, whoever still waits for it.
    under_way: Arc<Semaphore>,
}

/// Addresses that may be connected to, as one look-up found them. Never empty.
pub(super) struct JudgedAddresses(Vec<SocketAddr>);

/// Why a host has no address to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookUpFailure {
    #[error("the name was not found, or not in time")]
    NotFound,
    #[error("the name leads to {0}")]
    Refused(#[from] AddressRefusal),
}

impl JudgedAddresses {
    /// Opens a connection to one of them. There is no other way from here to a target: what they are
    /// is told to nobody.
    pub(super) async fn dial<N: Network>(&self, network: &N) -> io::Result<N::Stream> {
        dial(&self.0, network).await
    }

    /// In the order of the look-up.
    #[cfg(test)]
    fn as_slice(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl<N: Network> GuardedResolver<N> {
    pub(super) fn new(policy: EgressPolicy, network: N) -> Self {
        Self { policy, network, under_way: Arc::new(Semaphore::new(LOOK_UPS_AT_ONCE_MAX)) }
    }

    /// The addresses of a URL's host. One that is written as an address is judged like any other, and
    /// looked up nowhere.
    pub(super) async fn find(&self, url: &GuardedUrl) -> Result<JudgedAddresses, LookUpFailure> {
        let url = url.url();
        let found = match url.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
            Some(Host::Domain(name)) => self.look_up(name).await?,
            None => return Err(LookUpFailure::NotFound),
        };
        let port = url.port_or_known_default().ok_or(LookUpFailure::NotFound)?;
        self.judge_all(&found, port).inspect_err(|refused| {
            let host = url.host_str();
            tracing::warn!(host, rule = %refused, "a host is not connected to");
        })
    }

    /// In two seconds or not at all, waiting for a turn included.
    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, LookUpFailure> {
        let in_time = Duration::from_millis(LOOK_UP_MAX_MS);
        let found = tokio::time::timeout(in_time, self.in_its_turn(name)).await;
        let found = found.ok().flatten().ok_or(LookUpFailure::NotFound)?;
        if found.is_empty() || found.len() > LOOK_UP_ADDRESSES_MAX {
            return Err(LookUpFailure::NotFound);
        }
        Ok(found)
    }

    async fn in_its_turn(&self, name: &str) -> Option<Vec<IpAddr>> {
        let turn = Arc::clone(&self.under_way).acquire_owned().await.ok()?;
        let (network, name) = (self.network.clone(), name.to_owned());
        // A task of its own: the turn ends with the look-up, and not when nobody waits for it any more.
        let looking_up = tokio::spawn(async move {
            let found = network.look_up(&name).await;
            drop(turn);
            found
        });
        looking_up.await.ok()?.ok()
    }

    fn judge_all(&self, found: &[IpAddr], port: u16) -> Result<JudgedAddresses, LookUpFailure> {
        for address in found {
            judge_address(*address, self.policy)?;
        }
        Ok(JudgedAddresses(found.iter().map(|address| (*address, port).into()).collect()))
    }
}

#[cfg(test)]
mod tests;
