//! Name look-ups under guard: every address is judged, one bad address refuses the whole name.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::egress::{AddressRefusal, EgressPolicy, judge_address};
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// A look-up that takes longer than this has failed.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// More addresses than any honest name has.
const ADDRESSES_MAX: usize = 64;

/// Finds the addresses of a name, and only such as may be connected to.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    policy: EgressPolicy,
}

/// Why a name has no address to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LookUpFailure {
    #[error("the name was not found, or not in time")]
    NotFound,
    #[error("the name leads to {0}")]
    Refused(#[from] AddressRefusal),
}

impl GuardedResolver {
    pub(super) fn new(policy: EgressPolicy) -> Self {
        Self { policy }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = LookUpFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = self.policy;
        Box::pin(async move {
            let addresses = look_up(name.as_str()).await?;
            judge_all(&addresses, policy)?;
            Ok(addresses.into_iter())
        })
    }
}

async fn look_up(name: &str) -> Result<Vec<SocketAddr>, LookUpFailure> {
    let found = tokio::time::timeout(LOOK_UP_TIMEOUT, tokio::net::lookup_host((name, 0))).await;
    let addresses =
        found.map_err(|_| LookUpFailure::NotFound)?.map_err(|_| LookUpFailure::NotFound)?;
    let addresses: Vec<_> = addresses.take(ADDRESSES_MAX + 1).collect();
    if addresses.is_empty() || addresses.len() > ADDRESSES_MAX {
        return Err(LookUpFailure::NotFound);
    }
    Ok(addresses)
}

fn judge_all(addresses: &[SocketAddr], policy: EgressPolicy) -> Result<(), LookUpFailure> {
    for address in addresses {
        judge_address(address.ip(), policy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a11_one_bad_address_refuses_the_whole_name() {
        let address = |text: &str| SocketAddr::new(text.parse().expect("an address"), 0);
        let public = [address("8.8.8.8"), address("2606:4700::1111")];
        let mixed = [address("8.8.8.8"), address("10.0.0.1")];
        assert_eq!(judge_all(&public, EgressPolicy::production()), Ok(()));
        assert_eq!(
            judge_all(&mixed, EgressPolicy::production()),
            Err(LookUpFailure::Refused(AddressRefusal::NotGlobal))
        );
    }
}
