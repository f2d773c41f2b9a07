//! Batches of SQS messages as Lambda hands them over, and the answer that names what comes back.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A batch: of each record what is looked at, and no other member.
#[derive(Deserialize)]
pub struct SqsBatch<'a> {
    /// The messages.
    #[serde(borrow, rename = "Records")]
    pub records: Vec<SqsRecord<'a>>,
}

/// One message. No `Debug`: its body may hold personal data.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord<'a> {
    /// What it is named by in an answer.
    #[serde(borrow, default)]
    message_id: Option<Text<'a>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(borrow, default, rename = "eventSourceARN")]
    queue_arn: Option<Text<'a>>,
}

/// The payload is no batch of SQS messages. What it is instead is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a batch of SQS messages, in a member Records")]
pub struct NotABatch;

impl<'a> SqsBatch<'a> {
    /// Reads a payload.
    pub fn parse(payload: &'a str) -> Result<Self, NotABatch> {
        serde_json::from_str(payload).map_err(|_| NotABatch)
    }
}

impl SqsRecord<'_> {
    /// What it is named by in an answer; `None` when it has no name.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.message_id.as_deref().filter(|id| !id.is_empty())
    }

    /// What was sent; empty when nothing was.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.as_deref().unwrap_or_default()
    }

    /// The name of the queue it comes from.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.queue_arn.as_deref().and_then(|arn| arn.rsplit(':').next())
    }
}

/// Which records of a batch come back (`ReportBatchItemFailures`); the others are done.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsBatchResponse {
    /// Those that come back.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A record that comes back.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its `messageId`.
    pub item_identifier: String,
}

impl FromIterator<String> for SqsBatchResponse {
    fn from_iter<I: IntoIterator<Item = String>>(ids: I) -> Self {
        let failure = |item_identifier| BatchItemFailure { item_identifier };
        Self { batch_item_failures: ids.into_iter().map(failure).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_its_id_its_body_and_its_queue() {
        let payload = r#"{"Records":[{"messageId":"m1","body":"{\"a\":1}","attributes":{"x":[1]},
            "eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:retries","awsRegion":"us-east-1"},
            {"messageId":"","body":null},{}]}"#;
        let batch = SqsBatch::parse(payload).expect("a batch");
        let read: Vec<_> =
            batch.records.iter().map(|it| (it.id(), it.body(), it.queue())).collect();
        let none = (None, "", None);
        assert_eq!(read, [(Some("m1"), r#"{"a":1}"#, Some("retries")), none, none]);
        for payload in ["", "{}", "[]", r#"{"Records":{}}"#, r#"{"Records":[7]}"#] {
            assert!(SqsBatch::parse(payload).is_err(), "{payload}");
        }
    }

    #[test]
    fn an_answer_names_what_comes_back() {
        let answer: SqsBatchResponse = ["m1".to_owned()].into_iter().collect();
        let written = serde_json::to_string(&answer).expect("JSON");
        assert_eq!(written, r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#);
        let nothing = serde_json::to_string(&SqsBatchResponse::default()).expect("JSON");
        assert_eq!(nothing, r#"{"batchItemFailures":[]}"#);
    }
}
