//! `ReceiveMessage`: its numbers, its waiting, and what comes back of a message.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{Members, Sqs, refusal};
use crate::aws::answer::Refusal;

/// How often a waiting receive looks when nothing is sent.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    /// The older name of the next.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

impl Wanted {
    fn check(&self) -> Result<(), Refusal> {
        let count = self.max_number_of_messages;
        let reason = "Must be between 1 and 10, if provided.";
        refusal::check_range("MaxNumberOfMessages", count, 1..=10, reason)?;
        let reason = "Must be >= 0 and <= 20, if provided.";
        refusal::check_range("WaitTimeSeconds", self.wait_time_seconds, 0..=20, reason)?;
        check_visibility(self.visibility_timeout)
    }

    /// winterbaume tells everything it knows; AWS tells what was asked for.
    fn strip(&self, message: &mut Members) {
        let system = [&self.attribute_names[..], &self.message_system_attribute_names].concat();
        keep(message, "Attributes", &system);
        keep(message, "MessageAttributes", &self.message_attribute_names);
    }
}

pub(super) fn check_visibility(timeout_s: Option<i64>) -> Result<(), Refusal> {
    let reason = "Must be between 0 and 43200.";
    refusal::check_range("VisibilityTimeout", timeout_s, 0..=43_200, reason)
}

/// Keeps the attributes that `names` name: in full, by `prefix.*`, or all.
fn keep(message: &mut Members, member: &str, names: &[String]) {
    let is_named = |name: &String| {
        names.iter().any(|it| {
            let prefix = it.strip_suffix(".*");
            it == "All" || it == name || prefix.is_some_and(|it| name.starts_with(it))
        })
    };
    if let Some(Value::Object(attributes)) = message.get_mut(member) {
        attributes.retain(|name, _| is_named(name));
        if attributes.is_empty() {
            message.remove(member);
        }
    }
}

impl Sqs {
    /// Receives. The waiting ends when the endpoint stops.
    pub(super) async fn receive(&self, members: &Members) -> Result<Value, Refusal> {
        let wanted = Wanted::deserialize(members).map_err(refusal::malformed)?;
        wanted.check()?;
        let mut stopping = self.stopping.subscribe();
        let stopped = async {
            // An error would mean that the endpoint is gone.
            let _ = stopping.wait_for(|it| *it).await;
        };
        let mut answer = tokio::select! {
            biased;
            answer = self.wait(members, &wanted) => answer?,
            () = stopped => json!({}),
        };
        let messages = answer.get_mut("Messages").and_then(Value::as_array_mut);
        for message in messages.into_iter().flatten().filter_map(Value::as_object_mut) {
            if wanted.visibility_timeout == Some(0) {
                // winterbaume reads 0 as not given, and hides it for the queue's time.
                let shown = json!({
                    "QueueUrl": wanted.queue_url,
                    "ReceiptHandle": message.get("ReceiptHandle"),
                    "VisibilityTimeout": 0,
                });
                self.ask("ChangeMessageVisibility", &shown).await?;
            }
            wanted.strip(message);
        }
        Ok(answer)
    }

    /// Waits for messages: looks when one is sent, and now and then for those that come back or
    /// whose delay is over.
    async fn wait(&self, members: &Members, wanted: &Wanted) -> Result<Value, Refusal> {
        let Some(wait_s @ 1..) = wanted.wait_time_seconds else {
            return self.ask("ReceiveMessage", members).await;
        };
        let mut members = members.clone();
        members.insert("WaitTimeSeconds".to_owned(), 0.into());
        let patience = Instant::now() + Duration::from_secs(wait_s.unsigned_abs());
        loop {
            let sent = self.sent.notified();
            let answer = self.ask("ReceiveMessage", &members).await?;
            let is_empty = answer["Messages"].as_array().is_none_or(Vec::is_empty);
            if !is_empty || Instant::now() >= patience {
                return Ok(answer);
            }
            // Over or not, it is looked again.
            let _ = timeout_at(patience.min(Instant::now() + LOOK_EVERY), sent).await;
        }
    }
}
