//! The other numbers of the model, as they stand in `bench/inputs.json`: each with its unit and where it
//! is from.

use serde::Deserialize;

use super::CostError;

const FILE: &str = include_str!("../../inputs.json");

/// A number and its history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: String,
    /// Where it is from.
    pub how: String,
}

macro_rules! figures {
    ($(#[$about:meta])* $section:ident { $($name:ident),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[expect(missing_docs, reason = "each says in the file what it is")]
        pub struct $section { $(pub $name: Figure),* }

        impl $section {
            /// All figures of the section, in their order, with their names in the code.
            #[must_use]
            pub fn figures(&self) -> Vec<(&'static str, &Figure)> {
                vec![$((stringify!($name), &self.$name)),*]
            }
        }
    };
}

figures! {
    /// Measured on the machine that the file names.
    Measured {
        ingest_invocation_ms, ingest_event_ms, ingest_kib_ms,
        delivery_invocation_ms, delivery_message_ms, delivery_message_kib_ms, attempt_ms,
        attempt_kib_ms, aws_call_ms, login_ms, sweep_ms,
        ingest_mib, delivery_mib, delivery_large_mib, enrich_mib, sweeper_mib,
        ingest_log_bytes, attempt_log_bytes, login_log_bytes, sweep_log_bytes,
        notification_header_bytes, notification_fixed_bytes, queued_event_bytes,
    }
}

figures! {
    /// What AWS documents.
    Documented {
        hours_a_month, megabytes_a_processor, pollers, poll_seconds, data_key_seconds,
        table_key_seconds, traces_a_second, traced_percent, gateway_step_bytes, queue_step_bytes,
        write_unit_bytes, read_unit_bytes, log_compression,
    }
}

figures! {
    /// What nobody has measured, and what it is taken to be.
    Assumed {
        queue_call_ms, table_call_ms, platform_log_bytes, embedded_metric_bytes, http_head_bytes,
        answer_event_bytes, ledger_item_bytes, index_entry_bytes, subscription_row_bytes,
        decision_item_bytes, known_good_item_bytes, question_bytes, held_days,
    }
}

figures! {
    /// What the template makes.
    Stack {
        ingest_mb, delivery_mb, enrich_mb, sweeper_mb, ticks_a_month, queue_mappings,
        concurrency_of_events, concurrency_of_retries, log_retention_days, customer_keys, secrets,
        queue_key_users, table_key_users, metrics, alarms, dashboards,
    }
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inputs {
    /// What the file is, and on which machine it was measured.
    pub about: String,
    /// When it was measured.
    pub measured_on: String,
    /// See [`Measured`].
    pub measured: Measured,
    /// See [`Documented`].
    pub documented: Documented,
    /// See [`Assumed`].
    pub assumed: Assumed,
    /// See [`Stack`].
    pub stack: Stack,
}

impl Inputs {
    /// The numbers of the file that this program was built with.
    pub fn built_in() -> Result<Self, CostError> {
        serde_json::from_str(FILE)
            .map_err(|source| CostError::Numbers { file: "bench/inputs.json", source })
    }

    /// Seconds of a month.
    #[must_use]
    pub fn month_s(&self) -> f64 {
        self.documented.hours_a_month.value * 3_600.0
    }

    /// Milliseconds that Lambda bills for so many of a whole processor, in a function of so many
    /// megabytes.
    #[must_use]
    pub fn billed_ms(&self, processor_ms: f64, memory_mb: f64) -> f64 {
        processor_ms * self.documented.megabytes_a_processor.value / memory_mb
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_a_number_with_a_unit_and_a_history() {
        let inputs = Inputs::built_in().expect("inputs");
        let Inputs { measured, documented, assumed, stack, .. } = &inputs;
        let sections =
            [measured.figures(), documented.figures(), assumed.figures(), stack.figures()];
        for (name, figure) in sections.into_iter().flatten() {
            assert!(figure.value.is_finite() && figure.value >= 0.0, "{name}");
            assert!(!figure.unit.is_empty() && !figure.how.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_function_has_its_part_of_a_processor() {
        let inputs = Inputs::built_in().expect("inputs");
        let whole = inputs.documented.megabytes_a_processor.value;
        assert!((inputs.billed_ms(3.0, whole) - 3.0).abs() < 1e-9);
        assert!((inputs.billed_ms(3.0, whole / 4.0) - 12.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_said_of_the_template_stands_in_it() {
        let template = include_str!("../../../template.yaml");
        let stack = Inputs::built_in().expect("inputs").stack;
        let all = |line: String| template.matches(line.as_str()).count();
        assert!((stack.ingest_mb.value - stack.delivery_mb.value).abs() < 1e-9);
        assert!(all(format!("MemorySize: {}\n", stack.ingest_mb.value)) > 0);
        assert!(all(format!("MemorySize: {}\n", stack.enrich_mb.value)) > 0);
        let (events, retries) = (stack.concurrency_of_events, stack.concurrency_of_retries);
        let size = format!(
            "    small:\n      Events: {}\n      Retries: {}\n",
            events.value, retries.value
        );
        assert_eq!(all(size), 1);
        assert_eq!(all("Type: AWS::CloudWatch::Alarm\n".to_owned()), 17);
        assert_eq!(all("KmsDataKeyReusePeriodSeconds: !If [KeyIsOurs, 3600,".to_owned()), 4);
        assert_eq!(all("SystemLogLevel: WARN\n".to_owned()), 1);
        assert_eq!(all("Type: AWS::SecretsManager::Secret\n".to_owned()), 1);
        assert_eq!(all("Schedule: rate(1 minute)\n".to_owned()), 1);
    }
}
