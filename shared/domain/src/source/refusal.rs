//! Why a Security Event Token is refused: one code for the log, another for whoever sent it.

use crate::jose::HeaderRefusal;

/// Why a token is not taken. Its text is the rule's code, for the log; [`Self::err`] and
/// [`Self::description`] are for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetRefusal {
    /// Another media type, such as the JSON arrays of Webhooks v2, or compressed.
    #[error("content_type")]
    ContentType,
    /// Marked as Base64, and none.
    #[error("encoding")]
    Encoding,
    /// Longer than 128 KiB.
    #[error("too_large")]
    TooLarge,
    /// Not a compact JWS.
    #[error("token")]
    Token,
    /// A header parameter that would choose how the token is verified.
    #[error("header")]
    Header,
    /// It does not call itself a Security Event Token.
    #[error("typ")]
    Type,
    /// Another algorithm than RS256.
    #[error("alg")]
    Algorithm,
    /// It does not say which key is on it.
    #[error("kid")]
    KeyId,
    /// The payload is no JSON object that can be read in only one way.
    #[error("payload")]
    Payload,
    /// Not exactly one event.
    #[error("events")]
    Events,
    /// It names no application, or none that could be one.
    #[error("application")]
    Application,
    /// Nobody has configured the application.
    #[error("unknown_application")]
    UnknownApplication,
    /// The application's row says that nothing is taken from it.
    #[error("source_disabled")]
    Disabled,
    /// No key of the source's is meant.
    #[error("key")]
    Key,
    /// The signature is not that key's.
    #[error("signature")]
    Signature,
    /// Another issuer.
    #[error("iss")]
    Issuer,
    /// For somebody else.
    #[error("aud")]
    Audience,
    /// Without its times, from the future, or expired.
    #[error("time")]
    Time,
    /// `jti` or `txn` is not a string.
    #[error("identifiers")]
    Identifiers,
    /// The event does not have the shape that is documented.
    #[error("event")]
    Event,
    /// Its event was posted before with another body.
    #[error("conflict")]
    Conflict,
}

impl From<HeaderRefusal> for SetRefusal {
    fn from(refusal: HeaderRefusal) -> Self {
        match refusal {
            HeaderRefusal::Parts | HeaderRefusal::Header => Self::Token,
            HeaderRefusal::Parameter => Self::Header,
            HeaderRefusal::Type => Self::Type,
        }
    }
}

impl SetRefusal {
    /// The error code of RFC 8935 §2.4.
    ///
    /// An application that nobody has configured and one that is switched off are the same thing to
    /// whoever asks.
    #[must_use]
    pub const fn err(self) -> &'static str {
        match self {
            Self::ContentType
            | Self::Encoding
            | Self::TooLarge
            | Self::Token
            | Self::Header
            | Self::Type
            | Self::Payload
            | Self::Events
            | Self::Application
            | Self::Time
            | Self::Identifiers
            | Self::Event
            | Self::Conflict => "invalid_request",
            Self::Algorithm | Self::KeyId | Self::Key => "invalid_key",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
            Self::Signature => "authentication_failed",
            Self::UnknownApplication | Self::Disabled => "access_denied",
        }
    }

    /// A sentence in English for whoever sent it.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::ContentType => "Send one application/secevent+jwt without Content-Encoding.",
            Self::Encoding => "The body is marked as Base64 and is not Base64.",
            Self::TooLarge => "The token is longer than 128 KiB.",
            Self::Token => "The body is not a JWS in compact serialization.",
            Self::Header => "The header holds a parameter that is not taken from a token.",
            Self::Type => "The header's typ must be secevent+jwt.",
            Self::Algorithm => "The header's alg must be RS256.",
            Self::KeyId => "The header must have a kid.",
            Self::Payload => "The payload is not a JSON object without repeated members.",
            Self::Events => "The claim events must be an object with one member.",
            Self::Application => "The event must name its captureApplicationId.",
            Self::UnknownApplication | Self::Disabled => {
                "Nothing is taken from this captureApplicationId."
            }
            Self::Key => "The key set has no such kid for RS256.",
            Self::Signature => "The signature does not verify.",
            Self::Issuer => "The claim iss is not the registered issuer.",
            Self::Audience => "The claim aud does not name this listener.",
            Self::Time => {
                "The claims iat and toe must be whole seconds that are not in the future."
            }
            Self::Identifiers => "The claim jti must be a string, and so must txn if there is one.",
            Self::Event => "The event is not as its definition says.",
            Self::Conflict => "The event's id was used before for another event.",
        }
    }
}
