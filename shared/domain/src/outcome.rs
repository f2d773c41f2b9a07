//! What came of an attempt, and the verdict on it. The only file that knows targets' status codes.

use std::fmt;

use crate::egress::UrlRefusal;
use crate::retry::RetryAfter;
use crate::sealing::Unsealed;

/// What came of one POST to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered.
    Replied {
        /// Its HTTP status code, whatever it may be.
        status: u16,
        /// Its wish, where it had one.
        retry_after: Option<RetryAfter>,
    },
    /// The deadline passed before the answer's head was there.
    TimedOut,
    /// No connection, or one that broke: refused, reset, unreachable, name not found.
    ConnectionFailed,
    /// The TLS handshake failed: certificate, name, version.
    TlsFailed,
    /// The answer was not HTTP/1.1.
    ProtocolViolated,
    /// The name resolved to an address that we do not connect to. It may be mended tomorrow.
    AddressRefused,
    /// Nothing was posted: the key set that its key for encryption stands in could not be fetched for
    /// now. It is the target's to serve.
    EncryptionKeyUnavailable,
    /// It answered with success, and has not echoed its challenge: nobody has shown that the endpoint
    /// wants our notifications. It may tomorrow.
    EndpointUnverified,
    /// The URL is not one that we POST to, and will not become one by waiting.
    UrlRefused(UrlRefusal),
}

/// What an attempt's outcome means for its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target has it.
    Delivered,
    /// Not yet; the schedule says when, or whether, to try again.
    Retry(Option<RetryAfter>),
    /// Trying again cannot help.
    GiveUp,
    /// Trying again cannot help, and the target wants nothing more: the subscription is disabled.
    Gone,
}

impl Outcome {
    /// The verdict. Documented: any 2xx is success; HTTP errors, time-outs, connection and TLS
    /// failures are retried; 1xx and 3xx fail at once, and so does a refused URL. 410 says that
    /// the target wants nothing more (Standard Webhooks).
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Replied { status, retry_after } => match status {
                200..=299 => Verdict::Delivered,
                100..=199 | 300..=399 => Verdict::GiveUp,
                410 => Verdict::Gone,
                429 | 503 => Verdict::Retry(*retry_after),
                _ => Verdict::Retry(None),
            },
            Self::TimedOut
            | Self::ConnectionFailed
            | Self::TlsFailed
            | Self::ProtocolViolated
            | Self::AddressRefused
            | Self::EncryptionKeyUnavailable
            | Self::EndpointUnverified => Verdict::Retry(None),
            Self::UrlRefused(_) => Verdict::GiveUp,
        }
    }
}

/// Whether a reply of this status holds a document that we asked for: an enrich answer or a key
/// set. Only 200 does; another 2xx says that there is none.
#[must_use]
pub const fn holds_document(status: u16) -> bool {
    status == 200
}

/// Whether a reply of this status says that the target is ill or has too much to do (RFC 9110
/// §15.6, RFC 6585 §4). Any other answer, be it useless, comes from somebody who is there.
#[must_use]
pub const fn says_trouble(status: u16) -> bool {
    matches!(status, 429 | 500..)
}

/// The outcome's code in logs, ledger and dead letters: `http_503`, `timeout`, `egress_blocked` …
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replied { status, .. } => write!(f, "http_{status}"),
            Self::TimedOut => f.write_str("timeout"),
            Self::ConnectionFailed => f.write_str("connection"),
            Self::TlsFailed => f.write_str("tls"),
            Self::ProtocolViolated => f.write_str("protocol"),
            Self::AddressRefused => f.write_str("egress_blocked"),
            Self::EncryptionKeyUnavailable => Unsealed::KeyUnavailable.fmt(f),
            Self::EndpointUnverified => f.write_str("endpoint_unverified"),
            Self::UrlRefused(refusal) => f.write_str(refusal.code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a45_verdicts_by_status() {
        let verdict = |status| Outcome::Replied { status, retry_after: None }.verdict();
        for status in [200, 202, 204, 299] {
            assert_eq!(verdict(status), Verdict::Delivered, "{status}");
        }
        for status in [100, 199, 301, 302, 307, 308, 399] {
            assert_eq!(verdict(status), Verdict::GiveUp, "{status}");
        }
        assert_eq!(verdict(410), Verdict::Gone);
        for status in [400, 401, 404, 422, 429, 500, 503, 599, 600, 999] {
            assert_eq!(verdict(status), Verdict::Retry(None), "{status}");
        }
    }

    #[test]
    fn who_answers_without_a_document_may_be_well() {
        for status in [429, 500, 502, 503, 599, 999] {
            assert!(says_trouble(status), "{status}");
        }
        for status in [200, 201, 204, 302, 400, 401, 404, 428, 499] {
            assert!(!says_trouble(status), "{status}");
        }
    }

    #[test]
    fn only_429_and_503_are_heard_when_they_ask_for_time() {
        let now = crate::time::Timestamp::from_ms(0);
        let retry_after = RetryAfter::parse("60", now);
        for (status, heard) in [(429, true), (503, true), (500, false), (404, false)] {
            let verdict = Outcome::Replied { status, retry_after }.verdict();
            assert_eq!(verdict, Verdict::Retry(retry_after.filter(|_| heard)), "{status}");
        }
    }
}
