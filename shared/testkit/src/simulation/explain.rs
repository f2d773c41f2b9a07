//! Which repetitions are explained: what went wrong, told by the deed that is done again for it.
//!
//! The world notes what each errand did and whether a call failed under it; here is added what the
//! world does not know: that it was cut off, that it took too long, that its record came twice.

use std::collections::BTreeSet;

use domain::limits::{ATTEMPT_TIMEOUT_DEFAULT_MS, DELIVERY_RESERVE_MS};
use domain::message::QueueMessage;

use super::slots::Task;
use super::{Simulation, Work};
use crate::checker::Repeat;
use crate::poller::INVOCATION_MS;
use crate::world::Deed;

/// How long an invocation may take until it starts no attempt any more, and so returns its records.
/// Its leases and its records' visibility end later.
const SLOW_MS: u64 = INVOCATION_MS - DELIVERY_RESERVE_MS - ATTEMPT_TIMEOUT_DEFAULT_MS as u64;

/// How a piece of work ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By itself.
    Done,
    /// At an await.
    CutOff,
}

impl<'a> Simulation<'a> {
    /// Ends the errands of a piece of work, and notes what may be done once more of what was done
    /// in those that did not go as they should.
    pub(super) fn explain(&mut self, task: &Task<'a>, how: How) {
        let took_ms = self.world.now().since_ms(task.started_at);
        let is_disturbed = how == How::CutOff || (is_delivery(task.work) && took_ms > SLOW_MS);
        for id in &task.errands {
            let errand = self.world.end_errand(*id);
            if is_disturbed || errand.is_disturbed {
                let repeats =
                    errand.deeds.into_iter().filter_map(|deed| self.repeat(task.work, deed));
                // Posted and recorded, a delivery is still begun once.
                for repeat in repeats.collect::<BTreeSet<Repeat>>() {
                    self.run.history.explain(repeat);
                }
            }
        }
    }

    /// What is done once more when a deed is.
    fn repeat(&self, work: Work, deed: Deed) -> Option<Repeat> {
        let pair = |delivery_id| self.pairs.get(&delivery_id).cloned();
        match deed {
            Deed::Sent(event) => Some(Repeat::Event(event.into())),
            Deed::SetAside => Some(Repeat::SetAside),
            Deed::Recorded(delivery_id) => pair(delivery_id).map(Repeat::Delivery),
            Deed::Posted(delivery_id, attempt) => pair(delivery_id).map(|pair| match work {
                Work::Retries => Repeat::Attempt(pair, attempt),
                Work::Ingest | Work::Events | Work::Sweep | Work::Redrive => Repeat::Delivery(pair),
            }),
        }
    }

    /// Notes that a message is on its queue twice, or once more after it was worked.
    pub(super) fn explain_copy(&mut self, body: &str) {
        match QueueMessage::parse(body) {
            Ok(QueueMessage::EventsV1(events)) => {
                for event in events.as_slice() {
                    self.run.history.explain(Repeat::Event(event.id.to_string()));
                }
            }
            // It only claims.
            Ok(QueueMessage::RetryV1(_)) => {}
            Err(_) => self.run.history.explain(Repeat::SetAside),
        }
    }
}

/// Whether somebody else goes on with what this work does not end in its time.
const fn is_delivery(work: Work) -> bool {
    match work {
        Work::Events | Work::Retries => true,
        Work::Ingest | Work::Sweep | Work::Redrive => false,
    }
}
