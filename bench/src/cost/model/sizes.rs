//! How large things are, and into how many steps AWS counts them.

use domain::limits::{
    BATCH_ENTRIES_MAX, FANOUT_BYTES_MAX, INLINE_FANOUT_MAX, MESSAGE_BYTES_MAX,
    MESSAGE_PACK_BYTES_MAX, REQUEST_BYTES_MAX,
};

use crate::cost::inputs::Inputs;
use crate::cost::scenario::Scenario;

/// `{"EventsV1":{"events":[]}}`, as `domain::ingest` counts it.
const ENVELOPE_BYTES: f64 = 26.0;

/// Bytes of a GiB.
pub(super) const GIB: f64 = 1_073_741_824.0;

/// One request of a producer, and what becomes of it.
#[derive(Clone, Copy)]
pub(super) struct Request {
    /// Events in it.
    pub(super) events: f64,
    /// Its body, in bytes.
    pub(super) bytes: f64,
    /// Queue messages that it is packed into.
    pub(super) messages: f64,
    /// All of these, in bytes.
    pub(super) message_bytes: f64,
}

impl Request {
    pub(super) fn of(scenario: &Scenario, inputs: &Inputs) -> Self {
        let event_bytes = f64::from(scenario.payload_bytes);
        let fit = (float(REQUEST_BYTES_MAX) / event_bytes).floor();
        let events = f64::from(scenario.events_per_request).min(fit).max(1.0);
        let queued_bytes = event_bytes + inputs.measured.queued_event_bytes.value;
        let packed = ((float(MESSAGE_PACK_BYTES_MAX) - ENVELOPE_BYTES) / queued_bytes).floor();
        let messages = (events / packed.max(1.0)).ceil();
        let message_bytes = events * queued_bytes + messages * ENVELOPE_BYTES;
        Self { events, bytes: events * event_bytes, messages, message_bytes }
    }
}

/// How a message's pairs of events and subscriptions are worked.
#[derive(Clone, Copy)]
pub(super) struct Portions {
    /// Messages that take its place; 0 where it makes its attempts itself.
    pub(super) split: f64,
    /// Pairs in each message that makes attempts.
    pub(super) pairs: f64,
}

impl Portions {
    /// Of a message with so many events.
    pub(super) fn of(events: f64, scenario: &Scenario) -> Self {
        let pairs = events * f64::from(scenario.fan_out);
        let fit = (float(FANOUT_BYTES_MAX) / f64::from(scenario.payload_bytes)).floor();
        let most = float(INLINE_FANOUT_MAX).min(fit).max(1.0);
        if pairs <= most {
            return Self { split: 0.0, pairs };
        }
        let split = (pairs / most).ceil();
        Self { split, pairs: pairs / split }
    }
}

/// Steps of so many bytes that are counted for so many; at least one.
pub(super) fn steps(bytes: f64, step_bytes: f64) -> f64 {
    (bytes / step_bytes).ceil().max(1.0)
}

/// Requests that are billed for sending so many messages of so many bytes in all, in batches.
pub(super) fn batch_requests(messages: f64, bytes: f64, inputs: &Inputs) -> f64 {
    let batches = (messages / float(BATCH_ENTRIES_MAX)).max(bytes / float(MESSAGE_BYTES_MAX));
    steps(bytes, inputs.documented.queue_step_bytes.value).max(batches.ceil())
}

#[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^52")]
pub(super) const fn float(bound: usize) -> f64 {
    bound as f64
}
