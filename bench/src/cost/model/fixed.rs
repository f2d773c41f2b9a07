//! What a stack costs by the month, whatever happens; while nothing does, without its metrics.

use domain::limits::DUE_BUCKETS;

use crate::cost::bill::Bill;
use crate::cost::inputs::Inputs;
use crate::cost::prices::Item;
use crate::cost::scenario::{Keys, Scenario};

use super::invocations::Invocations;

pub(super) fn bill(scenario: &Scenario, inputs: &Inputs) -> Bill {
    let (stack, documented) = (&inputs.stack, &inputs.documented);
    let mut bill = Bill::default();

    // A query of each bucket and one of the breakers, of an index: half a unit each.
    let queries = bucket_count() + 1.0;
    let ticks = stack.ticks_a_month.value;
    bill.add("sweeper: is anything due?", Item::DynamoDbRead, ticks * queries / 2.0);
    Invocations {
        what: "sweeper",
        count: ticks,
        memory_mb: stack.sweeper_mb.value,
        processor_ms: inputs.measured.sweep_ms.value,
        waiting_ms: 2.0 * inputs.assumed.table_call_ms.value,
        log_bytes: inputs.measured.sweep_log_bytes.value,
    }
    .count(scenario, inputs, &mut bill);

    let polls = inputs.month_s() / documented.poll_seconds.value;
    let polled = stack.queue_mappings.value * documented.pollers.value * polls;
    bill.add("empty queues polled", Item::SqsRequest, polled);

    if scenario.keys == Keys::CustomerManaged {
        bill.add("key of queues and tables", Item::KmsKey, stack.customer_keys.value);
        let queues =
            inputs.month_s() / documented.data_key_seconds.value * stack.queue_key_users.value;
        bill.add("data keys of queues", Item::KmsRequest, queues);
        let tables =
            inputs.month_s() / documented.table_key_seconds.value * stack.table_key_users.value;
        bill.add("keys of tables", Item::KmsRequest, tables);
    }
    bill.add("signing keys", Item::Secret, stack.secrets.value);
    let chosen = |number: Option<u32>, otherwise: f64| number.map_or(otherwise, f64::from);
    // A metric costs by the hours in which something is counted; while nothing happens nothing is.
    if scenario.events > 0.0 || scenario.logins > 0.0 {
        bill.add("metrics", Item::Metric, chosen(scenario.metrics, stack.metrics.value));
    }
    bill.add("alarms", Item::Alarm, chosen(scenario.alarms, stack.alarms.value));
    bill.add("dashboards", Item::Dashboard, chosen(scenario.dashboards, stack.dashboards.value));
    bill
}

#[expect(clippy::cast_precision_loss, reason = "sixteen")]
const fn bucket_count() -> f64 {
    DUE_BUCKETS as f64
}
