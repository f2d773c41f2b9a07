//! What any invocation of a function costs: itself, its time, its log and its trace.

use crate::cost::bill::Bill;
use crate::cost::inputs::Inputs;
use crate::cost::prices::Item;
use crate::cost::scenario::{Architecture, Scenario};

use super::sizes::GIB;

/// A function's invocations of a month.
#[derive(Clone, Copy)]
pub(super) struct Invocations {
    /// The function, for the lines of the bill.
    pub(super) what: &'static str,
    pub(super) count: f64,
    /// The function's memory.
    pub(super) memory_mb: f64,
    /// Of a whole processor, each.
    pub(super) processor_ms: f64,
    /// For AWS and for targets, each.
    pub(super) waiting_ms: f64,
    /// That the function prints, each; Lambda's own lines are added.
    pub(super) log_bytes: f64,
}

impl Invocations {
    /// How long each is billed: whole milliseconds.
    pub(super) fn ms(&self, inputs: &Inputs) -> f64 {
        (inputs.billed_ms(self.processor_ms, self.memory_mb) + self.waiting_ms).ceil()
    }

    /// How many run at once, on average.
    pub(super) fn concurrency(&self, inputs: &Inputs) -> f64 {
        self.count * self.ms(inputs) / 1_000.0 / inputs.month_s()
    }

    /// Puts them on the bill.
    pub(super) fn count(&self, scenario: &Scenario, inputs: &Inputs, bill: &mut Bill) {
        let Self { what, count, memory_mb, .. } = *self;
        bill.add(what, Item::LambdaRequest, count);
        bill.add(what, time(scenario), gb_seconds(memory_mb, count * self.ms(inputs)));
        let own_bytes =
            inputs.assumed.platform_log_bytes.value + inputs.assumed.embedded_metric_bytes.value;
        log(what, count * (self.log_bytes + own_bytes), inputs, bill);
        if scenario.tracing {
            // The first of each second, and a part of the others.
            let first = inputs.documented.traces_a_second.value * inputs.month_s();
            let others = inputs.documented.traced_percent.value / 100.0;
            let traced = count.min(first) + (count - first).max(0.0) * others;
            bill.add(what, Item::Trace, traced);
        }
    }
}

/// What time is billed as.
pub(super) const fn time(scenario: &Scenario) -> Item {
    match scenario.architecture {
        Architecture::Arm64 => Item::LambdaGbSecondArm64,
        Architecture::X86 => Item::LambdaGbSecondX86,
    }
}

/// So many milliseconds of a function of so many megabytes.
pub(super) fn gb_seconds(memory_mb: f64, ms: f64) -> f64 {
    memory_mb / 1_024.0 * ms / 1_000.0
}

/// So many bytes of log: taken in, and kept.
fn log(what: &'static str, bytes: f64, inputs: &Inputs, bill: &mut Bill) {
    bill.add(what, Item::LogsIngested, bytes / GIB);
    let months =
        inputs.stack.log_retention_days.value * 24.0 / inputs.documented.hours_a_month.value;
    let kept = bytes / GIB * inputs.documented.log_compression.value * months;
    bill.add(what, Item::LogsStored, kept);
}
