//! From an error of the HTTP client to an outcome: by type, never by text.

use std::error::Error;

use domain::outcome::Outcome;

use super::resolver::LookUpFailure;

/// What an error of the client means for an attempt.
pub(super) fn outcome_of(error: &reqwest::Error) -> Outcome {
    if error.is_timeout() {
        return Outcome::TimedOut;
    }
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(current) = cause {
        if let Some(outcome) = of_cause(current) {
            return outcome;
        }
        // `io::Error` hides what it wraps from `source`.
        cause = match current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => current.source(),
        };
    }
    Outcome::ConnectionFailed
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<Outcome> {
    if let Some(failure) = cause.downcast_ref::<LookUpFailure>() {
        return Some(match failure {
            LookUpFailure::NotFound => Outcome::ConnectionFailed,
            LookUpFailure::Refused(_) => Outcome::AddressRefused,
        });
    }
    if cause.is::<rustls::Error>() {
        return Some(Outcome::TlsFailed);
    }
    let hyper = cause.downcast_ref::<hyper::Error>()?;
    hyper.is_parse().then_some(Outcome::ProtocolViolated)
}
