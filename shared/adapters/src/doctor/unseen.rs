//! Why something could not be looked at, from what AWS says.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::doctor::Unseen;

use crate::aws::sentence;

/// What a call that failed says of the thing that it was about.
pub(super) fn unseen<E, R>(error: &SdkError<E, R>, action: &'static str, on: &str) -> Unseen
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    of_code(error.code(), action, on).unwrap_or_else(|| Unseen::Unanswered(sentence(error)))
}

/// The same from the code of an error; `None` where the code says neither.
pub(super) fn of_code(code: Option<&str>, action: &'static str, on: &str) -> Option<Unseen> {
    let code = code?;
    if code.contains("AccessDenied") {
        return Some(Unseen::NotAllowed { action, on: on.to_owned() });
    }
    let is_missing = ["ResourceNotFound", "QueueDoesNotExist", "NonExistentQueue", "TableNotFound"]
        .into_iter()
        .any(|word| code.contains(word));
    is_missing.then_some(Unseen::NotThere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_service_say_what_is_wrong() {
        let said = |code| {
            of_code(Some(code), "sqs:GetQueueUrl", "events").map(|unseen| unseen.to_string())
        };
        for code in ["AccessDeniedException", "AccessDenied", "KMSAccessDeniedException"] {
            assert_eq!(said(code).as_deref(), Some("not allowed: sqs:GetQueueUrl on events"));
        }
        for code in [
            "ResourceNotFoundException",
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ] {
            assert_eq!(said(code).as_deref(), Some("it is not there"), "{code}");
        }
        assert_eq!(said("ThrottlingException"), None);
    }
}
