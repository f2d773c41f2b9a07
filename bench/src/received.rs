//! What Lambda hands over: an HTTP API's payload and a batch of SQS, read as the functions read them.

use adapters::http_api::HttpRequest;
use adapters::sqs_batch::SqsBatch;
use serde_json::value::RawValue;

use crate::payloads::{PROPERTY, http, posting};
use crate::subjects::batch;

/// Both payloads.
pub struct Received {
    http: String,
    batch: String,
}

impl Received {
    /// A POST with one event of a kilobyte, and a batch of ten such.
    #[must_use]
    pub fn new() -> Self {
        Self { http: http(&posting(0, 1, PROPERTY, 1_024)), batch: batch(0, 10) }
    }

    /// The request; `None` of what is none.
    #[must_use]
    pub fn request(&self) -> Option<HttpRequest> {
        HttpRequest::parse(&self.http).ok()
    }

    /// The batch; `None` of what is none.
    #[must_use]
    pub fn batch(&self) -> Option<SqsBatch<'_>> {
        SqsBatch::parse(&self.batch).ok()
    }

    /// The floor of [`Self::request`]: the payload walked once, nothing taken out of it.
    #[must_use]
    pub fn walked_request(&self) -> Option<&RawValue> {
        serde_json::from_str(&self.http).ok()
    }

    /// The floor of [`Self::batch`], likewise.
    #[must_use]
    pub fn walked_batch(&self) -> Option<&RawValue> {
        serde_json::from_str(&self.batch).ok()
    }
}

impl Default for Received {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_what_they_are_taken_for() {
        let received = Received::new();
        assert_eq!(received.request().expect("a request").path, "/v1/events");
        assert_eq!(received.batch().expect("a batch").records.len(), 10);
        assert!(received.walked_request().is_some() && received.walked_batch().is_some());
    }
}
