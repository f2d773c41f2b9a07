//! What AWS would bill of what happens on the stage, counted where it happens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local::functions::Name;

/// SQS bills each 64 KiB of a request's payload as a request
/// (<https://aws.amazon.com/sqs/pricing/>).
const CHUNK_BYTES: usize = 64 * 1024;

/// The meter. What it has counted is taken with [`Meter::take`].
#[derive(Debug, Default)]
pub struct Meter(Mutex<Usage>);

/// What was used.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// How often each operation was called by the functions, by `Service.Operation`.
    pub calls: BTreeMap<String, u64>,
    /// Requests of SQS as they are billed, those of Lambda's pollers among them.
    pub sqs_requests: u64,
    /// Those of them that concern messages with a group ID.
    pub sqs_fair_requests: u64,
    /// Read units of DynamoDB.
    pub read_units: f64,
    /// Write units of DynamoDB.
    pub write_units: f64,
    /// Requests of Secrets Manager.
    pub secret_requests: u64,
    /// Requests of KMS by the functions themselves.
    pub kms_requests: u64,
    /// What the functions did.
    pub invocations: BTreeMap<&'static str, Invocations>,
    /// Messages that came to Lambda's pollers.
    pub messages: u64,
}

/// The invocations of a function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Invocations {
    /// How many.
    pub count: u64,
    /// What they took, each rounded up to a millisecond, in milliseconds.
    pub billed_ms: u64,
}

impl Usage {
    /// How often the functions called AWS.
    #[must_use]
    pub fn calls_in_all(&self) -> u64 {
        self.calls.values().sum()
    }

    /// How often this operation was called.
    #[must_use]
    pub fn calls_of(&self, operation: &str) -> u64 {
        self.calls.get(operation).copied().unwrap_or_default()
    }
}

impl Meter {
    /// All that was counted since it was taken last.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.lock())
    }

    /// A call of a function.
    pub fn called(&self, operation: &str) {
        let mut usage = self.lock();
        match usage.calls.get_mut(operation) {
            Some(count) => *count += 1,
            None => {
                usage.calls.insert(operation.to_owned(), 1);
            }
        }
        if operation.starts_with("secretsmanager.") {
            usage.secret_requests += 1;
        } else if operation.starts_with("TrentService.") {
            usage.kms_requests += 1;
        }
    }

    /// A request that sends or receives so many bytes of messages that have a group.
    pub fn moved(&self, bytes: usize) {
        let requests = chunks(bytes);
        let mut usage = self.lock();
        usage.sqs_requests += requests;
        usage.sqs_fair_requests += requests;
    }

    /// A batch that was received, with its messages, and what deletes it afterwards.
    pub fn received(&self, messages: usize, bytes: usize) {
        self.moved(bytes);
        self.moved(0);
        self.lock().messages += u64::try_from(messages).unwrap_or(u64::MAX);
    }

    /// Units of DynamoDB.
    pub fn consumed(&self, read_units: f64, write_units: f64) {
        let mut usage = self.lock();
        usage.read_units += read_units;
        usage.write_units += write_units;
    }

    /// An invocation.
    pub fn invoked(&self, name: Name, took: Duration) {
        let billed_ms = u64::try_from(took.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        let mut usage = self.lock();
        let invocations = usage.invocations.entry(name.logical_id()).or_default();
        invocations.count += 1;
        invocations.billed_ms += billed_ms.max(1);
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As so many requests a payload is billed.
fn chunks(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(CHUNK_BYTES).max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_billed_by_its_chunks_and_at_least_once() {
        assert_eq!([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1].map(chunks), [1, 1, 1, 2]);
        let meter = Meter::default();
        meter.received(3, 2 * CHUNK_BYTES);
        let usage = meter.take();
        assert_eq!((usage.sqs_requests, usage.sqs_fair_requests, usage.messages), (3, 3, 3));
        assert_eq!(meter.take().sqs_requests, 0, "what was taken is gone");
    }

    #[test]
    fn an_invocation_is_billed_by_the_millisecond() {
        let meter = Meter::default();
        for us in [1, 1_000, 1_001] {
            meter.invoked(Name::Ingest, Duration::from_micros(us));
        }
        let invocations = meter.take().invocations["IngestFunction"];
        assert_eq!((invocations.count, invocations.billed_ms), (3, 4));
    }

    #[test]
    fn calls_are_counted_by_operation_and_by_service() {
        let meter = Meter::default();
        for operation in ["AmazonSQS.SendMessage", "AmazonSQS.SendMessage"] {
            meter.called(operation);
        }
        meter.called("secretsmanager.GetSecretValue");
        let usage = meter.take();
        assert_eq!(usage.calls_of("AmazonSQS.SendMessage"), 2);
        assert_eq!((usage.calls_in_all(), usage.secret_requests, usage.kms_requests), (3, 1, 0));
    }
}
