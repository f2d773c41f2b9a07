//! The delivery function: SQS batches to [`domain::delivery`] and back. It decides nothing.
//!
//! A batch is answered record by record (`ReportBatchItemFailures`). A panic in one record's work
//! costs that record alone: it comes back, its neighbours do not.

mod metrics;
mod serve;

use std::panic::AssertUnwindSafe;

use adapters::metrics::Tally;
use adapters::sqs_batch::{NotABatch, SqsBatch, SqsBatchResponse, SqsRecord};
use domain::breaker::Change;
use domain::delivery::{
    self, Disposition, Ended, Execution, Fate, Handshake, Invocation, Memory, Ports, Queue, Report,
    Settings,
};
use domain::egress::Refused;
use domain::time::invocation_deadline;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::value::RawValue;

pub use serve::serve;

#[cfg(all(feature = "loopback-targets", not(debug_assertions)))]
compile_error!("the feature loopback-targets opens the egress guard and is not for a release");

/// The whole batch must come back: nothing in it could be worked, for reasons of ours, or a record
/// that must come back has no ID to say so with. An error makes the poller slow down
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{returned} of {records} records must come back")]
pub struct BatchReturned {
    /// How many must come back.
    pub returned: usize,
    /// How many there were.
    pub records: usize,
}

/// Why an invocation has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unworked {
    /// The function was not invoked with a batch.
    #[error(transparent)]
    NotABatch(#[from] NotABatch),
    /// The whole batch must come back.
    #[error(transparent)]
    BatchReturned(#[from] BatchReturned),
}

impl From<Unworked> for Diagnostic {
    fn from(error: Unworked) -> Self {
        let error_type = match error {
            Unworked::NotABatch(_) => "NotABatch",
            Unworked::BatchReturned(_) => "BatchReturned",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Works one batch, all records at once. `retries_queue` is the name of the retries queue; a
/// record of any other queue is one of events. `memory` lives as long as the execution environment.
pub async fn handle(
    event: LambdaEvent<Box<RawValue>>,
    retries_queue: &str,
    settings: &Settings,
    memory: &Memory,
    ports: &impl Ports,
) -> Result<SqsBatchResponse, Unworked> {
    let deadline = invocation_deadline(event.context.deadline, ports.now());
    let execution = Execution { invocation: Invocation { deadline }, settings, memory, ports };
    let records = SqsBatch::parse(event.payload.get())?.records;
    let worked = records.iter().map(|record| work(record, retries_queue, execution));
    let fates = join_all(worked).await;
    let mut tally = Tally::default();
    for fate in &fates {
        metrics::add(&mut tally, fate.as_ref(), ports.now());
    }
    tally.emit();

    let returned: Vec<&SqsRecord<'_>> = records
        .iter()
        .zip(fates)
        .filter(|(_, fate)| matches!(fate, Some(Fate::Returned(..)) | None))
        .map(|(record, _)| record)
        .collect();
    let all_came_back = !returned.is_empty() && returned.len() == records.len();
    // An empty identifier would make Lambda return the whole batch; so do we, and say so.
    let ids: Option<SqsBatchResponse> =
        returned.iter().map(|record| record.id().map(str::to_owned)).collect();
    match ids {
        Some(response) if !all_came_back => Ok(response),
        _ => Err(BatchReturned { returned: returned.len(), records: records.len() }.into()),
    }
}

/// Works one record; `None` when that ended in a panic, and it must come back.
async fn work(
    record: &SqsRecord<'_>,
    retries_queue: &str,
    execution: Execution<'_, impl Ports>,
) -> Option<Fate> {
    let is_retry = record.queue() == Some(retries_queue);
    let queue = if is_retry { Queue::Retries } else { Queue::Events };
    let run = delivery::run(queue, record.body(), execution);
    let message_id = record.id();
    let fate = AssertUnwindSafe(run).catch_unwind().await.ok();
    match &fate {
        Some(Fate::Settled { reports, unmatched, .. }) => {
            if *unmatched > 0 {
                tracing::info!(message_id, unmatched, "events that nobody listens to");
            }
            reports.iter().for_each(log);
        }
        Some(Fate::Split { portions }) => {
            tracing::info!(message_id, portions, "a wide fan-out is split");
        }
        Some(Fate::Returned(fault, reports)) => {
            reports.iter().for_each(log);
            tracing::error!(message_id, %fault, "a record goes back to its queue");
        }
        Some(Fate::SetAside(reason)) => {
            tracing::error!(message_id, %reason, "an unreadable record lies on the dead-letter queue");
        }
        None => tracing::error!(message_id, "a panic; the record goes back to its queue"),
    }
    fate
}

/// One wide line a delivery.
fn log(report: &Report) {
    let Report {
        delivery_id,
        event_id,
        kind,
        scope,
        accepted_at: _,
        trace,
        subscription_id,
        attempt,
        outcome,
        handshake,
        refused,
        elapsed_ms,
        disposition,
        breaker,
        ended,
    } = report;
    let trace_id = trace.map(|trace| trace.id());
    let state = disposition.as_str();
    match breaker {
        Some(Change::Opened { until, openings }) => tracing::warn!(
            scope = scope.key(), %subscription_id, until_ms = until.as_ms(), openings,
            "a breaker is open: deliveries are held"
        ),
        Some(Change::Closed) => tracing::info!(
            scope = scope.key(), %subscription_id, "a breaker is closed: held deliveries drain"
        ),
        None => {}
    }
    if let Some(ended) = ended {
        let failing_since_ms = match ended {
            Ended::Gone => None,
            Ended::Failing { since } => Some(since.as_ms()),
        };
        // Loudly: nothing is switched off in silence.
        tracing::error!(
            scope = scope.key(), %subscription_id, %delivery_id, reason = ended.as_str(),
            failing_since_ms, "a subscription is disabled"
        );
    }
    if let Some(Refused { rule, understood }) = refused {
        let read_as = understood.as_ref().map(ToString::to_string);
        tracing::warn!(
            scope = scope.key(), %subscription_id, %delivery_id, %rule, read_as,
            "a URL is refused: nothing was posted"
        );
    }
    let outcome = outcome.map(|outcome| outcome.to_string());
    match handshake {
        Some(Handshake::Echoed) => tracing::info!(
            scope = scope.key(), %subscription_id, "an endpoint is verified"
        ),
        Some(Handshake::Failed) => tracing::warn!(
            scope = scope.key(), %subscription_id, outcome,
            "an endpoint has not shown that it wants notifications, and is sent none"
        ),
        None => {}
    }
    let (kind, scope) = (kind.name(), scope.key());
    match disposition {
        Disposition::InLedger => tracing::info!(
            %delivery_id, %event_id, kind, scope, %subscription_id, attempt, outcome, elapsed_ms,
            state, trace_id, "a record came a second time"
        ),
        Disposition::Delivered => tracing::info!(
            %delivery_id, %event_id, kind, scope, %subscription_id, attempt, outcome, elapsed_ms,
            state, trace_id, "an attempt was made"
        ),
        Disposition::Retrying { next_at } => tracing::info!(
            %delivery_id, %event_id, kind, scope, %subscription_id, attempt, outcome, elapsed_ms,
            state, next_at_ms = next_at.as_ms(), trace_id, "an attempt was made"
        ),
        Disposition::Held { .. } => tracing::info!(
            %delivery_id, %event_id, kind, scope, %subscription_id, attempt, outcome, elapsed_ms,
            state, trace_id, "a delivery is held"
        ),
        Disposition::Dead(reason) => tracing::warn!(
            %delivery_id, %event_id, kind, scope, %subscription_id, attempt, outcome, elapsed_ms,
            state, %reason, trace_id, "a delivery is a dead letter"
        ),
    }
}
