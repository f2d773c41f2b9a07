//! The operations on messages.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::State;
use super::draft::Fields;
use super::error::Error;
use super::message::{Attributes, Message, md5_of_attributes, md5_of_text};
use super::queue::{Queue, VISIBILITY_MAX_S};
use super::queues::required;
use super::settings::SIZE_MAX_BYTES;

const BATCH_MAX: usize = 10;
const ENTRY_ID_LENGTH_MAX: usize = 80;
const WAIT_MAX_S: u32 = 20;
/// Signatures are not verified, so every sender is the same one.
const SENDER_ID: &str = "AIDALOCALLOCALLOCAL00";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    queue_url: Option<String>,
    #[serde(flatten)]
    fields: Fields,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneMessage {
    queue_url: Option<String>,
    #[serde(flatten)]
    fields: OfReceipt,
}

/// A request on several messages of one queue.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    entries: Vec<Entry<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<T> {
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    fields: T,
}

/// A received message, and how long to hide it where that is asked.
#[derive(Deserialize)]
pub(super) struct OfReceipt {
    #[serde(rename = "ReceiptHandle")]
    handle: Option<String>,
    #[serde(rename = "VisibilityTimeout")]
    visibility_timeout_s: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
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

/// A `ReceiveMessage` whose numbers are in range.
pub(super) struct Receive {
    ask: ReceiveMessage,
    count_max: usize,
    visibility_s: Option<u32>,
    wait_s: Option<u32>,
}

impl Receive {
    pub(super) fn check(ask: ReceiveMessage) -> Result<Self, Error> {
        required(ask.queue_url.as_ref())?;
        let count = ask.max_number_of_messages.unwrap_or(1);
        let count_max = usize::try_from(count)
            .ok()
            .filter(|it| (1..=BATCH_MAX).contains(it))
            .ok_or_else(|| {
                Error::InvalidParameter(format!(
                    "Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be \
                     between 1 and {BATCH_MAX}, if provided."
                ))
            })?;
        let visibility_s = ask.visibility_timeout.map(visibility).transpose()?;
        let wait_s = ask.wait_time_seconds.map(wait).transpose()?;
        Ok(Self { ask, count_max, visibility_s, wait_s })
    }

    pub(super) fn queue_url(&self) -> &str {
        self.ask.queue_url.as_deref().unwrap_or_default()
    }
}

impl OfReceipt {
    fn handle(&self) -> Result<&str, Error> {
        let handle = self.handle.as_deref().filter(|it| !it.is_empty());
        handle.ok_or(Error::MissingParameter("ReceiptHandle"))
    }

    fn change_visibility(&self, queue: &mut Queue, now_ms: u64) -> Result<(), Error> {
        let timeout_s = self.visibility_timeout_s;
        let timeout_s = timeout_s.ok_or(Error::MissingParameter("VisibilityTimeout"))?;
        queue.change_visibility(self.handle()?, visibility(timeout_s)?, now_ms)
    }
}

/// The answer to a receive that found nothing.
pub(super) fn nothing() -> Value {
    json!({})
}

impl State {
    pub(super) fn send_message(&mut self, ask: SendMessage, now_ms: u64) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        sent(queue, ask.fields, now_ms).map(Value::Object)
    }

    pub(super) fn send_message_batch(
        &mut self,
        ask: Batch<Fields>,
        now_ms: u64,
    ) -> Result<Value, Error> {
        let faults = self.faults.clone();
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        check_entries(&ask.entries, "SendMessageBatchRequestEntry")?;
        let sent_bytes = ask.entries.iter().map(|it| it.fields.size_bytes()).sum();
        let limit = SIZE_MAX_BYTES as usize;
        if sent_bytes > limit {
            return Err(Error::BatchTooLong { limit, sent: sent_bytes });
        }
        let entries = ask.entries.into_iter().enumerate();
        Ok(outcomes(entries.map(|(position, entry)| {
            let outcome = if faults.refuses_entry(position) {
                Err(Error::Fault)
            } else {
                sent(queue, entry.fields, now_ms)
            };
            (entry.id, outcome)
        })))
    }

    /// What a receive finds, if anything, and how long to wait otherwise, in seconds. Messages
    /// received too often move to the dead-letter queue; without one they stay.
    pub(super) fn receive(
        &mut self,
        wanted: &Receive,
        now_ms: u64,
    ) -> Result<(Option<Value>, u32), Error> {
        let redrive = self.queue(wanted.queue_url())?.settings.redrive.clone();
        let dead_letter_queue = redrive
            .as_ref()
            .and_then(|it| Some((self.name_of_arn(&it.target_arn)?, it.receive_count_max)));
        let most = dead_letter_queue.as_ref().map(|(_, most)| *most);

        let queue = self.queue(wanted.queue_url())?;
        let found = queue.receive(wanted.count_max, wanted.visibility_s, most, now_ms);
        let wait_s = wanted.wait_s.unwrap_or(queue.settings.receive_wait_s);
        let messages: Vec<Value> = found
            .messages
            .iter()
            .map(|message| described(message, &queue.handle_of(message), &wanted.ask))
            .collect();
        let name = queue.name.clone();
        if let Some((target, _)) = dead_letter_queue
            && !found.exhausted.is_empty()
        {
            self.move_to(&target, &name, found.exhausted, now_ms);
        }
        let answer = (!messages.is_empty()).then(|| json!({"Messages": messages}));
        Ok((answer, wait_s))
    }

    pub(super) fn delete_message(&mut self, ask: &OneMessage) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        queue.delete(ask.fields.handle()?)?;
        Ok(json!({}))
    }

    pub(super) fn delete_message_batch(&mut self, ask: &Batch<OfReceipt>) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        check_entries(&ask.entries, "DeleteMessageBatchRequestEntry")?;
        Ok(outcomes(ask.entries.iter().map(|entry| {
            let outcome = entry.fields.handle().and_then(|it| queue.delete(it));
            (entry.id.clone(), outcome.map(|()| Map::new()))
        })))
    }

    pub(super) fn change_visibility(
        &mut self,
        ask: &OneMessage,
        now_ms: u64,
    ) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        ask.fields.change_visibility(queue, now_ms)?;
        Ok(json!({}))
    }

    pub(super) fn change_visibility_batch(
        &mut self,
        ask: &Batch<OfReceipt>,
        now_ms: u64,
    ) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        check_entries(&ask.entries, "ChangeMessageVisibilityBatchRequestEntry")?;
        Ok(outcomes(ask.entries.iter().map(|entry| {
            let outcome = entry.fields.change_visibility(queue, now_ms);
            (entry.id.clone(), outcome.map(|()| Map::new()))
        })))
    }

    /// Puts messages into a dead-letter queue. They keep ID, age, attributes and receive count.
    fn move_to(&mut self, target: &str, source: &str, messages: Vec<Message>, now_ms: u64) {
        let moved_from = Some(self.account.queue_arn(source));
        if let Some(target) = self.queues.get_mut(target) {
            for mut message in messages {
                message.moved_from.clone_from(&moved_from);
                target.put(message, now_ms);
            }
        }
    }
}

fn sent(queue: &mut Queue, fields: Fields, now_ms: u64) -> Result<Map<String, Value>, Error> {
    let draft = fields.check(queue.settings.size_max_bytes)?;
    let mut answer = Map::new();
    answer.insert("MD5OfMessageBody".to_owned(), md5_of_text(&draft.body).into());
    if let Some(sum) = md5_of_attributes(&draft.attributes) {
        answer.insert("MD5OfMessageAttributes".to_owned(), sum.into());
    }
    let id = draft.send(queue, now_ms);
    answer.insert("MessageId".to_owned(), id.to_string().into());
    Ok(answer)
}

/// A message as a receiver sees it, with the attributes asked for.
fn described(message: &Message, handle: &str, ask: &ReceiveMessage) -> Value {
    let mut answer = json!({
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "MD5OfBody": md5_of_text(&message.body),
        "Body": message.body,
    });
    let system = system_attributes(message, ask);
    if !system.is_empty() {
        answer["Attributes"] = json!(system);
    }
    let own = wanted_attributes(&message.attributes, &ask.message_attribute_names);
    if let Some(sum) = md5_of_attributes(&own) {
        answer["MD5OfMessageAttributes"] = sum.into();
        answer["MessageAttributes"] = json!(own);
    }
    answer
}

fn system_attributes(message: &Message, ask: &ReceiveMessage) -> BTreeMap<&'static str, String> {
    let first_received_ms = message.first_received_ms.unwrap_or_default();
    let all = [
        ("SenderId", Some(SENDER_ID.to_owned())),
        ("SentTimestamp", Some(message.sent_ms.to_string())),
        ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(first_received_ms.to_string())),
        ("MessageGroupId", message.group_id.clone()),
        ("AWSTraceHeader", message.trace_header.clone()),
        ("DeadLetterQueueSourceArn", message.moved_from.clone()),
    ];
    let is_wanted = |name: &str| {
        let mut asked = ask.message_system_attribute_names.iter().chain(&ask.attribute_names);
        asked.any(|it| it == "All" || it == name)
    };
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .filter(|(name, _)| is_wanted(name))
        .collect()
}

/// `All`, `.*`, `prefix.*` or a name.
fn wanted_attributes(attributes: &Attributes, asked: &[String]) -> Attributes {
    let is_wanted = |name: &str| {
        asked.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == name,
        })
    };
    let attributes = attributes.iter().filter(|(name, _)| is_wanted(name));
    attributes.map(|(name, it)| (name.clone(), it.clone())).collect()
}

/// Checks that concern a batch as a whole.
fn check_entries<T>(entries: &[Entry<T>], entry_name: &'static str) -> Result<(), Error> {
    if entries.is_empty() {
        return Err(Error::EmptyBatch(entry_name));
    }
    if entries.len() > BATCH_MAX {
        return Err(Error::TooManyEntries(entries.len()));
    }
    let mut ids = HashSet::new();
    for Entry { id, .. } in entries {
        let is_valid = (1..=ENTRY_ID_LENGTH_MAX).contains(&id.len())
            && id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
        if !is_valid {
            return Err(Error::InvalidEntryId);
        }
        if !ids.insert(id) {
            return Err(Error::EntryIdsNotDistinct(id.clone()));
        }
    }
    Ok(())
}

/// The answer to a batch; like AWS's it leaves out an empty list.
fn outcomes(entries: impl Iterator<Item = (String, Result<Map<String, Value>, Error>)>) -> Value {
    let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (id, outcome) in entries {
        match outcome {
            Ok(mut answer) => {
                answer.insert("Id".to_owned(), id.into());
                lists.entry("Successful").or_default().push(answer.into());
            }
            Err(error) => lists.entry("Failed").or_default().push(json!({
                "Id": id,
                "Code": error.entry_code(),
                "Message": error.to_string(),
                "SenderFault": error.is_sender_fault(),
            })),
        }
    }
    json!(lists)
}

fn visibility(timeout_s: i64) -> Result<u32, Error> {
    let timeout = u32::try_from(timeout_s).ok();
    timeout.filter(|it| *it <= VISIBILITY_MAX_S).ok_or_else(|| {
        Error::InvalidParameter(format!(
            "Value {timeout_s} for parameter VisibilityTimeout is invalid. Reason: Must be \
             between 0 and {VISIBILITY_MAX_S}."
        ))
    })
}

fn wait(wait_s: i64) -> Result<u32, Error> {
    let wait = u32::try_from(wait_s).ok();
    wait.filter(|it| *it <= WAIT_MAX_S).ok_or_else(|| {
        Error::InvalidParameter(format!(
            "Value {wait_s} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= \
             {WAIT_MAX_S}, if provided."
        ))
    })
}
