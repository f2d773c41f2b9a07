//! Batches, taken apart: each entry is a call of its own, so that a bad one fails alone.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{BYTES_MAX, Draft};
use super::{Members, Sqs, refusal};
use crate::aws::answer::Refusal;

const ENTRIES_MAX: usize = 10;
const ID_LENGTH_MAX: usize = 80;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    #[serde(default)]
    queue_url: String,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "Id", default)]
    id: String,
    #[serde(flatten)]
    members: Members,
}

impl Batch {
    /// Checks what AWS refuses a batch for as a whole.
    fn check(&self, operation: &str) -> Result<(), Refusal> {
        if self.entries.is_empty() {
            let message =
                format!("There should be at least one {operation}RequestEntry in the request.");
            return Err(refusal::batch("EmptyBatchRequest", message));
        }
        let count = self.entries.len();
        if count > ENTRIES_MAX {
            let message = format!(
                "Maximum number of entries per request are {ENTRIES_MAX}. You have sent {count}."
            );
            return Err(refusal::batch("TooManyEntriesInBatchRequest", message));
        }
        let mut ids = HashSet::new();
        for Entry { id, .. } in &self.entries {
            let is_valid = (1..=ID_LENGTH_MAX).contains(&id.len())
                && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
            if !is_valid {
                let message = "A batch entry id can only contain alphanumeric characters, hyphens \
                               and underscores. It can be at most 80 letters long.";
                return Err(refusal::batch("InvalidBatchEntryId", message));
            }
            if !ids.insert(id) {
                let message = format!("Id {id} repeated.");
                return Err(refusal::batch("BatchEntryIdsNotDistinct", message));
            }
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), Refusal> {
        let mut sent = 0;
        for entry in &self.entries {
            sent += Draft::read(&entry.members)?.size_bytes();
        }
        if sent <= BYTES_MAX {
            return Ok(());
        }
        let message = format!(
            "Batch requests cannot be longer than {BYTES_MAX} bytes. You have sent {sent} bytes."
        );
        Err(refusal::batch("BatchRequestTooLong", message))
    }
}

impl Sqs {
    pub(super) async fn batch(&self, operation: &str, members: Members) -> Result<Value, Refusal> {
        let batch = Batch::deserialize(Value::Object(members)).map_err(refusal::malformed)?;
        // A missing queue is not the entries' fault.
        self.ask("GetQueueAttributes", &json!({"QueueUrl": batch.queue_url})).await?;
        batch.check(operation)?;
        let single = operation.trim_end_matches("Batch");
        let is_send = single == "SendMessage";
        if is_send {
            batch.check_size()?;
        }
        let mut answer = json!({});
        for (position, Entry { id, mut members }) in batch.entries.into_iter().enumerate() {
            members.insert("QueueUrl".to_owned(), batch.queue_url.as_str().into());
            let outcome = if is_send && self.faults.refuses_entry(position) {
                Err(refusal::fault())
            } else {
                self.single(single, members).await
            };
            let (list, mut entry) = match outcome {
                Ok(entry) => ("Successful", entry),
                Err(refusal) => ("Failed", failed(&refusal)),
            };
            entry["Id"] = id.into();
            match &mut answer[list] {
                Value::Array(entries) => entries.push(entry),
                empty => *empty = json!([entry]),
            }
        }
        Ok(answer)
    }
}

fn failed(refusal: &Refusal) -> Value {
    json!({
        "Code": refusal.query_code,
        "Message": refusal.message,
        "SenderFault": !refusal.status.is_server_error(),
    })
}
