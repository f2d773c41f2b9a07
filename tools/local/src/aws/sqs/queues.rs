//! The operations on queues.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::State;
use super::error::Error;
use super::queue::Queue;
use super::settings::Settings;

const NAME_LENGTH_MAX: usize = 80;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    #[serde(default)]
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueName {
    #[serde(default)]
    queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl {
    queue_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    queue_name_prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeNames {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    queue_url: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    queue_url: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagKeys {
    queue_url: Option<String>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

/// The URL of a request, which must have one.
pub(super) fn required(queue_url: Option<&String>) -> Result<&str, Error> {
    let url = queue_url.map(String::as_str).filter(|it| !it.is_empty());
    url.ok_or(Error::MissingParameter("QueueUrl"))
}

impl State {
    pub(super) fn create_queue(&mut self, ask: CreateQueue, now_ms: u64) -> Result<Value, Error> {
        // First, so that a FIFO queue is refused for what it is and not for the dot in its name.
        let settings = Settings::default().with(&ask.attributes)?;
        let name = ask.queue_name;
        let is_name = (1..=NAME_LENGTH_MAX).contains(&name.len())
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
        if !is_name {
            return Err(Error::InvalidParameter(format!(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to \
                 {NAME_LENGTH_MAX} in length"
            )));
        }
        let url = self.account.queue_url(&name);
        if let Some(queue) = self.queues.get(&name) {
            let wanted = queue.settings.clone().with(&ask.attributes)?;
            if let Some(attribute) = queue.settings.differs_in(&wanted) {
                return Err(Error::QueueExists { attribute });
            }
        } else {
            let mut queue = Queue::new(&name, self.checked(settings)?, now_ms);
            queue.tags = ask.tags;
            self.queues.insert(name, queue);
        }
        Ok(json!({"QueueUrl": url}))
    }

    pub(super) fn delete_queue(&mut self, ask: &QueueUrl) -> Result<Value, Error> {
        let name = self.queue(required(ask.queue_url.as_ref())?)?.name.clone();
        if let Some(queue) = self.queues.remove(&name) {
            queue.arrivals.notify_waiters();
        }
        Ok(json!({}))
    }

    pub(super) fn get_queue_url(&self, ask: &QueueName) -> Result<Value, Error> {
        if self.queues.contains_key(&ask.queue_name) {
            Ok(json!({"QueueUrl": self.account.queue_url(&ask.queue_name)}))
        } else {
            Err(Error::NoSuchQueue)
        }
    }

    pub(super) fn list_queues(&self, ask: &ListQueues) -> Value {
        let names = self.queues.keys();
        let names = names.filter(|name| name.starts_with(&ask.queue_name_prefix));
        let urls: Vec<String> = names.map(|name| self.account.queue_url(name)).collect();
        json!({"QueueUrls": urls})
    }

    pub(super) fn list_dead_letter_source_queues(
        &mut self,
        ask: &QueueUrl,
    ) -> Result<Value, Error> {
        let name = self.queue(required(ask.queue_url.as_ref())?)?.name.clone();
        let arn = self.account.queue_arn(&name);
        let sources = self.queues.values().filter(|queue| {
            let redrive = queue.settings.redrive.as_ref();
            redrive.is_some_and(|it| it.target_arn == arn)
        });
        let urls: Vec<String> = sources.map(|it| self.account.queue_url(&it.name)).collect();
        Ok(json!({"queueUrls": urls}))
    }

    pub(super) fn get_queue_attributes(
        &mut self,
        ask: &AttributeNames,
        now_ms: u64,
    ) -> Result<Value, Error> {
        let account = self.account.clone();
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        let counts = queue.counts(now_ms);
        let mut all = queue.settings.attributes();
        all.extend([
            ("QueueArn", account.queue_arn(&queue.name)),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ("CreatedTimestamp", (queue.created_ms / 1_000).to_string()),
            ("LastModifiedTimestamp", (queue.modified_ms / 1_000).to_string()),
        ]);
        if !ask.attribute_names.iter().any(|it| it == "All") {
            all.retain(|name, _| ask.attribute_names.iter().any(|it| it == name));
        }
        Ok(json!({"Attributes": all}))
    }

    pub(super) fn set_queue_attributes(
        &mut self,
        ask: &SetAttributes,
        now_ms: u64,
    ) -> Result<Value, Error> {
        let url = required(ask.queue_url.as_ref())?;
        let settings = self.queue(url)?.settings.clone().with(&ask.attributes)?;
        let settings = self.checked(settings)?;
        let queue = self.queue(url)?;
        queue.settings = settings;
        queue.modified_ms = now_ms;
        Ok(json!({}))
    }

    pub(super) fn purge_queue(&mut self, ask: &QueueUrl, now_ms: u64) -> Result<Value, Error> {
        self.queue(required(ask.queue_url.as_ref())?)?.purge(now_ms)?;
        Ok(json!({}))
    }

    pub(super) fn list_queue_tags(&mut self, ask: &QueueUrl) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        Ok(json!({"Tags": queue.tags}))
    }

    pub(super) fn tag_queue(&mut self, ask: Tags) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        queue.tags.extend(ask.tags);
        Ok(json!({}))
    }

    pub(super) fn untag_queue(&mut self, ask: &TagKeys) -> Result<Value, Error> {
        let queue = self.queue(required(ask.queue_url.as_ref())?)?;
        queue.tags.retain(|key, _| !ask.tag_keys.contains(key));
        Ok(json!({}))
    }

    /// Settings whose dead-letter queue exists.
    fn checked(&self, settings: Settings) -> Result<Settings, Error> {
        if let Some(redrive) = &settings.redrive
            && self.name_of_arn(&redrive.target_arn).is_none()
        {
            return Err(Error::InvalidParameter(format!(
                "Value {} for parameter RedrivePolicy is invalid. Reason: Dead letter target does \
                 not exist.",
                redrive.target_arn
            )));
        }
        Ok(settings)
    }
}
