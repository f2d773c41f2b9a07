//! An event by its ID alone: found in the ledger, in an item of one of its deliveries.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Ports, Subject, ids_of};
use crate::delivery::OurFault;
use crate::id::{DeliveryId, EventId};
use crate::limits::EXPLAIN_AT_ONCE;
use crate::scope::Scope;

/// The event of this ID, if one of the scope's rows has an item of it in the ledger. An event that
/// every subscription has got is nowhere.
///
/// Deliveries are found by their IDs, which follow from the rows': that of a subscription that was
/// deleted since is not.
pub async fn recall<P: Ports>(
    scope: &Scope,
    event_id: &EventId,
    ports: &P,
) -> Result<Option<Subject>, OurFault> {
    let rows = ports.rows(scope).await?;
    let deliveries: Vec<_> =
        ids_of(&rows).iter().map(|id| DeliveryId::of(scope, event_id, id)).collect();
    let mut events = stream::iter(&deliveries)
        .map(|delivery_id| ports.event_of(delivery_id))
        .buffered(EXPLAIN_AT_ONCE);
    while let Some(event) = events.try_next().await? {
        if let Some(event) = event {
            return Ok(Some(Subject::of_ledger(event)));
        }
    }
    Ok(None)
}
