//! The breaker in the path of an attempt: whether it may be made, and what it teaches.
//!
//! Best effort throughout. A breaker that cannot be read or written never stops a delivery. Nor does
//! one that only this execution environment knows of: a delivery is held only by a breaker that
//! stands in the table, where the sweeper finds it, or nobody would ever release it. What is owed
//! to a delivery, its ledger item and its wake-up, is written before its breaker.

use super::{Execution, Ports};
use crate::breaker::{Admission, Breaker, BreakerKey, BreakerWrite, Change, Phase, Ports as _};
use crate::limits::{
    BREAKER_RESERVE_MS, BREAKER_STALENESS_MAX_MS, BREAKER_WRITES_MAX, DELIVERY_TEMPO,
};

/// How an attempt came to be made.
pub(super) enum Pass {
    /// The breaker is closed, or nobody knows of it.
    Ordinary,
    /// As the one probe of a half-open breaker, which stands as it was written.
    Probe(Breaker),
}

/// What is known of a breaker before an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What this environment remembers will do: a first attempt, which mostly succeeds.
    Remembered,
    /// A delivery that has failed before: its breaker is worth a read.
    Afresh,
}

/// Whether an attempt may be made now; `None` when the delivery is to be held.
pub(super) async fn admit(
    key: &BreakerKey,
    look: Look,
    execution: Execution<'_, impl Ports>,
) -> Option<Pass> {
    let Execution { memory, ports, .. } = execution;
    let Some(mut breaker) = view(key, look, execution).await else { return Some(Pass::Ordinary) };
    for _ in 0..BREAKER_WRITES_MAX {
        // What a neighbour in the batch has learnt or begun meanwhile.
        if let Some(seen) = memory.breakers.seen(key)
            && seen.breaker.revision > breaker.revision
        {
            breaker = seen.breaker;
        }
        let probe = match breaker.admits(ports.now(), DELIVERY_TEMPO) {
            Admission::Pass => return Some(Pass::Ordinary),
            Admission::Hold => return None,
            Admission::Probe(probe) => probe,
        };
        memory.breakers.note(key, &probe, ports.now());
        match ports.breakers().write(key, &breaker, &probe).await {
            Ok(BreakerWrite::Written) => return Some(Pass::Probe(probe)),
            // Somebody else was first; or the sweeper has only looked at it.
            Ok(BreakerWrite::Stands(current)) => {
                memory.breakers.note(key, &current, ports.now());
                breaker = current;
            }
            // It is not closed, and stands where the sweeper finds it.
            Err(_) => {
                memory.breakers.take_back(key, &breaker, ports.now());
                return None;
            }
        }
    }
    None
}

/// The breaker as it is known; `None` when nothing is.
async fn view(
    key: &BreakerKey,
    look: Look,
    execution: Execution<'_, impl Ports>,
) -> Option<Breaker> {
    let Execution { memory, ports, .. } = execution;
    let now = ports.now();
    let seen = memory.breakers.seen(key);
    let is_known = seen.as_ref().is_some_and(|seen| {
        let is_fresh = now >= seen.at && now.since_ms(seen.at) < BREAKER_STALENESS_MAX_MS;
        let is_closed = matches!(seen.breaker.phase, Phase::Closed { .. });
        is_fresh || (is_closed && look == Look::Remembered)
    });
    if is_known || (seen.is_none() && look == Look::Remembered) {
        return seen.map(|seen| seen.breaker);
    }
    match ports.breakers().of(key).await {
        Ok(breaker) => {
            memory.breakers.note(key, &breaker, ports.now());
            Some(breaker)
        }
        Err(_) => seen.map(|seen| seen.breaker),
    }
}

/// What an attempt teaches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lesson {
    /// The target has it.
    Succeeded,
    /// It has not.
    Failed,
    /// It has not, and its subscription has ended with that.
    Ended,
}

/// Tells the breaker what came of an attempt, and says what that has changed.
pub(super) async fn tell(
    key: &BreakerKey,
    pass: &Pass,
    lesson: Lesson,
    execution: Execution<'_, impl Ports>,
) -> Option<Change> {
    let Execution { memory, ports, .. } = execution;
    let now = ports.now();
    match (pass, lesson) {
        (Pass::Ordinary, Lesson::Succeeded) => {
            let breaker = memory.breakers.seen(key).map(|seen| seen.breaker).unwrap_or_default();
            if breaker.succeeded(now).is_none() {
                memory.breakers.count_success(key);
                return None;
            }
            write(key, breaker, |from| from.succeeded(now), execution).await
        }
        (Pass::Ordinary, Lesson::Failed) => {
            let seen = memory.breakers.seen(key);
            let successes = seen.as_ref().map_or(0, |seen| seen.successes);
            let breaker = seen.map(|seen| seen.breaker).unwrap_or_default();
            write(key, breaker, |from| from.failed(successes, now, DELIVERY_TEMPO), execution).await
        }
        (Pass::Ordinary, Lesson::Ended) => None,
        (Pass::Probe(probe), Lesson::Succeeded) => {
            let step = |from: &Breaker| from.probe_succeeded(probe, now);
            write(key, probe.clone(), step, execution).await
        }
        (Pass::Probe(probe), Lesson::Failed) => {
            let step = |from: &Breaker| from.probe_failed(probe, now, DELIVERY_TEMPO);
            write(key, probe.clone(), step, execution).await
        }
        (Pass::Probe(probe), Lesson::Ended) => {
            write(key, probe.clone(), |from| from.let_go(now), execution).await;
            None
        }
    }
}

/// Lets go of what a subscription's breaker holds, where it is not closed: the delivery that was to
/// be the probe has found nobody to be posted to, and the others would find the same.
pub(super) async fn let_go(key: &BreakerKey, execution: Execution<'_, impl Ports>) {
    if let Some(breaker) = view(key, Look::Afresh, execution).await {
        let now = execution.ports.now();
        write(key, breaker, |from| from.let_go(now), execution).await;
    }
}

/// Whether there is time for what is not owed to any delivery.
pub(super) fn has_time(execution: Execution<'_, impl Ports>) -> bool {
    execution.invocation.has_ms(BREAKER_RESERVE_MS, execution.ports.now())
}

/// Writes a step of a breaker, from where it stands by then.
async fn write(
    key: &BreakerKey,
    mut from: Breaker,
    step: impl Fn(&Breaker) -> Option<Breaker>,
    execution: Execution<'_, impl Ports>,
) -> Option<Change> {
    let Execution { memory, ports, .. } = execution;
    for _ in 0..BREAKER_WRITES_MAX {
        let next = step(&from)?;
        if !has_time(execution) {
            return None;
        }
        let written = ports.breakers().write(key, &from, &next).await.ok();
        match written {
            Some(BreakerWrite::Written) => {
                memory.breakers.note(key, &next, ports.now());
                return from.change_to(&next);
            }
            Some(BreakerWrite::Stands(current)) => {
                memory.breakers.note(key, &current, ports.now());
                from = current;
            }
            None => return None,
        }
    }
    None
}
