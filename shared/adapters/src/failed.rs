//! Calls of a login's tables that come to nothing: a login does not wait for them, and the log says why.

use std::future::Future;

use domain::time::Deadline;

use crate::clock::within;

/// Why a call came to nothing, in public sentences.
pub(crate) struct Failed(pub(crate) String);

/// A call that has failed when it has no answer by the deadline.
pub(crate) async fn in_time<T>(
    by: Deadline,
    call: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    within(by, call).await.unwrap_or_else(|| Err(Failed("no answer in time".to_owned())))
}
