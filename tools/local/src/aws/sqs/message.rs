//! A message on its way in, checked before winterbaume stores it.

use std::collections::BTreeMap;
use std::iter::once;

use serde::Deserialize;

use super::{Members, refusal};
use crate::aws::answer::Refusal;

/// The limit of a message with its attributes, and of a batch.
pub(super) const BYTES_MAX: usize = 1_048_576;
const GROUP_ID_LENGTH_MAX: usize = 128;

/// What is checked of a `SendMessage` or of an entry of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Draft<'a> {
    message_body: Option<&'a str>,
    delay_seconds: Option<i64>,
    #[serde(borrow, default)]
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
    message_group_id: Option<&'a str>,
    message_deduplication_id: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    data_type: &'a str,
    string_value: Option<&'a str>,
    /// winterbaume would forget it.
    binary_value: Option<&'a str>,
}

impl<'a> Draft<'a> {
    pub(super) fn read(members: &'a Members) -> Result<Self, Refusal> {
        Self::deserialize(members).map_err(refusal::malformed)
    }

    /// What counts against the limit: the body, and name, type and value of each attribute.
    pub(super) fn size_bytes(&self) -> usize {
        let attributes = self.message_attributes.iter().map(|(name, attribute)| {
            let text = attribute.string_value.map_or(0, str::len);
            name.len() + attribute.data_type.len() + text
        });
        self.message_body.map_or(0, str::len) + attributes.sum::<usize>()
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        let body = self.message_body.filter(|it| !it.is_empty());
        let body = body.ok_or_else(|| refusal::missing_parameter("MessageBody"))?;
        if self.size_bytes() > BYTES_MAX {
            return Err(refusal::invalid_parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than \
                 {BYTES_MAX} bytes."
            )));
        }
        if self.message_attributes.values().any(|it| it.binary_value.is_some()) {
            return Err(refusal::unsupported("The local endpoint keeps no binary attributes."));
        }
        let values = self.message_attributes.values().filter_map(|it| it.string_value);
        if let Some(other) =
            once(body).chain(values).flat_map(str::chars).find(|it| !is_allowed(*it))
        {
            return Err(refusal::invalid_contents(other));
        }
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        refusal::check_range("DelaySeconds", self.delay_seconds, 0..=900, reason)?;
        self.check_ids()
    }

    fn check_ids(&self) -> Result<(), Refusal> {
        if let Some(id) = self.message_group_id
            && !((1..=GROUP_ID_LENGTH_MAX).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(refusal::invalid_parameter(format!(
                "Value {id} for parameter MessageGroupId is invalid. Reason: MessageGroupId can \
                 only include alphanumeric and punctuation characters. 1 to \
                 {GROUP_ID_LENGTH_MAX} in length."
            )));
        }
        match self.message_deduplication_id {
            None => Ok(()),
            Some(id) => Err(refusal::invalid_parameter(format!(
                "Value {id} for parameter MessageDeduplicationId is invalid. Reason: The request \
                 include parameter that is not valid for this queue type."
            ))),
        }
    }
}

/// SQS takes the characters that XML 1.0 takes.
fn is_allowed(it: char) -> bool {
    matches!(it, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
