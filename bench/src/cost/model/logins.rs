//! Logins are decided.

use crate::cost::bill::Bill;
use crate::cost::inputs::Inputs;
use crate::cost::prices::Item;
use crate::cost::scenario::{Front, Scenario};

use super::invocations::Invocations;
use super::sizes::{GIB, steps};

pub(super) fn count(scenario: &Scenario, inputs: &Inputs, bill: &mut Bill) {
    let Scenario { logins, .. } = *scenario;
    let (measured, assumed) = (&inputs.measured, &inputs.assumed);
    let targets = f64::from(scenario.login_targets);
    if scenario.front == Front::HttpApi && !scenario.invoked {
        bill.add("logins", Item::HttpApiRequest, logins);
    }
    let answer_bytes = assumed.http_head_bytes.value + assumed.decision_item_bytes.value;
    bill.add("answers to logins", Item::TransferOut, logins * answer_bytes / GIB);
    let asked_bytes = assumed.question_bytes.value + measured.notification_header_bytes.value;
    bill.add("questions to targets", Item::TransferOut, logins * targets * asked_bytes / GIB);
    if scenario.kms_signing {
        bill.add("questions to targets", Item::KmsSignature, logins * targets);
    }

    let mut processor_ms = measured.login_ms.value * targets.max(1.0);
    let mut waiting_ms = if scenario.login_targets > 0 { scenario.target_ms.into() } else { 0.0 };
    if !scenario.unnamed && scenario.login_targets > 0 {
        // Taken, and noted with the decision.
        let noted =
            steps(assumed.decision_item_bytes.value, inputs.documented.write_unit_bytes.value);
        bill.add("logins: known for ten seconds", Item::DynamoDbWrite, logins * (1.0 + noted));
        processor_ms += 2.0 * measured.aws_call_ms.value;
        waiting_ms += 2.0 * assumed.table_call_ms.value;
    }
    if scenario.last_known_good {
        let kept =
            steps(assumed.known_good_item_bytes.value, inputs.documented.write_unit_bytes.value);
        bill.add("last known good", Item::DynamoDbWrite, logins * targets * kept);
        processor_ms += targets * measured.aws_call_ms.value;
    }
    Invocations {
        what: "enrich",
        count: logins,
        memory_mb: inputs.stack.enrich_mb.value,
        processor_ms,
        waiting_ms,
        log_bytes: measured.login_log_bytes.value,
    }
    .count(scenario, inputs, bill);
}
