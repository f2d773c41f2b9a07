//! The sweeper function: a schedule's tick to [`domain::sweep`] and back. It decides nothing.

use adapters::metrics::{Metric, Tally};
use domain::delivery::{Invocation, OurFault};
use domain::ledger::Reason;
use domain::limits::SWEEP_RELEASE_MAX;
use domain::sweep::{self, Ports, Swept};
use domain::time::invocation_deadline;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// Something of ours failed. What could be woken was woken; the next tick finds the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sweep was not whole: {0}")]
pub struct SweepFailed(OurFault);

impl From<SweepFailed> for Diagnostic {
    fn from(error: SweepFailed) -> Self {
        Self { error_type: "SweepFailed".to_owned(), error_message: error.to_string() }
    }
}

/// Sweeps once. The payload says nothing that matters: it is the schedule's.
pub async fn handle(
    event: LambdaEvent<IgnoredAny>,
    ports: &impl Ports,
) -> Result<Value, SweepFailed> {
    let started_at = ports.now();
    let deadline = invocation_deadline(event.context.deadline, started_at);
    let swept = sweep::run(Invocation { deadline }, SWEEP_RELEASE_MAX, ports).await;
    log(&swept, ports.now().since_ms(started_at));
    metrics_of(&swept).emit();
    match swept.fault {
        None => Ok(json!({
            "due": swept.due,
            "woken": swept.woken,
            "taken": swept.taken,
            "unconfirmed": swept.unconfirmed,
            "breakers": swept.breakers,
            "released": swept.released,
            "unreadable": swept.unreadable,
            "isComplete": swept.is_complete,
        })),
        Some(fault) => Err(SweepFailed(fault)),
    }
}

/// What a sweep counts for in the stack's metrics: nothing, when there was nothing to do.
fn metrics_of(swept: &Swept) -> Tally {
    let mut tally = Tally::default();
    tally.count(Metric::Woken, swept.woken);
    for _ in 0..swept.unreadable {
        tally.count_by(Metric::DeadLetters, Reason::Unreadable.class());
    }
    if swept.due > 0 {
        tally.add(Metric::OverdueMs, swept.oldest_ms);
    }
    tally
}

/// One wide line a sweep.
fn log(swept: &Swept, elapsed_ms: u64) {
    let Swept {
        due,
        woken,
        taken,
        unconfirmed,
        breakers,
        released,
        unreadable,
        oldest_ms,
        is_complete,
        fault,
    } = *swept;
    let fault = fault.map(|fault| fault.to_string());
    if fault.is_some() || !is_complete {
        tracing::warn!(
            due,
            woken,
            taken,
            unconfirmed,
            breakers,
            released,
            unreadable,
            oldest_ms,
            is_complete,
            fault,
            elapsed_ms,
            "the sweep was not whole"
        );
    } else {
        tracing::info!(
            due,
            woken,
            taken,
            unconfirmed,
            breakers,
            released,
            unreadable,
            oldest_ms,
            elapsed_ms,
            "swept"
        );
    }
}
