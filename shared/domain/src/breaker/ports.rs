//! Where breakers are kept. Delivery and the sweeper share them, and so this.

use std::future::Future;

use super::{Breaker, BreakerKey};
use crate::delivery::OurFault;

/// The breakers, shared by all environments. Every call is bounded in time by whoever implements
/// it.
pub trait Ports: Sync {
    /// A breaker; the default when there is no item of it.
    fn of(&self, key: &BreakerKey) -> impl Future<Output = Result<Breaker, OurFault>> + Send;

    /// Writes a breaker, if the one that is there still has the revision of `from`.
    fn write(
        &self,
        key: &BreakerKey,
        from: &Breaker,
        breaker: &Breaker,
    ) -> impl Future<Output = Result<BreakerWrite, OurFault>> + Send;

    /// Removes a breaker that still stands so.
    fn forget(
        &self,
        key: &BreakerKey,
        breaker: &Breaker,
    ) -> impl Future<Output = Result<(), OurFault>> + Send;
}

/// What became of a conditional write of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerWrite {
    /// It is written.
    Written,
    /// It is not: the breaker had another revision, and stands so.
    Stands(Breaker),
}
