//! Accepted events, followed to their targets by what the ledger says.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::event_type::EventTypeNames;
use domain::explain::{Explanation, Listener, Ports, Prospect, Subject, explain};
use domain::id::{DeliveryId, EventId};
use domain::redrive::Found;
use serde_json::json;

use crate::console::{Console, count, good, plain};
use crate::explain::print::{attempts, expected, ledger_object};
use crate::failure::{Failure, Finished};

/// How often the ledger is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// After this long a first attempt has been made, unless something of the stack's own is ill.
const FIRST_ATTEMPT_MS: u64 = 10_000;

/// What was told of a delivery last.
struct Told {
    said: String,
    was_recorded: bool,
}

/// Deliveries that are followed.
struct Watch<'a> {
    told: BTreeMap<DeliveryId, Told>,
    console: &'a Console,
}

/// Follows events until none of their deliveries waits, or the time is over. Each change is told
/// once.
pub(super) async fn run(
    subjects: &[Subject],
    names: &EventTypeNames,
    for_ms: u64,
    ports: &impl Ports,
    console: &Console,
) -> Result<Finished, Failure> {
    let began_at = ports.now();
    let mut watch = Watch { told: BTreeMap::new(), console };
    loop {
        let elapsed_ms = ports.now().since_ms(began_at);
        let (mut waiting, mut dead) = (0_u64, 0_u64);
        for subject in subjects {
            let explanation = explain(subject, names, ports).await?;
            for listener in &explanation.listeners {
                watch.look(&explanation, listener)?;
                waiting += u64::from(is_waiting(&listener.prospect, elapsed_ms));
                dead += u64::from(matches!(listener.prospect, Prospect::Dead { .. }));
            }
        }
        if waiting == 0 || elapsed_ms >= for_ms {
            watch.conclude(waiting);
            return Ok(if dead == 0 { Finished::Done } else { Finished::InPart });
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether there may be news of a delivery soon.
const fn is_waiting(prospect: &Prospect, elapsed_ms: u64) -> bool {
    match prospect {
        Prospect::NothingRecorded => elapsed_ms < FIRST_ATTEMPT_MS,
        Prospect::Waiting { .. }
        | Prospect::WaitingToBeHeld { .. }
        | Prospect::Held { .. }
        | Prospect::WillBeGivenUp { .. } => true,
        Prospect::NotMeant
        | Prospect::WouldBeAttempted
        | Prospect::WouldBeHeld
        | Prospect::Dead { .. }
        | Prospect::ItemUnreadable => false,
    }
}

impl Watch<'_> {
    /// Tells what has changed at a listener.
    fn look(&mut self, explanation: &Explanation, listener: &Listener) -> Result<(), Failure> {
        let Listener { subscription_id, delivery_id: Some(delivery_id), prospect, found, .. } =
            listener
        else {
            return Ok(());
        };
        let told = self.told.get(delivery_id);
        let was_recorded = told.is_some_and(|told| told.was_recorded);
        let said = match (prospect, found) {
            (Prospect::NotMeant, _) => return Ok(()),
            // An item leaves the ledger when its delivery is made.
            (Prospect::NothingRecorded, _) if was_recorded => good("delivered"),
            (prospect, Some(Found::Entry(entry))) => {
                let next = expected(prospect).unwrap_or_default();
                plain(&format!("{next}; {}", attempts(entry)))
            }
            (prospect, Some(Found::Unreadable | Found::NotThere) | None) => {
                expected(prospect).unwrap_or_default()
            }
        };
        if told.is_some_and(|told| told.said == said) {
            return Ok(());
        }
        let event = explanation.event_id.as_ref().map_or("", EventId::as_str);
        let is_delivered = was_recorded && *prospect == Prospect::NothingRecorded;
        self.console.result(
            || format!("{event}  {:<20}  {said}", subscription_id.as_str()),
            || {
                json!({
                    "eventId": event,
                    "subscriptionId": subscription_id.as_str(),
                    "deliveryId": delivery_id.as_str(),
                    "prospect": if is_delivered { "delivered" } else { prospect.code() },
                    "ledger": ledger_object(found.as_ref()),
                })
            },
        )?;
        let was_recorded = was_recorded || found.is_some();
        self.told.insert(delivery_id.clone(), Told { said, was_recorded });
        Ok(())
    }

    fn conclude(&self, waiting: u64) {
        if self.told.is_empty() {
            self.console.note("No subscription matches; `workflows explain` tells why.");
        } else if waiting > 0 {
            let deliveries = count(waiting, "delivery waits", "deliveries wait");
            self.console.note(&format!(
                "The time is over and {deliveries} still; `workflows explain --event` tells on."
            ));
        }
    }
}
