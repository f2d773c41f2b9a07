//! Events are delivered: first attempts, and what comes after those that fail.

use domain::limits::{BATCH_ENTRIES_MAX, SIGNING_KEYS_REFRESH_MS, SUBSCRIPTIONS_STALENESS_MAX_MS};

use crate::cost::bill::Bill;
use crate::cost::inputs::Inputs;
use crate::cost::prices::Item;
use crate::cost::scenario::{Keys, Scenario};

use super::intake::Queued;
use super::invocations::{Invocations, gb_seconds, time};
use super::sizes::{GIB, Portions, batch_requests, float, steps};
use super::story::Story;

/// How busy the mappings are.
pub(super) struct Worked {
    pub(super) concurrency_of_events: f64,
    pub(super) concurrency_of_retries: f64,
}

pub(super) fn count(
    scenario: &Scenario,
    inputs: &Inputs,
    queued: Queued,
    bill: &mut Bill,
) -> Worked {
    let month = Month { scenario, inputs, queued, story: Story::of(scenario.failure, inputs) };
    let first = month.first_attempts(bill);
    let later = month.later_attempts(bill);
    month.sent(bill);
    month.ledger(bill);
    for invocations in [&first, &later] {
        invocations.count(scenario, inputs, bill);
    }
    let records = first.count + later.count;
    let concurrency_of_events = first.concurrency(inputs);
    let concurrency_of_retries = later.concurrency(inputs);
    month.looked_up(records, concurrency_of_events + concurrency_of_retries, bill);
    Worked { concurrency_of_events, concurrency_of_retries }
}

struct Month<'a> {
    scenario: &'a Scenario,
    inputs: &'a Inputs,
    queued: Queued,
    story: Story,
}

impl Month<'_> {
    fn deliveries(&self) -> f64 {
        self.scenario.events * f64::from(self.scenario.fan_out)
    }

    /// Of one delivery, how much of it goes wrong.
    fn share(&self) -> f64 {
        self.scenario.failing / 100.0
    }

    fn failing(&self) -> f64 {
        self.deliveries() * self.share()
    }

    fn kib(&self) -> f64 {
        f64::from(self.scenario.payload_bytes) / 1_024.0
    }

    fn memory_mb(&self) -> f64 {
        self.scenario.delivery_mb.map_or(self.inputs.stack.delivery_mb.value, f64::from)
    }

    /// Messages in a batch. There is no batching window: a batch holds what has come while the pollers
    /// were busy with their last ones.
    fn fill(&self, messages: f64, busy_ms: f64) -> f64 {
        let a_second = messages / self.inputs.month_s();
        let meanwhile = a_second * busy_ms / 1_000.0 / self.inputs.documented.pollers.value;
        self.scenario.batch_fill.unwrap_or(meanwhile).clamp(1.0, float(BATCH_ENTRIES_MAX))
    }

    /// Requests of the poller for batches of so many messages of so many bytes; one to receive each,
    /// one to delete it.
    fn polled(&self, what: &'static str, batches: f64, bytes: f64, bill: &mut Bill) {
        let received = steps(bytes, self.inputs.documented.queue_step_bytes.value);
        bill.add(what, Item::SqsRequest, batches * (received + 1.0));
        bill.add(what, Item::SqsFairRequest, batches * (received + 1.0));
    }

    fn first_attempts(&self, bill: &mut Bill) -> Invocations {
        let Self { scenario, inputs, queued, story } = self;
        let measured = &inputs.measured;
        let portions = Portions::of(queued.events, scenario);
        if portions.split > 0.0 {
            let bytes = portions.split * queued.bytes;
            let sends = queued.messages * batch_requests(portions.split, bytes, inputs);
            bill.add("events: split", Item::SqsRequest, sends);
            bill.add("events: split", Item::SqsFairRequest, sends);
        }
        let messages = queued.messages * (1.0 + portions.split);
        let fill = self.fill(messages, scenario.target_ms.into());
        let batches = messages / fill;
        self.polled("events: polled", batches, fill * queued.bytes, bill);

        // A message that was split makes no attempts.
        let attempting = portions.split.max(1.0) / (1.0 + portions.split);
        let pairs = fill * attempting * portions.pairs;
        let fails = pairs * self.share();
        let calls = if story.fails_first { 3.0 } else { 1.0 };
        let made = if story.fails_first { pairs } else { pairs - fails };
        let processor_ms = measured.delivery_invocation_ms.value
            + fill * measured.delivery_message_ms.value
            + fill * queued.bytes / 1_024.0 * measured.delivery_message_kib_ms.value
            + made * (measured.attempt_ms.value + self.kib() * measured.attempt_kib_ms.value)
            + (1.0 + fails * calls) * measured.aws_call_ms.value;
        // All attempts of a batch are made at once; one that fails keeps the others waiting.
        let some_fails = 1.0 - (1.0 - self.share()).powf(pairs);
        let answered_ms = if pairs > 0.0 { f64::from(scenario.target_ms) } else { 0.0 };
        let failing_ms = if story.fails_first {
            (f64::from(scenario.failing_ms) - answered_ms).max(0.0)
                + 2.0 * inputs.assumed.table_call_ms.value
                + inputs.assumed.queue_call_ms.value
        } else {
            inputs.assumed.table_call_ms.value
        };
        Invocations {
            what: "delivery: first attempts",
            count: batches,
            memory_mb: self.memory_mb(),
            processor_ms,
            waiting_ms: inputs.assumed.table_call_ms.value + answered_ms + some_fails * failing_ms,
            log_bytes: pairs * measured.attempt_log_bytes.value,
        }
    }

    fn later_attempts(&self, bill: &mut Bill) -> Invocations {
        let Self { scenario, inputs, queued, story } = self;
        let measured = &inputs.measured;
        let wakes = self.failing() * story.wakes;
        let swept = self.failing() * story.swept;
        let retries = self.failing() * story.retries;
        let sends = wakes + swept / float(BATCH_ENTRIES_MAX);
        bill.add("retries: sent", Item::SqsRequest, sends);
        bill.add("retries: sent", Item::SqsFairRequest, sends);

        let fails = if retries > 0.0 { story.failures / story.retries } else { 0.0 };
        let answered_ms = f64::from(scenario.target_ms);
        let failing_ms = (f64::from(scenario.failing_ms) - answered_ms).max(0.0);
        let fill = self.fill(retries, answered_ms + fails * failing_ms);
        let batches = retries / fill;
        self.polled("retries: polled", batches, 0.0, bill);
        // What the sweeper does for a delivery: one call, and its part of a batch.
        let calls = swept * (1.0 + 1.0 / float(BATCH_ENTRIES_MAX));
        let memory_mb = inputs.stack.sweeper_mb.value;
        let swept_ms = inputs.billed_ms(calls * measured.aws_call_ms.value, memory_mb);
        bill.add("sweeper: deliveries woken", time(scenario), gb_seconds(memory_mb, swept_ms));

        // Claim, look at the breaker, settle, tell the breaker; and wake, where it fails again.
        let calls = 4.0 + fails;
        let attempt_ms = measured.delivery_message_ms.value
            + queued.bytes / 1_024.0 * measured.delivery_message_kib_ms.value
            + measured.attempt_ms.value
            + self.kib() * measured.attempt_kib_ms.value
            + calls * measured.aws_call_ms.value;
        let some_fails = 1.0 - (1.0 - fails).powf(fill);
        Invocations {
            what: "delivery: later attempts",
            count: batches,
            memory_mb: self.memory_mb(),
            processor_ms: measured.delivery_invocation_ms.value + fill * attempt_ms,
            waiting_ms: 4.0 * inputs.assumed.table_call_ms.value
                + fails * inputs.assumed.queue_call_ms.value
                + answered_ms
                + some_fails * failing_ms,
            log_bytes: fill * measured.attempt_log_bytes.value,
        }
    }

    /// Attempts, as they leave.
    fn sent(&self, bill: &mut Bill) {
        let Self { scenario, inputs, story, .. } = self;
        let first =
            if story.fails_first { self.deliveries() } else { self.deliveries() - self.failing() };
        let attempts = first + self.failing() * story.retries;
        // Base64url makes four octets of three.
        let bytes = f64::from(scenario.payload_bytes) * 4.0 / 3.0
            + inputs.measured.notification_fixed_bytes.value
            + inputs.measured.notification_header_bytes.value;
        bill.add("notifications", Item::TransferOut, attempts * bytes / GIB);
        if scenario.kms_signing {
            bill.add("notifications", Item::KmsSignature, attempts);
        }
    }

    fn ledger(&self, bill: &mut Bill) {
        let Self { scenario, inputs, story, .. } = self;
        let item_bytes = f64::from(scenario.payload_bytes)
            + inputs.measured.queued_event_bytes.value
            + inputs.assumed.ledger_item_bytes.value;
        let units = steps(item_bytes, inputs.documented.write_unit_bytes.value);
        let each = story.item_writes * units + story.index_writes;
        bill.add("ledger", Item::DynamoDbWrite, self.failing() * each);
        bill.add("breakers", Item::DynamoDbWrite, self.failing() * story.breaker_writes);
        // Before each later attempt, consistently: an item of less than 4 KiB is one unit.
        bill.add("breakers", Item::DynamoDbRead, self.failing() * story.retries);
        let kept_bytes = item_bytes + 2.0 * inputs.assumed.index_entry_bytes.value;
        let months = story.days * 24.0 / inputs.documented.hours_a_month.value;
        bill.add("ledger", Item::DynamoDbStorage, self.failing() * kept_bytes / GIB * months);
    }

    /// Subscriptions, once in half a minute for each scope in each execution environment; and the
    /// signing keys, once in five minutes in each.
    fn looked_up(&self, invocations: f64, concurrency: f64, bill: &mut Bill) {
        let Self { scenario, inputs, .. } = self;
        let environments = concurrency.max(1.0).ceil();
        let half_minutes =
            inputs.month_s() * 1_000.0 / milliseconds(SUBSCRIPTIONS_STALENESS_MAX_MS);
        let most = environments * f64::from(scenario.scopes) * half_minutes;
        let queries = (invocations * float(BATCH_ENTRIES_MAX)).min(most);
        let rows = f64::from(scenario.fan_out) * inputs.assumed.subscription_row_bytes.value;
        // Eventually consistent: half a unit.
        let units = steps(rows, inputs.documented.read_unit_bytes.value) / 2.0;
        bill.add("subscriptions", Item::DynamoDbRead, queries * units);
        let keys =
            environments * inputs.month_s() * 1_000.0 / milliseconds(SIGNING_KEYS_REFRESH_MS);
        let reads = invocations.min(keys);
        bill.add("signing keys", Item::SecretRequest, reads);
        if scenario.keys == Keys::CustomerManaged {
            bill.add("signing keys", Item::KmsRequest, reads);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "minutes")]
const fn milliseconds(bound: u64) -> f64 {
    bound as f64
}
