//! What SQS answers when it refuses, in the words that AWS uses.

use axum::http::StatusCode;

use crate::aws::answer::Refusal;

/// A refused call, or a refused entry of a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("The specified queue does not exist.")]
    NoSuchQueue,
    #[error(
        "A queue already exists with the same name and a different value for attribute {attribute}"
    )]
    QueueExists { attribute: &'static str },
    #[error("{0}")]
    InvalidParameter(String),
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    #[error("Unknown Attribute {0}.")]
    UnknownAttribute(String),
    #[error("Invalid value for the parameter {0}.")]
    InvalidAttribute(&'static str),
    #[error(
        "Invalid binary character '#x{0:x}' was found in the message body, the set of allowed \
         characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidContents(u32),
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    InvalidReceipt(String),
    #[error("There should be at least one {0} in the request.")]
    EmptyBatch(&'static str),
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntries(usize),
    #[error("Id {0} repeated.")]
    EntryIdsNotDistinct(String),
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It \
         can be at most 80 letters long."
    )]
    InvalidEntryId,
    #[error("Batch requests cannot be longer than {limit} bytes. You have sent {sent} bytes.")]
    BatchTooLong { limit: usize, sent: usize },
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeInProgress(String),
    #[error("{0}")]
    NoSuchResource(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("The local endpoint does not know the SQS operation {0}.")]
    UnknownOperation(String),
    #[error("The request is not the JSON that this operation takes: {0}")]
    Malformed(String),
    #[error("A fault was switched on for this entry.")]
    Fault,
}

impl Error {
    /// The shape's name and the older protocol's code, which SDKs read from
    /// `x-amzn-query-error`; the Rust SDK knows typed errors by the latter alone.
    fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Self::NoSuchQueue => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::QueueExists { .. } => ("QueueNameExists", "QueueAlreadyExists"),
            Self::InvalidParameter(_) => {
                ("InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::MissingParameter(_) => ("MissingRequiredParameterException", "MissingParameter"),
            Self::UnknownAttribute(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttribute(_) => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidContents(_) => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::InvalidReceipt(_) => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::EmptyBatch(_) => {
                ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest")
            }
            Self::TooManyEntries(_) => (
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Self::EntryIdsNotDistinct(_) => {
                ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Self::InvalidEntryId => {
                ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
            }
            Self::BatchTooLong { .. } => {
                ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
            }
            Self::PurgeInProgress(_) => {
                ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress")
            }
            Self::NoSuchResource(_) => ("ResourceNotFoundException", "ResourceNotFoundException"),
            Self::Unsupported(_) => {
                ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation")
            }
            Self::UnknownOperation(_) => ("UnknownOperationException", "InvalidAction"),
            Self::Malformed(_) => ("SerializationException", "MalformedInput"),
            Self::Fault => ("InternalError", "InternalError"),
        }
    }

    /// The code that stands in the `Failed` list of a batch.
    pub(super) fn entry_code(&self) -> &'static str {
        self.codes().1
    }

    /// Whether the caller is to blame.
    pub(super) fn is_sender_fault(&self) -> bool {
        *self != Self::Fault
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (shape, code) = error.codes();
        Self {
            status: match error {
                Error::PurgeInProgress(_) => StatusCode::FORBIDDEN,
                Error::Fault => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            },
            kind: format!("com.amazonaws.sqs#{shape}"),
            query_code: Some(code),
            message: error.to_string(),
        }
    }
}
