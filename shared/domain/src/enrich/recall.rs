//! Claims of before, read beside a question that may come to nothing.
//!
//! Off the path of a healthy login: the table is read shortly before the deadline, or as soon as the
//! target has failed, and only where the policy then lets the login pass. An answer that comes
//! meanwhile counts, and the reading is dropped.

use std::pin::pin;

use futures_util::future::{Either, select};

use super::last_known_good::{Giver, Known, Place, Ports as _, User};
use super::voice::Voice;
use super::{Execution, Ports};
use crate::event::Event;
use crate::limits::ENRICH_RECALL_MS;
use crate::subscription::{Action, EnrichPolicy, Subscription, Unavailable};
use crate::time::{Deadline, Timestamp};

/// A target whose claims of before may count.
struct Recall<'a> {
    policy: &'a EnrichPolicy,
    max_age_s: u32,
    giver: Giver,
    place: Place,
}

/// What is heard of a target that is being asked, or what it gave before.
pub(super) async fn beside(
    asking: impl Future<Output = Voice>,
    subscription: &Subscription,
    event: &Event,
    deadline: Deadline,
    execution: Execution<'_, impl Ports>,
) -> Voice {
    let asking = pin!(asking);
    let ports = execution.ports;
    let recall = Recall::of(subscription, event);
    let (Some(known_good), Some(recall)) = (ports.last_known_good(), recall) else {
        return asking.await;
    };
    let from = recall.reads_from(deadline);
    let reading = pin!(known_good.known(&recall.place, from, deadline));
    let (voice, known) = match select(asking, reading).await {
        Either::Right((known, asking)) => (asking.await, known),
        Either::Left((voice, _)) if !is_let_pass(&voice) => return voice,
        Either::Left((voice, reading)) if ports.now() >= from => (voice, reading.await),
        Either::Left((voice, _)) => {
            let now = ports.now();
            let by = deadline.earlier(Deadline::at(now.plus_ms(ENRICH_RECALL_MS)));
            (voice, known_good.known(&recall.place, now, by).await)
        }
    };
    recall.spoken(voice, known, ports.now())
}

/// Whether a target is silent and its policy lets the login pass.
fn is_let_pass(voice: &Voice) -> bool {
    matches!(voice, Voice::Silent(_, Action::Allow))
}

impl<'a> Recall<'a> {
    fn of(subscription: &'a Subscription, event: &Event) -> Option<Self> {
        let policy = subscription.enrich.as_ref()?;
        let max_age_s = policy.last_known_good?.max_age_s;
        let place = Place { user: User::of(event)?, subscription_id: subscription.id.clone() };
        Some(Self { policy, max_age_s, giver: Giver::of(subscription)?, place })
    }

    /// From when on it is read though the target has not failed: in time for the deadline, where
    /// that is of use.
    fn reads_from(&self, deadline: Deadline) -> Timestamp {
        match self.policy.on_unavailable.action(Unavailable::Timeout) {
            Action::Allow => deadline.moment().minus_ms(ENRICH_RECALL_MS),
            Action::Challenge | Action::Block => deadline.moment(),
        }
    }

    fn spoken(&self, voice: Voice, known: Option<Known>, now: Timestamp) -> Voice {
        let usable = known.and_then(|known| known.usable(&self.giver, now, self.max_age_s));
        if let (Voice::Silent(why, Action::Allow), Some(good)) = (&voice, usable) {
            return Voice::Recalled(*why, good);
        }
        voice
    }
}
