//! What `EventBridge`'s scheduled rules do: a function with a schedule is invoked at its rate, by
//! the stack's clock, one invocation at a time.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::StartError;
use crate::clock::Clock;
use crate::functions::{Functions, Name};
use crate::template::Stack;

/// The running schedules. Dropping them stops them.
pub(crate) struct Schedules(JoinSet<()>);

impl Schedules {
    /// Starts every schedule of the template.
    pub(crate) fn start(
        stack: &Stack,
        functions: &Arc<Functions>,
        clock: &Arc<Clock>,
    ) -> Result<Self, StartError> {
        let mut schedules = JoinSet::new();
        for function in &stack.functions {
            let Some(name) = Name::of_logical_id(&function.logical_id) else { continue };
            for schedule in &function.schedules {
                let rate_ms =
                    rate_ms(schedule).ok_or_else(|| StartError::Schedule(schedule.clone()))?;
                schedules.spawn(tick(rate_ms, name, Arc::clone(functions), Arc::clone(clock)));
            }
        }
        Ok(Self(schedules))
    }

    /// Stops: no further tick. What runs is cut off, as by a crash, and is found again.
    pub(crate) fn stop(mut self) {
        self.0.abort_all();
    }
}

async fn tick(rate_ms: u64, name: Name, functions: Arc<Functions>, clock: Arc<Clock>) {
    let mut due = clock.wait_until(adapters::clock::now().plus_ms(rate_ms));
    loop {
        let _work = due.await;
        // Set while this tick is under way, so that the next is not passed by; and a late tick is
        // not made up for by two at once.
        due = clock.wait_until(adapters::clock::now().plus_ms(rate_ms));
        if let Err(error) = functions.invoke(name, json!({ "source": "aws.events" })).await {
            tracing::warn!(function = name.logical_id(), %error, "a tick failed");
        }
    }
}

/// The milliseconds of `rate(1 minute)`, `rate(5 minutes)`
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>).
fn rate_ms(schedule: &str) -> Option<u64> {
    let words = schedule.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = words.split_once(' ')?;
    let minutes: u64 = count.parse().ok()?;
    let is_minutes = matches!(unit, "minute" | "minutes") && minutes > 0;
    is_minutes.then(|| minutes.saturating_mul(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_minutes() {
        assert_eq!(rate_ms("rate(1 minute)"), Some(60_000));
        assert_eq!(rate_ms("rate(5 minutes)"), Some(300_000));
        for bad in ["rate(0 minutes)", "rate(1 hour)", "cron(* * * * ? *)", "rate(minute)"] {
            assert_eq!(rate_ms(bad), None, "{bad}");
        }
    }
}
