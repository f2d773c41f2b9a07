//! What went wrong between us and AWS, in the kinds by which the SDK decides whether to try again: a
//! time-out, an I/O error and a transient one are, what the caller did wrong is not.
//!
//! The kinds are those that `aws-smithy-http-client` gives to the same errors.

use std::error::Error;
use std::io;
use std::time::Duration;

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::HttpError;
use aws_smithy_types::retry::ErrorKind;

/// What did not come in its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Late {
    #[error("no connection within {0:?}")]
    Connection(Duration),
    #[error("no answer within {0:?}")]
    Answer(Duration),
}

#[derive(Debug, thiserror::Error)]
#[error("the endpoint has no name to connect to by http or https")]
struct NoName;

impl From<Late> for ConnectorError {
    fn from(late: Late) -> Self {
        Self::timeout(late.into())
    }
}

/// The endpoint cannot be connected to, whoever tries.
pub(super) fn no_name() -> ConnectorError {
    ConnectorError::user(NoName.into())
}

/// The SDK's request is none of HTTP's.
pub(super) fn no_request(error: HttpError) -> ConnectorError {
    ConnectorError::user(error.into())
}

/// HTTP's answer is none of the SDK's.
pub(super) fn no_answer(error: HttpError) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}

/// A name that was not found, a connection that was refused, a handshake that failed.
pub(super) fn of_way(error: io::Error) -> ConnectorError {
    ConnectorError::io(error.into())
}

/// A request that got no answer's head.
pub(super) fn of_request(error: hyper::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_user() {
        ConnectorError::user(error.into())
    } else if error.is_closed() || error.is_canceled() || is_io(&error) {
        ConnectorError::io(error.into())
    } else if error.is_incomplete_message() {
        // The connection ended where an answer was to begin.
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    } else {
        ConnectorError::other(error.into(), None)
    }
}

/// An answer whose body did not come whole. The SDK, had it read the body, would try again.
pub(super) fn of_answer(error: hyper::Error) -> ConnectorError {
    ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
}

fn is_io(error: &hyper::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.any(<dyn Error>::is::<io::Error>)
}
