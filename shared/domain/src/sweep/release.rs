//! What a breaker holds: one delivery as a probe when it has been open long enough, and all the
//! others, oldest first and slowly at first, once it has closed.

use futures_util::future::join_all;

use super::{Page, Ports, Swept};
use crate::breaker::{BreakerKey, Phase, Ports as _, Release};
use crate::delivery::{Invocation, OurFault};
use crate::limits::{SWEEP_AT_ONCE, SWEEP_BREAKERS_MAX, SWEEP_MARK_MS, SWEEP_RESERVE_MS};

/// Breakers looked after at once.
const AT_ONCE: usize = 16;

/// The probe is one of this many that have been held longest: the one with the fewest attempts, so
/// that no delivery spends its whole schedule on finding out for the others.
const PROBE_CANDIDATES: usize = 25;

/// Looks after the breakers whose time has come, and releases at most `release_max` deliveries.
pub(super) async fn run(
    invocation: Invocation,
    release_max: usize,
    swept: &mut Swept,
    ports: &impl Ports,
) {
    let due = match ports.due_breakers(ports.now(), SWEEP_BREAKERS_MAX).await {
        Ok(due) => due,
        Err(fault) => return swept.note(Err(fault)),
    };
    for keys in due.chunks(AT_ONCE) {
        let room = release_max.saturating_sub(swept.released) / keys.len();
        if room == 0 || !invocation.has_ms(SWEEP_RESERVE_MS, ports.now()) {
            swept.is_complete = false;
            return;
        }
        let share = Share { room, at_once: SWEEP_AT_ONCE / keys.len() };
        let each = keys.iter().map(|key| look_after(key, share, invocation, ports));
        for part in join_all(each).await {
            swept.breakers += 1;
            swept.absorb(part);
        }
    }
}

/// What one breaker may have of a sweep, when several are looked after at once.
#[derive(Clone, Copy)]
struct Share {
    /// Deliveries in all.
    room: usize,
    /// Deliveries at once.
    at_once: usize,
}

impl Swept {
    fn absorb(&mut self, part: Self) {
        self.released += part.released;
        self.woken += part.woken;
        self.unconfirmed += part.unconfirmed;
        self.taken += part.taken;
        self.unreadable += part.unreadable;
        self.note(part.fault.map_or(Ok(()), Err));
    }

    fn note(&mut self, result: Result<(), OurFault>) {
        if let Err(fault) = result {
            self.fault = self.fault.or(Some(fault));
            self.is_complete = false;
        }
    }
}

async fn look_after(
    key: &BreakerKey,
    share: Share,
    invocation: Invocation,
    ports: &impl Ports,
) -> Swept {
    let mut part = Swept::default();
    let result = try_look_after(key, share, invocation, &mut part, ports).await;
    part.note(result);
    part
}

async fn try_look_after(
    key: &BreakerKey,
    share: Share,
    invocation: Invocation,
    part: &mut Swept,
    ports: &impl Ports,
) -> Result<(), OurFault> {
    let breaker = ports.breakers().of(key).await?;
    let most = match breaker.release(ports.now()) {
        // It has moved on since the index was read.
        None => return Ok(()),
        Some(Release::Probe) => PROBE_CANDIDATES,
        Some(Release::Drain(most)) => most.min(share.room),
    };
    let Page { items, unreadable, next } = ports.held(key, most).await?;
    part.give_up(&unreadable, ports).await;
    let (held, is_empty) = match breaker.phase {
        Phase::Closed { .. } => {
            let is_empty = next.is_none() && unreadable.is_empty();
            (items, is_empty)
        }
        Phase::Open { .. } | Phase::HalfOpen { .. } => {
            let probe = items.into_iter().min_by_key(|item| (item.attempt, item.next_at));
            let is_empty = probe.is_none() && next.is_none() && unreadable.is_empty();
            (Vec::from_iter(probe), is_empty)
        }
    };
    for items in held.chunks(share.at_once) {
        if !invocation.has_ms(SWEEP_RESERVE_MS, ports.now()) {
            return Ok(());
        }
        let now = ports.now();
        let until = now.plus_ms(SWEEP_MARK_MS);
        let released = join_all(items.iter().map(|item| ports.release(item, now, until))).await;
        let mut ours = Vec::with_capacity(items.len());
        for (item, released) in items.iter().zip(released) {
            match released {
                Ok(true) => ours.push(item.clone()),
                Ok(false) => part.taken += 1,
                Err(fault) => part.note(Err(fault)),
            }
        }
        part.released += ours.len();
        // A wake-up that gets lost is found like any other: the item is pending now, and due.
        part.send(&ours, ports).await;
    }
    match breaker.released(is_empty, ports.now()) {
        // Should somebody have changed it meanwhile, they have said when to look again.
        Some(next) => ports.breakers().write(key, &breaker, &next).await.map(|_| ()),
        None => ports.breakers().forget(key, &breaker).await,
    }
}
