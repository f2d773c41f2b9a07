//! What is asked: how many events and logins a month, and how the stack is deployed.

use clap::{Args, ValueEnum};
use domain::limits::{ATTEMPT_TIMEOUT_DEFAULT_MS, EVENT_BYTES_MAX, REQUEST_EVENTS_MAX};
use serde::Serialize;

/// A month of a stack.
#[derive(Args, Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Scenario {
    /// Events a month, evenly spread
    #[arg(long, default_value_t = 1e6, value_parser = count)]
    pub events: f64,
    /// Subscriptions that each event is for
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub fan_out: u32,
    /// Of a hundred deliveries, how many go wrong
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT", value_parser = percent)]
    pub failing: f64,
    /// What becomes of a delivery that goes wrong
    #[arg(long, value_enum, default_value_t = Failure::Exhausted)]
    pub failure: Failure,
    /// How long a failed attempt takes, in milliseconds: the default is the time-out
    #[arg(long, default_value_t = ATTEMPT_TIMEOUT_DEFAULT_MS)]
    pub failing_ms: u32,
    /// How long a target takes to answer, in milliseconds
    #[arg(long, default_value_t = 100)]
    pub target_ms: u32,
    /// An event as it is posted, in bytes
    #[arg(long, default_value_t = 1_024, value_parser = event_bytes)]
    pub payload_bytes: u32,
    /// Events in one POST, of one scope, as far as they fit
    #[arg(long, default_value_t = 1, value_parser = events)]
    pub events_per_request: u32,
    /// Scopes (properties, client IDs) that events come for
    #[arg(long, default_value_t = 10)]
    pub scopes: u32,
    /// Messages in a batch; by default as many as come while the pollers are busy
    #[arg(long, value_parser = batch)]
    pub batch_fill: Option<f64>,
    /// What takes in events and logins
    #[arg(long, value_enum, default_value_t = Front::HttpApi)]
    pub front: Front,
    /// The functions' processor
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    pub architecture: Architecture,
    /// Memory of the delivery function, in MB; by default as in the template
    #[arg(long, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    pub delivery_mb: Option<u32>,
    /// Whose keys encrypt queues, tables and the secret at rest
    #[arg(long, value_enum, default_value_t = Keys::CustomerManaged)]
    pub keys: Keys,
    /// Tokens are signed by a key in KMS (`SigningKmsKeyArn`)
    #[arg(long)]
    pub kms_signing: bool,
    /// Repeated events are recognised (`IdempotentIngest`)
    #[arg(long)]
    pub idempotent: bool,
    /// Invocations are traced, as AWS samples them
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub tracing: bool,
    /// Custom metrics; by default as many as the template's functions have
    #[arg(long)]
    pub metrics: Option<u32>,
    /// Alarms; by default as many as the template has
    #[arg(long)]
    pub alarms: Option<u32>,
    /// Dashboards; by default as many as the template has
    #[arg(long)]
    pub dashboards: Option<u32>,
    /// Logins a month, evenly spread
    #[arg(long, default_value_t = 0.0, value_parser = count)]
    pub logins: f64,
    /// Targets that each login is decided by
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub login_targets: u32,
    /// Logins come by direct Invoke, and not through the front
    #[arg(long)]
    pub invoked: bool,
    /// Logins come without a request ID, and are not recognised when they are asked about again
    #[arg(long)]
    pub unnamed: bool,
    /// Claims are kept for when a target is down (`LastKnownGood`)
    #[arg(long)]
    pub last_known_good: bool,
}

/// The smallest event that there is, roughly.
const EVENT_BYTES_MIN: usize = 200;

/// What takes in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Front {
    /// An HTTP API: each request has its price.
    HttpApi,
    /// Function URLs, which cost nothing.
    FunctionUrl,
}

/// The functions' processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Architecture {
    /// Graviton.
    Arm64,
    /// Intel or AMD.
    #[value(name = "x86_64")]
    X86,
}

/// Whose keys encrypt what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Keys {
    /// AWS's own, which cost nothing.
    AwsOwned,
    /// A key in the account: it and its requests have their price.
    CustomerManaged,
}

/// What becomes of a delivery that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// Its second attempt succeeds.
    Retried,
    /// It is held by a breaker, without an attempt, and delivered when its target is back.
    Held,
    /// Every attempt of the patient schedule fails, and it becomes a dead letter. Nothing costs more.
    Exhausted,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            events: 1e6,
            fan_out: 1,
            failing: 0.0,
            failure: Failure::Exhausted,
            failing_ms: ATTEMPT_TIMEOUT_DEFAULT_MS,
            target_ms: 100,
            payload_bytes: 1_024,
            events_per_request: 1,
            scopes: 10,
            batch_fill: None,
            front: Front::HttpApi,
            architecture: Architecture::Arm64,
            delivery_mb: None,
            keys: Keys::CustomerManaged,
            kms_signing: false,
            idempotent: false,
            tracing: true,
            metrics: None,
            alarms: None,
            dashboards: None,
            logins: 0.0,
            login_targets: 1,
            invoked: false,
            unnamed: false,
            last_known_good: false,
        }
    }
}

fn event_bytes(text: &str) -> Result<u32, String> {
    whole(text, EVENT_BYTES_MIN, EVENT_BYTES_MAX)
}

fn events(text: &str) -> Result<u32, String> {
    whole(text, 1, REQUEST_EVENTS_MAX)
}

fn whole(text: &str, least: usize, most: usize) -> Result<u32, String> {
    let number: u32 = text.parse().map_err(|_| "not a whole number".to_owned())?;
    if usize::try_from(number).is_ok_and(|number| (least..=most).contains(&number)) {
        Ok(number)
    } else {
        Err(format!("not between {least} and {most}"))
    }
}

fn count(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1e12)
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.0, 100.0)
}

fn batch(text: &str) -> Result<f64, String> {
    within(text, 1.0, 10.0)
}

fn within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("not between {least} and {most}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        scenario: Scenario,
    }

    #[test]
    fn a_command_line_without_options_is_the_default() {
        let command = Command::try_parse_from(["cost"]).expect("a command line");
        assert_eq!(command.scenario, Scenario::default());
    }

    #[test]
    fn numbers_out_of_bounds_are_refused() {
        for bad in ["--failing=101", "--events=-1", "--events=NaN", "--payload-bytes=300000"] {
            assert!(Command::try_parse_from(["cost", bad]).is_err(), "{bad}");
        }
        let command = Command::try_parse_from(["cost", "--events=1e8", "--failing=0.5"]);
        assert!(command.is_ok_and(|command| command.scenario.events.total_cmp(&1e8).is_eq()));
    }
}
