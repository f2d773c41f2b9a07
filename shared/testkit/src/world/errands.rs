//! Errands: what is done for one record that is worked, or for one request, and whether something
//! went wrong with that. Who knows this can say of what comes twice why it does.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;

use domain::delivery::Queue;
use domain::id::{DeliveryId, EventId};
use domain::ledger::Lease;
use domain::message::QueueMessage;
use domain::time::Timestamp;

use super::faults::Call;
use super::queues::{Draft, Place};
use super::{State, World};

/// An errand that is under way, unique in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErrandId(usize);

/// What an errand came to.
#[derive(Debug, Default)]
pub struct Errand {
    /// Whether a call failed that it could not do without, or its lease was over by another's clock
    /// who then took it, and not by its own.
    pub is_disturbed: bool,
    /// What whoever does the same errand again does a second time.
    pub deeds: BTreeSet<Deed>,
    claimed: Option<Claimed>,
}

/// Something done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// An event was put on the events queue.
    Sent(EventId),
    /// A delivery was written into the ledger, or was there already.
    Recorded(DeliveryId),
    /// An attempt was made; counted from 1.
    Posted(DeliveryId, u32),
    /// An unreadable record was set aside.
    SetAside,
}

/// What it has claimed, until when, and how much its clock is ahead.
#[derive(Debug)]
struct Claimed {
    delivery_id: DeliveryId,
    until: Timestamp,
    ahead_ms: u64,
}

#[derive(Default)]
pub(super) struct Errands {
    begun: usize,
    /// Those that are under way.
    open: BTreeMap<ErrandId, Errand>,
    /// The one whose future is being polled.
    current: Option<ErrandId>,
}

impl World {
    /// Begins an errand, which lasts until [`Self::end_errand`].
    #[must_use]
    pub fn begin_errand(&self) -> ErrandId {
        let errands = &mut self.lock().errands;
        errands.begun += 1;
        let id = ErrandId(errands.begun);
        errands.open.insert(id, Errand::default());
        id
    }

    /// Does some work on an errand.
    pub async fn on_errand<T>(&self, id: ErrandId, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.lock().errands.current = Some(id);
            let polled = work.as_mut().poll(context);
            self.lock().errands.current = None;
            polled
        })
        .await
    }

    /// Ends an errand, done or cut off, and says what it came to.
    pub fn end_errand(&self, id: ErrandId) -> Errand {
        self.lock().errands.open.remove(&id).unwrap_or_default()
    }
}

impl State {
    /// Notes what whoever works has done, where that is an errand.
    pub(super) fn note(&mut self, deed: Deed) {
        if let Some(errand) = self.errands.current() {
            errand.deeds.insert(deed);
        }
    }

    /// Notes that a call of whoever works failed.
    pub(super) fn note_fault(&mut self, call: Call) {
        let is_borne = call.is_best_effort() || call.is_of_the_target();
        if let Some(errand) = self.errands.current().filter(|_| !is_borne) {
            errand.is_disturbed = true;
        }
    }

    /// Notes that whoever works has claimed an item, by its own clock at `now`. Whoever had claimed
    /// it before, and whose own clock shows that it may go on, is overtaken: where clocks agree,
    /// nobody is.
    pub(super) fn note_claim(&mut self, lease: &Lease, now: Timestamp) {
        for errand in self.errands.open.values_mut() {
            if let Some(claimed) = &errand.claimed
                && claimed.delivery_id == lease.delivery_id
                && claimed.until < now
                && self.now.plus_ms(claimed.ahead_ms) <= claimed.until
            {
                errand.is_disturbed = true;
            }
        }
        let ahead_ms = self.environment.as_ref().map_or(0, |environment| environment.ahead_ms());
        if let Some(errand) = self.errands.current() {
            let delivery_id = lease.delivery_id.clone();
            errand.claimed = Some(Claimed { delivery_id, until: lease.until, ahead_ms });
        }
    }

    /// Notes that whoever works has left the item that it had claimed in its new state: nobody can
    /// make the attempt again that led there.
    pub(super) fn note_settled(&mut self) {
        if let Some(errand) = self.errands.current() {
            errand.claimed = None;
            errand.deeds.clear();
        }
    }

    /// Puts a message on a queue.
    pub(super) fn send(&mut self, place: Place, draft: Draft) {
        match place {
            Place::Worked(Queue::Events) if self.errands.current.is_some() => {
                for event in events_in(&draft.body) {
                    self.note(Deed::Sent(event));
                }
            }
            Place::DeadLetters(_) => self.note(Deed::SetAside),
            Place::Worked(_) => {}
        }
        self.queues.send(place, draft, self.now);
    }
}

impl Errands {
    fn current(&mut self) -> Option<&mut Errand> {
        self.open.get_mut(&self.current?)
    }
}

/// The events in a message of the events queue; none in another.
fn events_in(body: &str) -> Vec<EventId> {
    match QueueMessage::parse(body) {
        Ok(QueueMessage::EventsV1(events)) => {
            events.as_slice().iter().map(|event| event.id.clone()).collect()
        }
        Ok(QueueMessage::RetryV1(_)) | Err(_) => Vec::new(),
    }
}
