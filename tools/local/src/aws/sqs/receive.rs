//! `ReceiveMessage`: its numbers, its waiting, and what comes back of a message.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Members, Sqs, refusal};
use crate::aws::answer::Refusal;

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
    /// Receives. winterbaume does the waiting, which ends when the endpoint stops.
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
            answer = self.ask("ReceiveMessage", members) => answer?,
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
}
