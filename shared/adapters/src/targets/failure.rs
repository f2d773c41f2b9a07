//! What went wrong on the way to a target, and how far it had come: by type, never by text.

use std::error::Error;

use domain::egress::UrlRefusal;
use domain::outcome::Outcome;

use super::resolver::LookUpFailure;

/// A request that got no whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What that means for an attempt.
    pub(super) outcome: Outcome,
    /// How far it came.
    pub(super) progress: Progress,
}

/// How far a request came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is no way to the target: no such name, no address that we connect to, no certificate
    /// that proves it. Trying again finds the same.
    NoWay,
    /// A connection was refused, or broke before it stood. Nothing was said.
    NotConnected,
    /// The request may have been read; no byte of a reply was.
    Unanswered,
    /// A byte of a reply was read, and the rest did not come.
    Answering,
}

impl Failure {
    /// The failure behind an error that came after so much progress.
    pub(super) fn of(error: &(dyn Error + 'static), progress: Progress) -> Self {
        let cause = std::iter::successors(Some(error), |error| cause_of(*error)).find_map(of_cause);
        match cause {
            None => Self { outcome: Outcome::ConnectionFailed, progress },
            Some(Cause::TlsFailed) => {
                Self { outcome: Outcome::TlsFailed, progress: Progress::NoWay }
            }
            Some(Cause::Nonsense) => Self { outcome: Outcome::ProtocolViolated, progress },
        }
    }

    /// More was said than the head of an answer may hold, and no answer was in it.
    pub(super) const fn head_too_long() -> Self {
        Self { outcome: Outcome::ProtocolViolated, progress: Progress::Answering }
    }

    /// A URL that passed the guard and that HTTP cannot ask for.
    pub(super) fn not_a_uri() -> Self {
        let outcome = Outcome::UrlRefused(UrlRefusal::Invalid);
        Self { outcome, progress: Progress::NoWay }
    }
}

impl From<LookUpFailure> for Failure {
    fn from(failure: LookUpFailure) -> Self {
        let outcome = match failure {
            LookUpFailure::NotFound => Outcome::ConnectionFailed,
            LookUpFailure::Refused(_) => Outcome::AddressRefused,
        };
        Self { outcome, progress: Progress::NoWay }
    }
}

/// What an error comes down to, where it is more than a connection that failed.
enum Cause {
    TlsFailed,
    Nonsense,
}

fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // `io::Error` hides what it wraps from `source`.
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn of_cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    if error.is::<rustls::Error>() {
        return Some(Cause::TlsFailed);
    }
    error.downcast_ref::<hyper::Error>().filter(|error| error.is_parse()).map(|_| Cause::Nonsense)
}
