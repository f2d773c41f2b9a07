//! Refusals in AWS's words.
//!
//! SQS has two names for an error: the code of its older protocol, which SDKs read from
//! `x-amzn-query-error` (the Rust SDK types errors by nothing else), and the shape in `__type`.

use std::ops::RangeInclusive;

use axum::http::StatusCode;

use crate::aws::answer::Refusal;

/// A refusal by the older protocol's code, which determines status and shape.
fn refusal(code: &str, message: impl Into<String>) -> Refusal {
    let kind = match code {
        "AWS.SimpleQueueService.NonExistentQueue" => "com.amazonaws.sqs#QueueDoesNotExist",
        "QueueAlreadyExists" => "com.amazonaws.sqs#QueueNameExists",
        "InvalidParameterValue" => "com.amazon.coral.service#InvalidParameterValueException",
        "MissingParameter" => "com.amazon.coral.service#MissingRequiredParameterException",
        "InvalidAction" => "com.amazon.coral.service#UnknownOperationException",
        "MalformedInput" => "com.amazon.coral.service#SerializationException",
        other => {
            let name = other.trim_start_matches("AWS.SimpleQueueService.");
            &format!("com.amazonaws.sqs#{name}")
        }
    };
    let status = match code {
        "ReceiptHandleIsInvalid" => StatusCode::NOT_FOUND,
        "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let query_code = Some(code.to_owned());
    Refusal { status, kind: kind.to_owned(), query_code, message: message.into() }
}

/// A refusal of winterbaume's, which knows the older codes only.
pub(super) fn translated(winterbaume: Refusal) -> Refusal {
    match winterbaume.kind.as_str() {
        "InvalidInput" => refusal("MalformedInput", winterbaume.message),
        code => refusal(code, winterbaume.message),
    }
}

pub(super) fn malformed(error: impl std::error::Error) -> Refusal {
    let message = format!("The request is not the JSON that this operation takes: {error}");
    refusal("MalformedInput", message)
}

pub(super) fn invalid_parameter(message: impl Into<String>) -> Refusal {
    refusal("InvalidParameterValue", message)
}

/// Refuses a number outside `range`, if there is one.
pub(super) fn check_range(
    name: &str,
    value: Option<i64>,
    range: RangeInclusive<i64>,
    reason: &str,
) -> Result<(), Refusal> {
    match value.filter(|it| !range.contains(it)) {
        None => Ok(()),
        Some(value) => Err(invalid_parameter(format!(
            "Value {value} for parameter {name} is invalid. Reason: {reason}"
        ))),
    }
}

pub(super) fn missing_parameter(name: &str) -> Refusal {
    refusal("MissingParameter", format!("The request must contain the parameter {name}."))
}

pub(super) fn invalid_contents(character: char) -> Refusal {
    let message = format!(
        "Invalid binary character '#x{:X}' was found in the message body, the set of allowed \
         characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].",
        u32::from(character)
    );
    refusal("InvalidMessageContents", message)
}

pub(super) fn unsupported(message: &str) -> Refusal {
    refusal("AWS.SimpleQueueService.UnsupportedOperation", message)
}

/// A batch breaks a rule, which has a name.
pub(super) fn batch(rule: &str, message: impl Into<String>) -> Refusal {
    refusal(&format!("AWS.SimpleQueueService.{rule}"), message)
}

pub(super) fn fault() -> Refusal {
    refusal("InternalError", "A fault was switched on for this entry.")
}
