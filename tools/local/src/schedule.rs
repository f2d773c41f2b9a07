//! The clock: what `EventBridge`'s scheduled rules do. A function with a schedule is invoked at its
//! rate, one invocation at a time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::StartError;
use crate::functions::{Functions, Name};
use crate::template::Stack;

/// The running clocks. Dropping them stops them.
pub(crate) struct Schedules(JoinSet<()>);

impl Schedules {
    /// Starts a clock for every schedule of the template.
    pub(crate) fn start(stack: &Stack, functions: &Arc<Functions>) -> Result<Self, StartError> {
        let mut clocks = JoinSet::new();
        for function in &stack.functions {
            let Some(name) = Name::of_logical_id(&function.logical_id) else { continue };
            for schedule in &function.schedules {
                let rate = rate(schedule).ok_or_else(|| StartError::Schedule(schedule.clone()))?;
                clocks.spawn(tick(rate, name, Arc::clone(functions)));
            }
        }
        Ok(Self(clocks))
    }

    /// Stops: no further tick. What runs is cut off, as by a crash, and is found again.
    pub(crate) fn stop(mut self) {
        self.0.abort_all();
    }
}

async fn tick(rate: Duration, name: Name, functions: Arc<Functions>) {
    let mut ticks = interval_at(Instant::now() + rate, rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = functions.invoke(name, json!({ "source": "aws.events" })).await {
            tracing::warn!(function = name.logical_id(), %error, "a tick failed");
        }
    }
}

/// `rate(1 minute)`, `rate(5 minutes)`
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>).
fn rate(schedule: &str) -> Option<Duration> {
    let words = schedule.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = words.split_once(' ')?;
    let minutes: u64 = count.parse().ok()?;
    let is_minutes = matches!(unit, "minute" | "minutes") && minutes > 0;
    is_minutes.then(|| Duration::from_mins(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_minutes() {
        assert_eq!(rate("rate(1 minute)"), Some(Duration::from_mins(1)));
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_mins(5)));
        for bad in ["rate(0 minutes)", "rate(1 hour)", "cron(* * * * ? *)", "rate(minute)"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }
}
