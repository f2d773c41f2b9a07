//! Events are taken in: the front, ingest, and the queue `events`.

use domain::limits::INGEST_AT_ONCE;

use crate::cost::bill::Bill;
use crate::cost::inputs::Inputs;
use crate::cost::prices::Item;
use crate::cost::scenario::{Front, Scenario};

use super::invocations::Invocations;
use super::sizes::{GIB, Request, batch_requests, float, steps};

/// What lies on the queue afterwards.
#[derive(Clone, Copy)]
pub(super) struct Queued {
    /// Messages a month.
    pub(super) messages: f64,
    /// Events in each.
    pub(super) events: f64,
    /// Bytes of each.
    pub(super) bytes: f64,
}

pub(super) fn count(scenario: &Scenario, inputs: &Inputs, bill: &mut Bill) -> Queued {
    let request = Request::of(scenario, inputs);
    let requests = scenario.events / request.events;
    if scenario.front == Front::HttpApi {
        let billed = steps(request.bytes, inputs.documented.gateway_step_bytes.value);
        bill.add("requests with events", Item::HttpApiRequest, requests * billed);
    }
    let answer_bytes = inputs.assumed.http_head_bytes.value
        + request.events * inputs.assumed.answer_event_bytes.value;
    bill.add("answers to producers", Item::TransferOut, requests * answer_bytes / GIB);

    let sends = batch_requests(request.messages, request.message_bytes, inputs);
    bill.add("events: sent", Item::SqsRequest, requests * sends);
    bill.add("events: sent", Item::SqsFairRequest, requests * sends);

    let measured = &inputs.measured;
    let mut processor_ms = measured.ingest_invocation_ms.value
        + request.events * measured.ingest_event_ms.value
        + request.bytes / 1_024.0 * measured.ingest_kib_ms.value;
    let mut waiting_ms = inputs.assumed.queue_call_ms.value;
    if scenario.idempotent {
        // Begun before the send and noted after it: a put and an update of less than a KiB.
        bill.add("known for a day", Item::DynamoDbWrite, 2.0 * scenario.events);
        processor_ms += 2.0 * request.events * measured.aws_call_ms.value;
        let rounds = (request.events / float(INGEST_AT_ONCE)).ceil();
        waiting_ms += 2.0 * rounds * inputs.assumed.table_call_ms.value;
    }
    Invocations {
        what: "ingest",
        count: requests,
        memory_mb: inputs.stack.ingest_mb.value,
        processor_ms,
        waiting_ms,
        log_bytes: measured.ingest_log_bytes.value,
    }
    .count(scenario, inputs, bill);
    Queued {
        messages: requests * request.messages,
        events: request.events / request.messages,
        bytes: request.message_bytes / request.messages,
    }
}
