//! A message as its sender asks for it, checked against AWS's limits.

use std::collections::BTreeMap;

use serde::Deserialize;
use uuid::Uuid;

use super::error::Error;
use super::message::{Attribute, Attributes, Message};
use super::queue::{Queue, seconds};

const ATTRIBUTES_MAX: usize = 10;
const DELAY_MAX_S: u32 = 900;
const NAME_LENGTH_MAX: usize = 256;
const GROUP_ID_LENGTH_MAX: usize = 128;

/// The fields of `SendMessage`, and of an entry of `SendMessageBatch`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Fields {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: Attributes,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Attribute>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

/// A message that the queue takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) attributes: Attributes,
    delay_s: Option<u32>,
    group_id: Option<String>,
    trace_header: Option<String>,
}

impl Fields {
    /// What counts against the size limits: the body, and name, type and value of each attribute.
    pub(super) fn size_bytes(&self) -> usize {
        let body = self.message_body.as_ref().map_or(0, String::len);
        let attributes = self.message_attributes.iter().map(|(name, attribute)| {
            let value = attribute.bytes().map_or(0, |bytes| bytes.len());
            name.len() + attribute.data_type.len() + value
        });
        body + attributes.sum::<usize>()
    }

    /// Checks everything that SQS checks before it stores a message.
    pub(super) fn check(self, size_max_bytes: u32) -> Result<Draft, Error> {
        let size_bytes = self.size_bytes();
        let body = self.message_body.filter(|it| !it.is_empty());
        let body = body.ok_or(Error::MissingParameter("MessageBody"))?;
        if u32::try_from(size_bytes).map_or(true, |size| size > size_max_bytes) {
            return Err(Error::InvalidParameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than \
                 {size_max_bytes} bytes."
            )));
        }
        check_characters(&body)?;
        check_attributes(&self.message_attributes)?;
        if let Some(id) = &self.message_deduplication_id {
            return Err(Error::InvalidParameter(format!(
                "Value {id} for parameter MessageDeduplicationId is invalid. Reason: The request \
                 include parameter that is not valid for this queue type."
            )));
        }
        let mut system = self.message_system_attributes;
        Ok(Draft {
            body,
            attributes: self.message_attributes,
            delay_s: self.delay_seconds.map(checked_delay_s).transpose()?,
            group_id: self.message_group_id.map(checked_group_id).transpose()?,
            trace_header: system.remove("AWSTraceHeader").and_then(|it| it.string_value),
        })
    }
}

impl Draft {
    /// Puts the message into `queue`, hidden for its own delay or the queue's, and tells its ID.
    pub(super) fn send(self, queue: &mut Queue, now_ms: u64) -> Uuid {
        let id = Uuid::new_v4();
        let delay_s = self.delay_s.unwrap_or(queue.settings.delay_s);
        let message = Message {
            id,
            body: self.body,
            attributes: self.attributes,
            group_id: self.group_id,
            trace_header: self.trace_header,
            sent_ms: now_ms,
            first_received_ms: None,
            last_received_ms: 0,
            receive_count: 0,
            moved_from: None,
        };
        queue.put(message, now_ms + seconds(delay_s));
        id
    }
}

fn checked_delay_s(delay_s: i64) -> Result<u32, Error> {
    let checked = u32::try_from(delay_s).ok();
    checked.filter(|it| *it <= DELAY_MAX_S).ok_or_else(|| {
        Error::InvalidParameter(format!(
            "Value {delay_s} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be \
             >= 0 and <= {DELAY_MAX_S}."
        ))
    })
}

fn checked_group_id(id: String) -> Result<String, Error> {
    let is_valid = (1..=GROUP_ID_LENGTH_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_valid {
        return Ok(id);
    }
    Err(Error::InvalidParameter(format!(
        "Value {id} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only \
         include alphanumeric and punctuation characters. 1 to {GROUP_ID_LENGTH_MAX} in length."
    )))
}

/// SQS takes the characters that XML 1.0 takes.
fn check_characters(text: &str) -> Result<(), Error> {
    let is_allowed = |it: char| matches!(it, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    match text.chars().find(|it| !is_allowed(*it)) {
        None => Ok(()),
        Some(other) => Err(Error::InvalidContents(u32::from(other))),
    }
}

fn check_attributes(attributes: &Attributes) -> Result<(), Error> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(Error::InvalidParameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTES_MAX}].",
            attributes.len()
        )));
    }
    attributes.iter().try_for_each(|(name, attribute)| check_attribute(name, attribute))
}

fn check_attribute(name: &str, attribute: &Attribute) -> Result<(), Error> {
    let is_name = (1..=NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-.".contains(&it));
    if !is_name {
        return Err(Error::InvalidParameter(format!(
            "Message (user) attribute name '{name}' is invalid. It can contain only \
             alphanumeric characters, underscores, hyphens and periods, 1 to {NAME_LENGTH_MAX} of \
             them."
        )));
    }
    let kind = attribute.data_type.split('.').next().unwrap_or_default();
    let value = match kind {
        "String" | "Number" => attribute.string_value.as_deref(),
        "Binary" => attribute.binary_value.as_deref(),
        _ => {
            return Err(Error::InvalidParameter(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the \
                 following supported type prefixes: Binary, Number, String."
            )));
        }
    };
    if value.is_none_or(str::is_empty) {
        return Err(Error::InvalidParameter(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        )));
    }
    if attribute.bytes().is_none() {
        return Err(Error::Malformed(format!("the value of '{name}' is not base64")));
    }
    check_characters(attribute.string_value.as_deref().unwrap_or_default())
}
