//! A message, its attributes, and the handle of one receive of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A message of a queue. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) id: Uuid,
    pub(super) body: String,
    pub(super) attributes: Attributes,
    pub(super) group_id: Option<String>,
    pub(super) trace_header: Option<String>,
    /// When it was first sent. A move to a dead-letter queue keeps it, so its retention goes on.
    pub(super) sent_ms: u64,
    pub(super) first_received_ms: Option<u64>,
    pub(super) last_received_ms: u64,
    pub(super) receive_count: u32,
    /// ARN of the queue that moved it here, in a dead-letter queue.
    pub(super) moved_from: Option<String>,
}

/// Message attributes by name; sorted, as their MD5 sum wants them.
pub(super) type Attributes = BTreeMap<String, Attribute>;

/// One message attribute, as in the JSON of requests and answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    pub(super) data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<String>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binary_value: Option<String>,
}

impl Attribute {
    /// The value as bytes, if there is one and it can be read.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(text)) => BASE64.decode(text).ok(),
            (None, None) => None,
        }
    }
}

/// The MD5 sum of a body, in hexadecimal digits.
pub(super) fn md5_of_text(text: &str) -> String {
    hexadecimal(&Md5::digest(text))
}

/// The MD5 sum of attributes as AWS defines it, if there are any: of each, by name, the length
/// and the bytes of name, type and value, with a 1 for text and a 2 for bytes before the value.
pub(super) fn md5_of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut sum = Md5::new();
    for (name, attribute) in attributes {
        add_part(&mut sum, name.as_bytes());
        add_part(&mut sum, attribute.data_type.as_bytes());
        sum.update(if attribute.string_value.is_some() { [1] } else { [2] });
        add_part(&mut sum, &attribute.bytes().unwrap_or_default());
    }
    Some(hexadecimal(&sum.finalize()))
}

fn add_part(sum: &mut Md5, part: &[u8]) {
    sum.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    sum.update(part);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a receipt handle stands for: one receive of one message from one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) queue: String,
    pub(super) message: Uuid,
    /// The receive it came from, counted from 1.
    pub(super) receive: u32,
}

impl Receipt {
    pub(super) fn encode(&self) -> String {
        BASE64.encode(format!("{}/{}/{}", self.queue, self.message, self.receive))
    }

    pub(super) fn decode(handle: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64.decode(handle).ok()?).ok()?;
        let mut parts = text.split('/');
        let receipt = Self {
            queue: parts.next()?.to_owned(),
            message: parts.next()?.parse().ok()?,
            receive: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Attribute {
        Attribute {
            data_type: "String".into(),
            string_value: Some(value.into()),
            binary_value: None,
        }
    }

    /// Both sums were recorded from AWS.
    #[test]
    fn attributes_have_the_sum_that_aws_gives_them() {
        let sum = |name: &str, value| md5_of_attributes(&[(name.into(), text(value))].into());
        let expected = "ae7155c6026991b6d54b11589678bf9c";
        assert_eq!(sum("Foo", "Bar").as_deref(), Some(expected));
        let expected = "adb59cd4678ea5a855436b949cd07ab6";
        assert_eq!(sum("MyAttribute", "foobar").as_deref(), Some(expected));
        assert_eq!(md5_of_attributes(&Attributes::new()), None);
    }

    #[test]
    fn a_body_has_its_sum() {
        assert_eq!(md5_of_text("msg"), "6e2baaf3b97dbeef01c0043275f9a0e7");
    }

    #[test]
    fn a_receipt_survives_its_handle() {
        let receipt = Receipt { queue: "events".into(), message: Uuid::from_u128(7), receive: 3 };
        assert_eq!(Receipt::decode(&receipt.encode()), Some(receipt));
        assert_eq!(Receipt::decode("no handle"), None);
        assert_eq!(Receipt::decode(&BASE64.encode("events/x/1")), None);
    }
}
