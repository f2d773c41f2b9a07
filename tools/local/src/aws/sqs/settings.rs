//! A queue's attributes: those that a caller sets, with the ranges that AWS allows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;

/// The largest message, and the largest batch, in bytes.
pub(super) const SIZE_MAX_BYTES: u32 = 1_048_576;

/// Attributes that are kept and given back, and have no effect here.
const WITHOUT_EFFECT: [&str; 5] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// What a queue is set to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) visibility_timeout_s: u32,
    pub(super) retention_s: u32,
    pub(super) delay_s: u32,
    pub(super) receive_wait_s: u32,
    pub(super) size_max_bytes: u32,
    pub(super) redrive: Option<Redrive>,
    without_effect: BTreeMap<String, String>,
}

/// Where messages go that are received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redrive {
    pub(super) target_arn: String,
    pub(super) receive_count_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_timeout_s: 30,
            retention_s: 345_600,
            delay_s: 0,
            receive_wait_s: 0,
            size_max_bytes: SIZE_MAX_BYTES,
            redrive: None,
            without_effect: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// These settings with some attributes changed.
    pub(super) fn with(mut self, attributes: &BTreeMap<String, String>) -> Result<Self, Error> {
        for (name, value) in attributes {
            match name.as_str() {
                "VisibilityTimeout" => {
                    self.visibility_timeout_s = number("VisibilityTimeout", value, 0..=43_200)?;
                }
                "MessageRetentionPeriod" => {
                    self.retention_s = number("MessageRetentionPeriod", value, 60..=1_209_600)?;
                }
                "DelaySeconds" => self.delay_s = number("DelaySeconds", value, 0..=900)?,
                "ReceiveMessageWaitTimeSeconds" => {
                    self.receive_wait_s = number("ReceiveMessageWaitTimeSeconds", value, 0..=20)?;
                }
                "MaximumMessageSize" => {
                    self.size_max_bytes =
                        number("MaximumMessageSize", value, 1_024..=SIZE_MAX_BYTES)?;
                }
                "RedrivePolicy" => self.redrive = Redrive::parse(value)?,
                "FifoQueue" => {
                    return Err(Error::Unsupported(
                        "The local endpoint has standard queues only.".to_owned(),
                    ));
                }
                other if WITHOUT_EFFECT.contains(&other) => {
                    self.without_effect.insert(name.clone(), value.clone());
                }
                _ => return Err(Error::UnknownAttribute(name.clone())),
            }
        }
        Ok(self)
    }

    /// As `GetQueueAttributes` gives them.
    pub(super) fn attributes(&self) -> BTreeMap<&str, String> {
        let mut attributes: BTreeMap<&str, String> = self
            .without_effect
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        attributes.extend([
            ("VisibilityTimeout", self.visibility_timeout_s.to_string()),
            ("MessageRetentionPeriod", self.retention_s.to_string()),
            ("DelaySeconds", self.delay_s.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.receive_wait_s.to_string()),
            ("MaximumMessageSize", self.size_max_bytes.to_string()),
        ]);
        if let Some(redrive) = &self.redrive {
            attributes.insert("RedrivePolicy", redrive.to_json());
        }
        attributes
    }

    /// The first attribute, if any, in which `wanted` differs from these settings.
    pub(super) fn differs_in(&self, wanted: &Self) -> Option<&'static str> {
        let pairs = [
            ("VisibilityTimeout", self.visibility_timeout_s == wanted.visibility_timeout_s),
            ("MessageRetentionPeriod", self.retention_s == wanted.retention_s),
            ("DelaySeconds", self.delay_s == wanted.delay_s),
            ("ReceiveMessageWaitTimeSeconds", self.receive_wait_s == wanted.receive_wait_s),
            ("MaximumMessageSize", self.size_max_bytes == wanted.size_max_bytes),
            ("RedrivePolicy", self.redrive == wanted.redrive),
        ];
        pairs.into_iter().find_map(|(name, same)| (!same).then_some(name))
    }
}

impl Redrive {
    /// Reads a redrive policy; an empty one takes it away.
    fn parse(text: &str) -> Result<Option<Self>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: String,
            max_receive_count: Value,
        }

        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |_| Error::InvalidAttribute("RedrivePolicy");
        let policy: Policy = serde_json::from_str(text).map_err(wrong)?;
        let count = match &policy.max_receive_count {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(Some(Self {
            target_arn: policy.dead_letter_target_arn,
            receive_count_max: number("RedrivePolicy", &count, 1..=1_000)?,
        }))
    }

    fn to_json(&self) -> String {
        json!({
            "deadLetterTargetArn": self.target_arn,
            "maxReceiveCount": self.receive_count_max,
        })
        .to_string()
    }
}

fn number(name: &'static str, text: &str, range: RangeInclusive<u32>) -> Result<u32, Error> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or(Error::InvalidAttribute(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Settings, Error> {
        Settings::default().with(&[(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn attributes_outside_their_range_are_refused() {
        for (name, low, high) in [
            ("VisibilityTimeout", "-1", "43201"),
            ("MessageRetentionPeriod", "59", "1209601"),
            ("DelaySeconds", "x", "901"),
            ("ReceiveMessageWaitTimeSeconds", "", "21"),
            ("MaximumMessageSize", "1023", "1048577"),
        ] {
            for value in [low, high] {
                assert_eq!(with(name, value), Err(Error::InvalidAttribute(name)));
            }
        }
        assert_eq!(with("Colour", "red"), Err(Error::UnknownAttribute("Colour".into())));
        assert!(matches!(with("FifoQueue", "true"), Err(Error::Unsupported(_))));
    }

    #[test]
    fn a_redrive_policy_counts_in_digits_or_in_text() {
        for count in ["5", "\"5\""] {
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:x","maxReceiveCount":{count}}}"#);
            let redrive = with("RedrivePolicy", &policy)
                .expect("it is allowed")
                .redrive
                .expect("there is one");
            assert_eq!((redrive.target_arn.as_str(), redrive.receive_count_max), ("arn:x", 5));
        }
        for policy in ["5", "{}", r#"{"deadLetterTargetArn":"a","maxReceiveCount":0}"#] {
            assert_eq!(
                with("RedrivePolicy", policy),
                Err(Error::InvalidAttribute("RedrivePolicy"))
            );
        }
    }

    #[test]
    fn settings_survive_their_attributes() {
        let settings = with("DelaySeconds", "7").expect("it is allowed");
        let attributes = settings.attributes().into_iter();
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Settings::default().with(&attributes), Ok(settings.clone()));
        assert_eq!(Settings::default().differs_in(&settings), Some("DelaySeconds"));
        assert_eq!(settings.differs_in(&settings), None);
    }
}
