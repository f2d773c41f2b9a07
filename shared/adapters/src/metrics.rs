//! Metrics: what a unit of work counted and measured, as `CloudWatch`'s embedded metric format.
//!
//! A line of JSON on standard output, from which `CloudWatch` Logs makes metrics: no call, no wait, no
//! permission
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! Every metric is counted under the stack's name, and those that have a [`Dimension`] under its
//! values too. Their number is bounded, because `CloudWatch` bills each combination: a value is a
//! `&'static str`, which no target, subscription or user can choose.
//!
//! Only a deployed function that is told its stack's name writes anything.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::OnceLock;

use serde_json::Value;

use crate::clock;
use crate::settings::Strings;

/// The namespace of all our metrics.
pub const NAMESPACE: &str = "IdentityWorkflows";

/// The most values of one metric in a line.
const VALUES_MAX: usize = 100;

static STACK: OnceLock<String> = OnceLock::new();

/// What is counted or measured. The unit of time ends the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Events answered 202.
    EventsAccepted,
    /// Events answered 503: the producer has to post them again.
    EventsNotStored,
    /// Requests with a mistake in them, nothing of which was stored.
    RequestsRefused,
    /// Tokens posted to a listener that did not prove themselves, or were not as they should be.
    SourceTokensRefused,
    /// How long a request with events took us.
    IngestMs,
    /// Events that nobody listens to.
    EventsUnmatched,
    /// Deliveries that were worked, by where that left them.
    Deliveries,
    /// How long an attempt took, until its outcome was known.
    AttemptMs,
    /// How old an event was after its first attempt, counted from its acceptance.
    FirstAttemptAgeMs,
    /// How old an event was after a later attempt.
    RetryAgeMs,
    /// Deliveries that were given up, by the class of the reason.
    DeadLetters,
    /// Breakers that opened.
    BreakersOpened,
    /// Subscriptions that were switched off.
    SubscriptionsDisabled,
    /// Records that went back to their queue, for reasons of ours.
    RecordsReturned,
    /// Records that could not be read and lie on a dead-letter queue.
    RecordsSetAside,
    /// Logins that were decided, by the action.
    Decisions,
    /// Why logins were decided so, by the class of the reason; a login can have several.
    DecisionReasons,
    /// Logins in which something spoke in the place of a target.
    DecisionsDegraded,
    /// How long a decision took.
    DecisionMs,
    /// How much of a login's time was left.
    BudgetLeftMs,
    /// Logins that took more than four fifths of their time.
    DecisionsSlow,
    /// Refusals that a platform hears of as an error of the function.
    LoginsRefusedByError,
    /// Wake-ups that the sweeper sent.
    Woken,
    /// How long the oldest delivery that the sweeper found had been due.
    OverdueMs,
}

/// What some metrics are also counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// Where a delivery was left: `delivered`, `retrying`, `held`, `dead`, `in_ledger`.
    Outcome,
    /// What a login was decided to: `allow`, `block`, `challenge`.
    Action,
    /// The class of a reason.
    Reason,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::EventsAccepted,
        Self::EventsNotStored,
        Self::RequestsRefused,
        Self::SourceTokensRefused,
        Self::IngestMs,
        Self::EventsUnmatched,
        Self::Deliveries,
        Self::AttemptMs,
        Self::FirstAttemptAgeMs,
        Self::RetryAgeMs,
        Self::DeadLetters,
        Self::BreakersOpened,
        Self::SubscriptionsDisabled,
        Self::RecordsReturned,
        Self::RecordsSetAside,
        Self::Decisions,
        Self::DecisionReasons,
        Self::DecisionsDegraded,
        Self::DecisionMs,
        Self::BudgetLeftMs,
        Self::DecisionsSlow,
        Self::LoginsRefusedByError,
        Self::Woken,
        Self::OverdueMs,
    ];

    /// Its name in `CloudWatch`, the variant's own: alarms and dashboards of deployed stacks look for
    /// it, so a variant that is renamed is another metric.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// What it is also counted by, where it is.
    #[must_use]
    pub const fn dimension(self) -> Option<Dimension> {
        match self {
            Self::Deliveries => Some(Dimension::Outcome),
            Self::Decisions => Some(Dimension::Action),
            Self::DeadLetters | Self::DecisionReasons => Some(Dimension::Reason),
            _ => None,
        }
    }

    fn unit(self) -> &'static str {
        let name = self.name();
        if name.ends_with("Ms") { "Milliseconds" } else { "Count" }
    }
}

/// The stack's name that metrics are written under, `METRICS_STACK`; they are off when it is not set.
pub fn stack(strings: &impl Strings) -> Option<String> {
    strings.get("METRICS_STACK").filter(|name| !name.is_empty())
}

pub(crate) fn start(strings: &impl Strings) {
    if let Some(stack) = stack(strings) {
        // A second call changes nothing of the former.
        let _ = STACK.set(stack);
    }
}

/// What one unit of work counted and measured.
#[derive(Debug, Default)]
#[must_use = "a tally is nothing until it is emitted"]
pub struct Tally {
    /// By the dimension and its value that they stand under; `None` for the stack alone.
    values: BTreeMap<Option<Under>, Values>,
}

/// A dimension and its value, beside the stack.
type Under = (Dimension, &'static str);

/// All values of each metric, in the order in which they were added.
type Values = BTreeMap<Metric, Vec<u64>>;

impl Tally {
    /// Adds a value of a metric. Zero counts: whoever has nothing to tell does not call.
    pub fn add(&mut self, metric: Metric, value: u64) {
        self.values.entry(None).or_default().entry(metric).or_default().push(value);
    }

    /// Adds a count, unless there is nothing to count.
    pub fn count(&mut self, metric: Metric, count: usize) {
        if count > 0 {
            self.add(metric, u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    /// Counts one under the value of the metric's dimension, and under the stack.
    pub fn count_by(&mut self, metric: Metric, value: &'static str) {
        self.add(metric, 1);
        if let Some(dimension) = metric.dimension() {
            let under = self.values.entry(Some((dimension, value))).or_default();
            under.entry(metric).or_default().push(1);
        }
    }

    /// Writes it to standard output, if metrics are on.
    pub fn emit(self) {
        let Some(stack) = STACK.get() else { return };
        let mut text = String::new();
        for line in self.lines(stack, clock::now().as_ms()) {
            text.push_str(&line);
            text.push('\n');
        }
        // Whoever cannot write metrics goes on without.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// The lines that are written of it, as of this moment in epoch milliseconds.
    #[must_use]
    pub fn lines(self, stack: &str, now_ms: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for (under, metrics) in self.values {
            let portions = metrics.values().map(|values| values.len().div_ceil(VALUES_MAX)).max();
            for portion in 0..portions.unwrap_or(0) {
                lines.push(line(stack, now_ms, under, &metrics, portion));
            }
        }
        lines
    }
}

/// One line, with the nth hundred of each metric's values.
fn line(
    stack: &str,
    now_ms: u64,
    under: Option<Under>,
    metrics: &Values,
    portion: usize,
) -> String {
    let mut line = String::new();
    // Writing to a text does not fail.
    let _ = write_line(&mut line, stack, now_ms, under, metrics, portion);
    line
}

/// Piece by piece, and no tree of values: it is written with every invocation. Names and values are ours
/// and need no escapes; the stack's name may, whatever it is.
fn write_line(
    line: &mut String,
    stack: &str,
    now_ms: u64,
    under: Option<Under>,
    metrics: &Values,
    portion: usize,
) -> fmt::Result {
    let (mut dimensions, mut declared) = (String::from("\"Stack\""), String::new());
    let mut members = format!("\"Stack\":{}", Value::from(stack));
    if let Some((dimension, value)) = under {
        write!(dimensions, ",\"{dimension:?}\"")?;
        write!(members, ",\"{dimension:?}\":\"{value}\"")?;
    }
    for (metric, values) in metrics {
        // One is written as a number: most units of work have one of each.
        match values.chunks(VALUES_MAX).nth(portion).unwrap_or_default() {
            [] => continue,
            [one] => write!(members, ",\"{metric:?}\":{one}")?,
            many => write!(members, ",\"{metric:?}\":{many:?}")?,
        }
        let separator = if declared.is_empty() { "" } else { "," };
        let unit = metric.unit();
        write!(declared, "{separator}{{\"Name\":\"{metric:?}\",\"Unit\":\"{unit}\"}}")?;
    }
    write!(
        line,
        "{{\"_aws\":{{\"Timestamp\":{now_ms},\"CloudWatchMetrics\":[{{\"Namespace\":\"{NAMESPACE}\",\
         \"Dimensions\":[[{dimensions}]],\"Metrics\":[{declared}]}}]}},{members}}}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(tally: Tally) -> Vec<Value> {
        let lines = tally.lines("staging", 1_795_428_000_000).into_iter();
        lines.map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    }

    #[test]
    fn a_line_is_what_the_embedded_metric_format_says() {
        let mut tally = Tally::default();
        tally.add(Metric::AttemptMs, 12);
        tally.add(Metric::AttemptMs, 30);
        tally.count(Metric::EventsUnmatched, 0);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_428_000_000_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "IdentityWorkflows",
                    "Dimensions": [["Stack"]],
                    "Metrics": [{"Name": "AttemptMs", "Unit": "Milliseconds"}],
                }],
            },
            "Stack": "staging",
            "AttemptMs": [12, 30],
        });
        assert_eq!(lines(tally), [expected]);
        assert!(lines(Tally::default()).is_empty());
    }

    #[test]
    fn a_stack_may_be_called_anything() {
        let mut tally = Tally::default();
        tally.add(Metric::AttemptMs, 12);
        let line = tally.lines("a \"stack\" \\ of\nours", 1).pop().expect("a line");
        assert_eq!(line.lines().count(), 1);
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(line["Stack"], "a \"stack\" \\ of\nours");
    }

    #[test]
    fn what_has_a_dimension_is_counted_with_and_without_it() {
        let mut tally = Tally::default();
        tally.count_by(Metric::Deliveries, "delivered");
        tally.count_by(Metric::Deliveries, "held");
        tally.count_by(Metric::Deliveries, "delivered");
        let said: Vec<(Value, Value)> = lines(tally)
            .into_iter()
            .map(|line| (line["Outcome"].clone(), line["Deliveries"].clone()))
            .collect();
        assert_eq!(
            said,
            [
                (Value::Null, json!([1, 1, 1])),
                (json!("delivered"), json!([1, 1])),
                (json!("held"), json!(1)),
            ]
        );
    }

    #[test]
    fn no_line_has_more_values_than_cloudwatch_reads_and_none_is_left_out() {
        let mut tally = Tally::default();
        (0..250).for_each(|value| tally.add(Metric::AttemptMs, value));
        tally.add(Metric::EventsUnmatched, 1);
        let lines = lines(tally);
        let counts: Vec<usize> =
            lines.iter().map(|line| line["AttemptMs"].as_array().map_or(0, Vec::len)).collect();
        assert_eq!(counts, [100, 100, 50]);
        let unmatched = lines.iter().filter(|line| !line["EventsUnmatched"].is_null());
        assert_eq!(unmatched.count(), 1);
        let declared = |line: &Value| {
            line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().map_or(0, Vec::len)
        };
        assert_eq!(lines.iter().map(declared).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn a_name_says_its_unit() {
        for metric in Metric::ALL {
            let unit = metric.unit();
            assert_eq!(unit == "Milliseconds", metric.name().ends_with("Ms"), "{metric:?}");
        }
        let names: std::collections::BTreeSet<_> =
            Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
